"""What a finished recovery still lacks: fair controls, trained as long, and a place among the kept runs."""

from collections.abc import Hashable
from dataclasses import replace

import streamlit as st

from ...background.jobs import JobState
from ...background.lane import LONG, Lane
from ...measuring.number_words import format_drop, format_measured
from ...recovery.controls import Control, controls
from ...recovery.recover import recover
from ...recovery.results import known_controls
from ...recovery.values import MeasuredArm, Recovery
from ...runs.keep_recovery import Remarks, keep
from ...values.progress import Step, Work
from .. import session
from ..drawing import layout
from ..kept_runs import keeping

KEEP, CONTROL = Lane("keep a recovery"), Lane("fair controls", LONG, lasting=True)
LANES = (KEEP, CONTROL)
FAIR = (
    "Trains the dense model, a randomly pruned one and one with new weights as long as this one: without "
    "them, a gain might come from more training, from the ratios or from the architecture alone."
)
WHERE = "It is on the **Compare** page, below the run of its recipe."


def draw(recovery: Recovery | None) -> None:
    """Draw the controls and the button, once the recovery is finished."""
    if recovery is None or not recovery.finished:
        return
    if recovery.plan.trained_epochs:
        _draw_controls(recovery)
    _draw_keep(recovery)


def facet(found: Recovery | None) -> Hashable:
    """Return what `draw` shows."""
    return found and (found.key, found.finished), tuple(session.versions(LANES).values())


# --------------------------------------------------------------------------- fair controls


def fair(found: Recovery) -> list[tuple[str, MeasuredArm]]:
    """Return the controls that were trained, by name; one arm per seed."""
    if not found.finished:
        return []
    known = known_controls(session.subject(), found, session.conditions())
    return [(_named(control, arm), arm) for control, other in known if other for arm in other.recovered]


def _named(control: Control, arm: MeasuredArm) -> str:
    """Return the name with its seed, once."""
    seed = arm.name.rpartition(", ")[2]
    return control.name if control.name.endswith(seed) else f"{control.name}, {seed}"


def sentence(name: str, arm: MeasuredArm, found: Recovery) -> str:
    """Return the change of an arm in words, with its range."""
    measured = arm.measurement
    counted = format_measured(measured, found.total_samples)
    loss = "" if measured.loss is None else f"; loss {measured.loss:.3f}"
    return f"{name}: {counted}; {format_drop(arm.drop)}{loss}."


def _draw_controls(recovery: Recovery) -> None:
    missing = [
        c for c, other in known_controls(session.subject(), recovery, session.conditions()) if other is None
    ]
    state = session.lane_state(CONTROL)
    if state.busy and state.key == recovery.key:
        _draw_progress(state, state.progress.label if state.progress else "Training the controls")
        st.button(
            "Stop", "stop control", on_click=lambda: session.cancel(CONTROL, recovery.key), type="tertiary"
        )
        return
    if not missing:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            "Train the fair controls",
            "train control",
            FAIR,
            on_click=keeping.begin,
            args=(_train, recovery),
            icon=":material/balance:",
        )
        epochs = sum(len(c.plan.seeds) * c.plan.trained_epochs for c in missing)
        st.caption(layout.plain(f"{', '.join(c.name for c in missing)}: {epochs:,} epochs in all."))
    if state.error and state.key == recovery.key:
        layout.draw_notice(state.error)


def _draw_progress(state: JobState, words: str) -> None:
    progress = state.progress
    share = progress.done / progress.total if progress and progress.total else 0.0
    layout.draw_share(
        share,
        f"{words}: {progress.done:,} of {progress.total:,}" if progress and progress.total else f"{words} …",
    )


def _train(recovery: Recovery) -> None:
    """Train one control after another; known ones are returned at once."""
    model, how = session.model(), replace(session.conditions(), latency=False)

    def run() -> Work[Recovery]:
        for control in controls(recovery.recipe, recovery.plan):
            for step in recover(model, control.recipe, control.plan, how):
                now = step.progress
                words = f"{control.name}: {now.label.lower()}" if now else ""
                yield Step(step.value, replace(now, label=words) if now else None)

    session.cancel(CONTROL, recovery.key)  # an earlier error does not prevent it
    session.resume(CONTROL)
    session.job(CONTROL, recovery.key, run)


# --------------------------------------------------------------------------- among the kept runs


def _draw_keep(recovery: Recovery) -> None:
    state = session.lane_state(KEEP)
    own = state.key == recovery.key
    if own and isinstance(state.value, str) and state.finished and not state.error:
        st.caption(f"Kept as run {state.value[:4]}. {WHERE}")
        return
    if own and state.busy:
        _draw_progress(state, "Measuring it to keep it")
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        with st.container(width=keeping.POPOVER_WIDTH):
            st.text_input("Note", key="recovered note", placeholder="what you tried, and why", max_chars=200)
        st.button(
            "Keep the result as a run",
            "keep recovery",
            WHERE,
            on_click=keeping.begin,
            args=(_keep, recovery),
            icon=":material/bookmark_add:",
        )
    if own and state.error:
        layout.draw_notice(state.error)


def _keep(recovery: Recovery) -> None:
    model, how = session.model(), session.conditions()
    remarks, store = Remarks(session.shown("recovered note", "") or "", keeping.origin()), keeping.store()
    session.cancel(KEEP, recovery.key)
    session.resume(KEEP)
    session.job(KEEP, recovery.key, lambda: keep(model, recovery, how, store, remarks=remarks))
