"""The winner of a search, measured once more on held-out data."""

from collections.abc import Hashable

import streamlit as st

from ...background.lane import Lane
from ...measuring.number_words import format_drop, format_measured
from ...runs.held_out import has_held_out
from ...studies.search_trials import Trial
from ...studies.search_winner import check_winner
from ...values.report import Report
from .. import session
from ..drawing import layout
from ..kept_runs import keeping
from . import search_question as asked

WINNER = Lane("winner")
LUCK = (
    "The best of many trials was lucky too. So the winner is measured once more, on data that no trial "
    "has seen."
)


def _winner_key(winner: Trial) -> Hashable:
    return winner.run, session.conditions().device


def _check() -> None:
    model, found, how, runs = session.model(), asked.known(), session.conditions(), keeping.store()
    if found is not None and found.winner is not None:
        session.resume(WINNER)
        session.job(WINNER, _winner_key(found.winner), lambda: check_winner(model, found, how, store=runs))


def draw_winner() -> None:
    """Draw what the winner is worth on held-out data, or the button that measures it."""
    search, running = asked.known(), session.lane_state(asked.LANE).busy
    if search is None or running or not search.trials:
        return
    winner = search.winner
    if winner is None:
        st.caption(
            f"There is no trial in which {search.limit}, so there is no winner yet; allow more, or raise "
            "*Total trials* and press *Go on*."
        )
        return
    st.markdown("**The winner, on data that no trial has seen**")
    if not has_held_out(session.subject()):
        st.caption("This model came without held-out data, so the winner cannot be checked.")
        return
    state = session.lane_state(WINNER)
    if state.key == _winner_key(winner) and isinstance(state.value, Report):
        _draw_both(winner, state.value)
    elif state.key == _winner_key(winner) and state.error:
        layout.draw_notice(state.error)
    elif state.busy:
        st.caption("Counting on held-out data …")
    else:
        st.caption(LUCK)
        st.button(
            "Check the winner",
            "check winner",
            on_click=keeping.begin,
            args=(_check,),
            icon=":material/lock_open:",
            help="Opens the held-out split once, and counts it.",
        )


def _draw_both(winner: Trial, report: Report) -> None:
    """Draw both numbers: the one it was chosen by, and the one measured afterwards."""
    measured, so_far = report.pruned, "" if report.stage == "final" else " so far"
    after = format_measured(measured, report.total_samples)
    before = format_measured(winner.measured, winner.total)
    change = format_drop(report.drop) if report.drop else ""
    rows = {
        "Tuning split, by which it was chosen": f"{before}; {format_drop(winner.drop)}",
        f"Held-out data, measured once{so_far}": f"{after}; {change}",
    }
    st.table({layout.plain(name): layout.plain(value) for name, value in rows.items()}, border="horizontal")
    st.caption(layout.plain(" ".join(note for note in report.notes if note.startswith("Held-out"))))
