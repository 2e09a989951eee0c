"""A search over the ratios of all parts: its plan, the trials with their front, the winner's check."""

import importlib.util
from collections.abc import Hashable
from dataclasses import replace
from functools import partial
from typing import Any

import streamlit as st

from ...background.lane import LONG, Lane
from ...figures.search_front import search_front
from ...measuring.allowance import allowance_unit
from ...measuring.metric_words import metric_heading, metric_title
from ...measuring.statistics import format_drop, format_measured, format_value
from ...runs.held_out import has_held_out
from ...studies.recipe_search import check_winner
from ...studies.search_trials import Cost, Search, SearchPlan, Trial
from ...values.granularity import CHANNEL, PLURALS, WEIGHT, Graded
from ...values.report import Report
from .. import session
from ..drawing import layout
from ..drawing.offers import Offer, ShownOffer
from ..kept_runs import keeping
from ..live import regions
from ..session.modes import MODES
from ..shared import settings

LANE, WINNER, CHOSEN = Lane("search", LONG), Lane("winner"), "search trial chosen"
TRIALS, POINTS, BANK = "search trials", "search points", "search bank"
MORE, MOST_TRIALS = 50, 2000
COST_WORDS: dict[Cost, str] = {"params": "non-zero parameters", "macs": "MACs"}
LOWERED = Offer("search cost", COST_WORDS)
WHAT = (
    "An optimiser sets the faders of all parts at once, measures, and learns from what it saw; it begins "
    "with what the allocators propose. Locks and ratios set by hand are ignored. Each trial is a run like "
    "any other, tagged *search* on the **Compare** page, so a stopped search continues where it was."
)
MISSING = (
    "The optimiser is not installed. Install it with `pip install 'pruning-explorer[search]'`, then "
    "restart the program."
)
LUCK = (
    "The best of many trials was lucky too. So the winner is measured once more, on data that no trial "
    "has seen."
)
PLAIN = {"displayModeBar": False}


# --------------------------------------------------------------------------- what is asked


def _bank() -> Graded:
    return _banks().now()


def _banks() -> Offer:
    return Offer(BANK, {bank: PLURALS[bank] for bank in MODES[session.mode()]})


def _cost() -> Cost:
    return "params" if _bank() == WEIGHT else LOWERED.now()


def _plan() -> SearchPlan:
    return SearchPlan(int(session.shown(TRIALS, 50)), _cost(), _bank(), session.shown(POINTS, 1.0) / 100)


def _question() -> Hashable:
    """Return what the trials depend on: all of the recipe but the ratios that are searched for."""
    others = session.recipe().with_ratios(_bank(), {}).fingerprint
    return (session.subject().id, others, _bank(), _cost(), session.conditions())


def _key() -> tuple[Hashable, SearchPlan]:
    return _question(), _plan()


def _found() -> Search | None:
    """Return the trials of this question, judged by the current plan."""
    state = session.lane_state(LANE)
    known = isinstance(state.key, tuple) and state.key[0] == _question() and isinstance(state.value, Search)
    return replace(state.value, plan=_plan()) if known else None


# --------------------------------------------------------------------------- the panel


def draw() -> None:
    """Draw an expander with the plan and its results."""
    if not _fits():
        return
    with st.expander("Search: let an optimiser try many recipes", icon=":material/travel_explore:"):
        st.caption(WHAT)
        if not _is_installed():
            st.info(MISSING, icon=":material/download:")
            return
        _draw_plan()
        regions.watched("search", _draw, LANE, facet=_facet, progress=True)
        regions.watched("search winner", _draw_winner, LANE, WINNER)


def is_possible() -> bool:
    """Whether a search can be started here."""
    return _fits() and _is_installed()


def _fits() -> bool:
    return session.subject().task is not None and not settings.current().classroom


def _is_installed() -> bool:
    return importlib.util.find_spec("optuna") is not None


def _draw_plan() -> None:
    banks, title = MODES[session.mode()], metric_title(session.scale().metric)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        if len(banks) > 1:
            _banks().select("What is removed", width=130)
        st.number_input(
            "Total trials",
            5,
            MOST_TRIALS,
            key=session.start_from(TRIALS, 50),
            step=10,
            width=140,
            help="Earlier trials of the same question count; each is measured like a move of a fader.",
        )
        if _bank() == CHANNEL:
            LOWERED.select("What to lower", width=250)
        st.number_input(
            f"Winner may lose ({allowance_unit(session.scale())})",
            0.0,
            50.0,
            key=session.start_from(POINTS, 1.0),
            step=0.5,
            format="%g",
            width=190,
            help=f"The winner is the cheapest trial that loses no more {title} than this.",
        )


def _facet() -> Hashable:
    state = session.lane_state(LANE)
    return _key(), state.busy, state.error, state.version, session.recalled(CHOSEN)


def start() -> None:
    """Search by the plan that the widgets show, or go on with it."""
    model, recipe, plan, how = session.model(), session.recipe(), _plan(), session.conditions()
    runs = keeping.store()  # of whoever is signed in, which the worker does not know
    session.resume(LANE)
    session.job(LANE, _key(), lambda: settings.current().studies.search(model, recipe, plan, how, runs))


def _search_more() -> None:
    session.put(TRIALS, min(int(session.shown(TRIALS, 50)) + MORE, MOST_TRIALS))
    keeping.begin(start)


