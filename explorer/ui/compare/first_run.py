"""The Compare page without any run: a sketch of what will be there, and ways to a first run."""

from collections.abc import Callable

import streamlit as st

from .. import session
from ..drawing import layout, links, sketches
from ..kept_runs import keeping
from ..live import regions
from ..prune import recipe_search, search_question, starting_points

WISHED = "first run wished"  # key of the live measurement that is kept as soon as it is final
EMPTY = (
    "**No run is kept yet.** Each run that you keep becomes a dot here; with two or more, you see which are "
    "worth what they cost."
)
MEASURED = "Measuring the gentle cut. It is kept, and shown here, as soon as all samples are counted."
SEARCHING = "The search is running. Its first trials appear here as soon as they are measured."
WAYS = {
    "preset": "Removes what costs hardly any quality, measures it, and keeps it. A few seconds.",
    "search": "Tries 50 recipes and keeps each as a run. You can go on meanwhile, and stop it.",
    "own": "Keeps the recipe that is set now, as soon as its numbers are final.",
}
SKETCHED = (
    "A sketch: kept runs as dots, quality against what is left, and a line through those that nothing beats"
)
SEEN = "search was running"
CAPTION = "A sketch of what you will see: quality upwards, what is left of the model to the right."


def draw() -> None:
    """Draw the sketch next to the ways that start it; while one is under way, what it does."""
    with st.container(border=True, key="sketched columns"):
        picture, ways = st.columns([2, 3], gap="large")
    with picture:
        st.html(sketches.kept_runs(SKETCHED, CAPTION))
    with ways:
        st.markdown(EMPTY)
        regions.watched(
            "first run", _draw_ways, session.LIVE_LANE, search_question.LANE, facet=_facet, progress=True
        )


def _facet() -> tuple[object, ...]:
    report = session.report()
    searching = session.lane_state(search_question.LANE)
    return report and report.stage, searching.busy, _has_run()


def _has_run() -> bool:
    return bool(keeping.store().runs(limit=1))


def _draw_ways() -> None:
    if _has_run():  # a first run has come
        st.rerun()
    session.live()
    if session.recalled(WISHED) == session.live_key():
        _keep_when_final()
    elif session.lane_state(search_question.LANE).busy:
        _draw_searching()
    else:
        _draw_offers()


def _keep_when_final() -> None:
    state, report = session.live(), session.report()
    if state.error and state.key == session.live_key():
        session.remember(WISHED, None)
        layout.draw_notice(state.error)
        return
    if report is None or report.stage != "final":
        counted = (report.pruned.samples, report.total_samples) if report else (0, None)
        layout.draw_share(counted[0] / (counted[1] or 1), MEASURED)
        return
    session.remember(WISHED, None)
    session.attempt(keeping.keep)
    st.rerun()


def _draw_searching() -> None:
    progress = session.lane_state(search_question.LANE).progress
    layout.draw_share(progress.done / max(1, progress.total) if progress else 0.0, SEARCHING)


def _draw_offers() -> None:
    if session.recipe().is_empty:
        _offer("preset", "Keep a gentle cut", ":material/bolt:", _keep_gentle)
    else:
        _offer("own", "Keep this recipe", ":material/bookmark_add:", _wish)
    if recipe_search.is_possible():
        _offer("search", "Search 50 recipes", ":material/travel_explore:", recipe_search.start)
    links.link("prune", "Or change the faders on the Prune page", ":material/tune:")


def _offer(way: str, label: str, icon: str, action: Callable[[], None]) -> None:
    """Draw a button that starts something, and what that is."""

    def begin() -> None:
        session.attempt(action)
        regions.hurry()
        st.rerun()

    with st.container(gap="xsmall"):
        st.button(label, f"first run {way}", on_click=begin, icon=icon)
        st.caption(WAYS[way])


def _keep_gentle() -> None:
    starting_points.begin_with("gentle")
    _wish()


def _wish() -> None:
    session.live()
    session.remember(WISHED, session.live_key())


def follow_search() -> None:
    """Draw how far a search is whose trials the page shows, and draw the page again at its end."""
    regions.watched(
        "search seen", _draw_search_seen, search_question.LANE, facet=_is_searching, progress=True
    )


def _is_searching() -> bool:
    return session.lane_state(search_question.LANE).busy


def _draw_search_seen() -> None:
    before = session.recalled(SEEN, False)
    session.remember(SEEN, _is_searching())
    if not _is_searching():
        if before:
            st.rerun()
        return
    progress = session.lane_state(search_question.LANE).progress
    done, total = (progress.done, progress.total) if progress else (0, 1)
    with st.container(horizontal=True, vertical_alignment="center"):
        layout.draw_share(done / max(1, total), f"A search is running: {done:,} of {total:,} trials")
        st.button("Show its new trials", "show trials", on_click=st.rerun, type="tertiary")
