"""What a finished recovery still lacks, drawn from the session: the dense model's equal training, a place among the runs."""

from collections.abc import Hashable, Iterator
from dataclasses import replace
from typing import Any

import streamlit as st

from ..job_state import JobState
from ..recovery.controls import controls
from ..recovery.keeping import keep
from ..recovery.recover import recover
from ..recovery.results import dense_control
from ..recovery.values import Recovery
from ..statistics import format_accuracy, format_drop
from ..values import Recipe
from . import layout, runs, session

KEEP, CONTROL = "keep", "control"
LANES = (KEEP, CONTROL)
FAIR = "Trains the dense model with the same plan: without it, a gain might come from more training, not from this model."
WHERE = "It stands on the **Compare** page, below the run of its recipe."


def draw(found: Recovery | None) -> None:
    """The control and the button, once the recovery is finished."""
    if found is None or not found.finished:
        return
    if found.plan.trained_epochs:
        _draw_control(found)
    _draw_keep(found)


def facet(found: Recovery | None) -> Hashable:
    """What `draw` shows."""
    return found and (found.key, found.finished), tuple(session.versions(LANES).values())


# --------------------------------------------------------------------------- the dense model, trained as long


def _draw_control(found: Recovery) -> None:
    known, state = dense_control(session.subject(), found.plan, session.conditions()), session.lane_state(CONTROL)
    if known is not None:
        counted = format_accuracy(known.measurement.correct or 0, known.measurement.samples, found.total_samples)
        loss = "" if known.measurement.loss is None else f"; loss {known.measurement.loss:.3f}"
        st.caption(layout.plain(f"dense, after as much training: {counted}; {format_drop(known.drop)}{loss}."))
    elif state.busy and state.key == found.key:
        _draw_progress(state, "Training the dense model")
        st.button("Stop", "stop control", on_click=lambda: session.cancel(CONTROL, found.key), type="tertiary")
    else:
        st.button("Train the dense model as long", "train control", FAIR, on_click=runs.begin, args=(_train, found),
                  icon=":material/balance:", type="tertiary")  # fmt: skip
        if state.error and state.key == found.key:
            layout.draw_notice(state.error)


def _draw_progress(state: JobState, words: str) -> None:
    progress = state.progress
    share = progress.done / progress.total if progress and progress.total else 0.0
    layout.draw_share(share, f"{words}: {progress.done:,} of {progress.total:,}" if progress and progress.total else f"{words} …")


def _train(found: Recovery) -> None:
    subject, graph, how = session.subject(), session.graph(), replace(session.conditions(), latency=False)
    control = controls(Recipe(), found.plan)[0]

    def run() -> Iterator[Any]:
        yield from recover(subject, graph, control.recipe, control.plan, how)

    session.cancel(CONTROL, found.key)  # an error of before does not stand in the way
    session.resume(CONTROL)
    session.job(CONTROL, found.key, run)


# --------------------------------------------------------------------------- among the kept runs


def _draw_keep(found: Recovery) -> None:
    state = session.lane_state(KEEP)
    own = state.key == found.key
    if own and isinstance(state.value, str) and state.finished and not state.error:
        st.caption(f"Kept as run {state.value[:4]}. {WHERE}")
        return
    if own and state.busy:
        _draw_progress(state, "Measuring it for keeps")
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        with st.container(width=runs.POPOVER_WIDTH):
            st.text_input("Note", key="recovered note", placeholder="what you tried, and why", max_chars=200)
        st.button("Keep the result as a run", "keep recovery", WHERE, on_click=runs.begin, args=(_keep, found),
                  icon=":material/bookmark_add:")  # fmt: skip
    if own and state.error:
        layout.draw_notice(state.error)


def _keep(found: Recovery) -> None:
    subject, graph, how = session.subject(), session.graph(), session.conditions()
    note, origin, store = session.shown("recovered note", "") or "", runs.origin(), runs.store()
    session.cancel(KEEP, found.key)
    session.resume(KEEP)
    session.job(KEEP, found.key, lambda: keep(subject, graph, found, how, store, note=note, origin=origin))