def _draw() -> None:
    state, search = session.lane_state(LANE), _found()
    own = state.key == _key() or search is not None
    with st.container(horizontal=True, vertical_alignment="center"):
        if state.busy:
            layout.draw_share(*_share(search))
            st.button("Stop", "stop search", on_click=session.cancel, args=(LANE, state.key), type="tertiary")
        elif search is None or len(search.trials) < search.plan.trials:
            word = "Search" if search is None else "Go on"
            st.button(
                word, "start search", on_click=keeping.begin, args=(start,), icon=":material/travel_explore:"
            )
        else:
            st.button(
                f"Search {MORE} trials more",
                "more trials",
                "Continues with what all trials so far have shown.",
                _search_more,
                icon=":material/travel_explore:",
            )
    if own and state.error:
        layout.draw_notice(state.error)
    for told in search.notes if search else ():
        st.caption(layout.plain(told))
    if search is not None and search.trials:
        _draw_found(search)


def _share(search: Search | None) -> tuple[float, str]:
    state = session.lane_state(LANE)
    done, total = (state.progress.done, state.progress.total) if state.progress else (0, 1)
    left = (
        f", about {state.seconds_left / 60:.0f} minutes left"
        if state.seconds_left and state.seconds_left > 90
        else ""
    )
    front = f", {len(search.front)} on the front" if search else ""
    return done / max(
        1, total
    ), f"{done:,} of {total:,} trials{front}{left}" if state.progress else "Waiting for its turn …"


# --------------------------------------------------------------------------- what came of it


def _draw_found(search: Search) -> None:
    chosen = _chosen(search)
    with st.container(key="below search"):
        seen, listed = st.columns(2, gap="large")
    with seen:
        key = f"search front {len(search.trials)}"
        st.plotly_chart(
            search_front(search, chosen.number),
            width="stretch",
            key=key,
            config=PLAIN,
            selection_mode="points",
            on_select=lambda: _click(session.shown(key)),
        )
        st.caption(
            "Bars cover 95 %. Click a trial to choose it. Grey crosses: another trial costs no more and is "
            "as good."
        )
    with listed:
        names = {trial.number: _called(trial) for trial in _offered(search, chosen)}
        ShownOffer("search trial", names, chosen.number, partial(session.remember, CHOSEN)).select("Trial")
        for line in _lines(chosen):
            st.caption(layout.plain(line))
        st.button(
            "Apply this trial to the faders",
            "take trial",
            "You can undo this.",
            _take,
            (chosen,),
            icon=":material/equalizer:",
        )


def _chosen(found: Search) -> Trial:
    """Return the clicked trial, or else the winner, or else the best."""
    number = session.recalled(CHOSEN)
    clicked = next((trial for trial in found.trials if trial.number == number), None)
    return clicked or found.winner or found.front[-1]


def _offered(found: Search, chosen: Trial) -> list[Trial]:
    return [*found.front, *([] if chosen in found.front else [chosen])]


def _called(trial: Trial) -> str:
    """Return a trial in words.

    >>> from explorer.values.recipe import Recipe
    >>> from explorer.measuring.statistics import paired_drop
    >>> from explorer.values.report import Measurement
    >>> _called(Trial(7, Recipe(), "optimiser", 0.42, Measurement(0.9), 100, paired_drop(1, 0, 100), ""))
    'trial 7: 42.0 % left, accuracy 90.0 %, by optimiser'
    """
    value = f"{metric_title(trial.scale.metric)} {format_value(trial.value, trial.scale.unit)}"
    return f"trial {trial.number}: {100 * trial.cost:.1f} % left, {value}, by {trial.origin}"


def _lines(trial: Trial) -> list[str]:
    measured = format_measured(trial.measured, trial.total)
    return [
        f"{metric_heading(trial.scale.metric)} on the tuning split: {measured}.",
        f"Against the dense model: {format_drop(trial.drop)}.",
        f"{100 * trial.cost:.1f} % of the {COST_WORDS[_cost()]} left. Proposed by: {trial.origin}.",
    ]


def clicked(event: Any) -> int | None:
    """Return the number of the trial that was clicked in the figure.

    >>> [clicked({"selection": {"points": points}}) for points in ([{"customdata": [3, "optimiser"]}], [])]
    [3, None]
    """
    points = event["selection"]["points"] if event and "selection" in event else []
    given = next((point["customdata"] for point in points if "customdata" in point), None)
    return int(given[0]) if isinstance(given, list | tuple) else None


def _click(event: Any) -> None:
    number = clicked(event)
    if number is not None:
        session.remember(CHOSEN, number)


def _take(trial: Trial) -> None:
    session.attempt(session.set_recipe, trial.recipe, f"trial {trial.number} of the search")
    keeping.comes_from(trial.run)
    regions.hurry()
    st.rerun()


# --------------------------------------------------------------------------- the winner, once more


def _winner_key(winner: Trial) -> Hashable:
    return winner.run, session.conditions().device


def _check() -> None:
    model, found, how, runs = session.model(), _found(), session.conditions(), keeping.store()
    if found is not None and found.winner is not None:
        session.resume(WINNER)
        session.job(WINNER, _winner_key(found.winner), lambda: check_winner(model, found, how, store=runs))


def _draw_winner() -> None:
    search, running = _found(), session.lane_state(LANE).busy
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
