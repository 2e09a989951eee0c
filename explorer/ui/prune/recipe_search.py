"""A search over the ratios of all parts: its plan, its progress, and where its results are drawn."""

import importlib.util
from collections.abc import Hashable

import streamlit as st

from ...measuring.allowance import allowance_unit
from ...measuring.metric_words import metric_title
from ...studies.search_trials import Search
from ...values.granularity import CHANNEL
from .. import session
from ..drawing import layout
from ..kept_runs import keeping
from ..live import regions
from ..session.modes import MODES
from ..shared import settings
from . import search_question as asked
from . import search_results
from .search_winner_check import WINNER, draw_winner

MORE, MOST_TRIALS = 50, 2000
WHAT = (
    "An optimiser sets the faders of all parts at once, measures, and learns from what it saw; it begins "
    "with what the allocators propose. Locks and ratios set by hand are ignored. Each trial is a run like "
    "any other, tagged *search* on the **Compare** page, so a stopped search continues where it was."
)
MISSING = (
    "The optimiser is not installed. Install it with `pip install 'pruning-explorer[search]'`, then "
    "restart the program."
)


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
        regions.watched("search", _draw, asked.LANE, facet=_facet, progress=True)
        regions.watched("search winner", draw_winner, asked.LANE, WINNER)


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
            asked.banks().select("What is removed", width=130)
        st.number_input(
            "Total trials",
            5,
            MOST_TRIALS,
            key=session.start_from(asked.TRIALS, 50),
            step=10,
            width=140,
            help="Earlier trials of the same question count; each is measured like a move of a fader.",
        )
        if asked.bank() == CHANNEL:
            asked.LOWERED.select("What to lower", width=250)
        st.number_input(
            f"Winner may lose ({allowance_unit(session.scale())})",
            0.0,
            50.0,
            key=session.start_from(asked.POINTS, 1.0),
            step=0.5,
            format="%.6g",
            width=190,
            help=f"The winner is the cheapest trial that loses no more {title} than this.",
        )


def _facet() -> Hashable:
    state = session.lane_state(asked.LANE)
    return asked.key(), state.busy, state.error, state.version, session.recalled(search_results.CHOSEN)


def start() -> None:
    """Search by the plan that the widgets show, or go on with it."""
    model, recipe, plan, how = session.model(), session.recipe(), asked.plan(), session.conditions()
    runs = keeping.store()  # of whoever is signed in, which the worker does not know
    session.resume(asked.LANE)
    studies = settings.current().studies
    session.job(asked.LANE, asked.key(), lambda: studies.search(model, recipe, plan, how, runs))


def _search_more() -> None:
    session.put(asked.TRIALS, min(int(session.shown(asked.TRIALS, 50)) + MORE, MOST_TRIALS))
    keeping.begin(start)


def _draw() -> None:
    state, search = session.lane_state(asked.LANE), asked.known()
    own = state.key == asked.key() or search is not None
    with st.container(horizontal=True, vertical_alignment="center"):
        if state.busy:
            layout.draw_share(*_share(search))
            args = (asked.LANE, state.key)
            st.button("Stop", "stop search", on_click=session.cancel, args=args, type="tertiary")
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
        search_results.draw_trials(search)


def _share(search: Search | None) -> tuple[float, str]:
    state = session.lane_state(asked.LANE)
    done, total = (state.progress.done, state.progress.total) if state.progress else (0, 1)
    left = (
        f", about {state.seconds_left / 60:.0f} minutes left"
        if state.seconds_left and state.seconds_left > 90
        else ""
    )
    front = f", {len(search.front)} on the front" if search else ""
    words = f"{done:,} of {total:,} trials{front}{left}" if state.progress else "Waiting for its turn …"
    return done / max(1, total), words
