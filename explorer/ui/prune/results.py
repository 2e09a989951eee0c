"""What was measured for the current recipe: cards, progress, requested and achieved."""

from collections.abc import Hashable
from typing import Any

import streamlit as st

from ...errors import is_crash
from ...values.progress import Progress
from ...values.report import Report
from ...values.subject import Subject
from .. import session
from ..browser import elements
from ..drawing.measurement_cards import TRAPS, cards
from ..live import regions
from ..live.pushed import LiveValue, pushed

FINAL = "Final: measured on the model that export would write."

STOP, GO_ON = "Stop", "Go on"  # the words of the button, which it also sends
STATUS_PAUSE_S = 0.4

EMPTY_TEXT = (
    "This is the dense model. **Drag a fader up** to remove part of a layer and watch the numbers above "
    "change, or start from a **preset**. Nothing is ever changed in the model itself."
)


def draw_metrics() -> None:
    """Draw the cards, and the progress of the measurement."""
    session.live()
    elements.put("traps", TRAPS)
    with st.container(key="metrics"):
        pushed("cards", LiveValue("cards", _cards, _news, (session.LIVE_LANE,)))
        status = LiveValue("status", _status, _progress, (session.LIVE_LANE,), pause=STATUS_PAUSE_S)
        pushed("status", status, on_act_change=_act)


def _news() -> Hashable:
    return session.stamp(), session.live_key(), session.lane_state(session.LIVE_LANE).version


def _progress() -> Hashable:
    state = session.lane_state(session.LIVE_LANE)
    return (
        *session.stamp(),
        session.live_key(),
        state,
        session.is_cancelled(session.LIVE_LANE, session.live_key()),
    )


def draw_welcome() -> None:
    """Draw what to do first, while nothing is removed."""
    regions.watched("welcome", _welcome, facet=lambda: session.recipe().is_empty)


def _welcome() -> None:
    if session.recipe().is_empty:
        st.info(EMPTY_TEXT, icon=":material/swipe_up:")


def _cards() -> dict[str, Any]:
    """Return what the cards show: the numbers of the recipe, or those of the one before until the first are
    there.
    """
    state, taken = session.live(), session.stamp()[2]
    if state.value is None:
        return {
            "taken": taken,
            "words": "Measuring the first samples …" if state.busy else "Not measured yet.",
        }
    shown = {
        card.label: {key: value for key, value in vars(card).items() if key != "trap"}
        for card in cards(state.value)
    }
    return {"taken": taken, "older": state.key != session.live_key(), "order": list(shown), **shown}


def _status() -> dict[str, Any]:
    """Return the progress of the measurement: kind, text, the share that is done, and what a button does."""
    return {"taken": session.stamp()[2], **_standing()}


def _standing() -> dict[str, Any]:
    state, key = session.live(), session.live_key()
    report: Report | None = state.value if state.key == key else None
    if session.is_cancelled(session.LIVE_LANE, key):
        told = (
            f"Stopped after {report.pruned.samples:,} of {report.total_samples:,} samples."
            if report
            else "Stopped."
        )
        return {"kind": "note", "words": told, "action": GO_ON}
    if state.error and state.key == key:
        return {"kind": "crash" if is_crash(state.error) else "refused", "words": state.error}
    if state.busy:
        share, words = _share(report, state.progress)
        return {"kind": "busy", "words": words, "share": round(share, 3), "action": STOP}
    told = "" if report is None else " ".join([FINAL, *near_chance(report, session.subject()), *report.notes])
    return {"kind": "note", "words": told}


def _act() -> None:
    """Handle the button next to the progress."""
    if session.event("status", "act") == STOP:
        session.cancel(session.LIVE_LANE, session.live_key())
        return
    session.resume(session.LIVE_LANE)
    regions.hurry()


def _share(report: Report | None, progress: Progress | None) -> tuple[float, str]:
    if report is None and progress is not None and progress.total:
        return (
            progress.done / progress.total,
            f"{progress.label or 'Rating'}: {progress.done:,} of {progress.total:,}",
        )
    if report is None or not report.total_samples:
        return 0.0, "Pruning, then measuring the first samples …"
    if report.stage == "final":
        return 1.0, "Accuracy is final; measuring the latency …"
    return (
        report.pruned.samples / report.total_samples,
        f"Live: {report.pruned.samples:,} of {report.total_samples:,} samples",
    )


def near_chance(report: Report, subject: Subject) -> list[str]:
    """Return a reassuring sentence if a model is hardly better than guessing."""
    classes = len(subject.task.class_names) if subject.task else 0
    if (
        report.pruned.accuracy is None
        or not classes
        or report.subject["task"] is None
        or report.pruned.accuracy > 2 / classes
    ):
        return []
    return [
        f"Near chance ({100 / classes:.0f} %) is normal right after a hard cut; a repair or fine-tuning "
        "often helps."
    ]


def draw_parts() -> None:
    """Draw requested against achieved ratios, one row for each part that was cut."""
    elements.draw("parts", {}, key="parts")
