"""What was measured for the current recipe: cards, progress, requested and achieved."""

from collections.abc import Hashable
from typing import Any

import streamlit as st

from ...engine.repaired import repairs_quickly
from ...errors import is_crash
from ...figures.accuracy_curve import AXES
from ...machine import paths
from ...measuring.metric_words import metric_heading
from ...values.progress import Progress
from ...values.report import Report
from ...values.subject import Subject
from .. import session
from ..browser import elements
from ..drawing.measurement_cards import TRAPS, cards
from ..drawing.words import place_words
from ..live import regions
from ..live.pushed import LiveValue, pushed
from ..shared import settings
from . import starting_points

FINAL = "Final: measured on the model that Take away would write."

STOP, GO_ON = "Stop", "Go on"  # the words of the button, which it also sends
STATUS_PAUSE_S = 0.4

WIN_BACK, TRAIN = "Win it back", "Train it back on Recover"
BAD_MARGINS = 2  # a loss of so many times what is of no interest is offered help
GO_TO = "go to"  # the page that an action asked for; a callback can't go there itself


def draw_metrics() -> None:
    """Draw the cards, and the progress of the measurement."""
    page = session.recalled(GO_TO)
    if page:
        session.remember(GO_TO, None)
        st.switch_page(paths.pages().resolve() / page)
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


def _cards() -> dict[str, Any]:
    """Return what the cards show: the numbers of the recipe, or those of the one before until the first are
    there; none of another model.
    """
    state, taken = session.live(), session.stamp()[2]
    if state.value is None or state.value.subject["id"] != session.subject().id:
        return {
            "taken": taken,
            "heading": metric_heading(session.scale().metric),
            "words": "Measuring the first samples …" if state.busy else "Not measured yet.",
        }
    shown = {
        card.label: {key: value for key, value in vars(card).items() if key != "trap"}
        for card in cards(state.value)
    }
    older = state.key != session.live_key()
    return {"taken": taken, "older": older, "order": list(shown), "point": own_point(state.value), **shown}


def own_point(report: Report) -> dict[str, Any]:
    """Return what was measured as plain numbers, for marks that follow the hand: the value, and how much is
    left of the dense model by each of the curve's axes.
    """
    dense, now = report.baseline, report.pruned
    amounts = {axis: (amount(now), amount(dense)) for axis, (_, _, amount) in AXES.items()}
    left = {
        axis: round(after / all_, 5) for axis, (after, all_) in amounts.items() if all_ and after is not None
    }
    sizes = dense.size_bytes or {}
    return {
        "subject": report.subject["id"],
        "recipe": report.recipe.fingerprint,
        "value": now.value,
        "low": now.low,
        "high": now.high,
        "unit": now.unit or "",
        "left": left,
        "bytes": sizes.get("dense"),
    }


def _status() -> dict[str, Any]:
    """Return the progress of the measurement: kind, text, the share that is done, and what a button does."""
    return {"taken": session.stamp()[2], **_standing()}


def _standing() -> dict[str, Any]:
    state, key = session.live(), session.live_key()
    report: Report | None = state.value if state.key == key else None
    if session.is_cancelled(session.LIVE_LANE, key):
        sentence = (
            f"Stopped after {report.pruned.samples:,} of {report.total_samples:,} samples."
            if report
            else "Stopped."
        )
        return {"kind": "note", "words": sentence, "action": GO_ON}
    if state.error and state.key == key:
        return {"kind": "crash" if is_crash(state.error) else "refused", "words": state.error}
    if state.busy:
        share, words = _share(report, state.progress)
        if report is None and state.ahead:
            words = place_words(state.ahead)
        return {"kind": "busy", "words": words, "share": round(share, 3), "action": STOP}
    sentence = (
        "" if report is None else " ".join([FINAL, *near_chance(report, session.subject()), *report.notes])
    )
    help_offered = rescue(report, session.subject()) if report else None
    button = {"action": help_offered, "primary": True} if help_offered else {}
    return {"kind": "note", "words": sentence, **button}


def rescue(report: Report, subject: Subject) -> str | None:
    """Return what wins back the quality of a cut that lost much: a repair in place, and then training."""
    recipe, task = report.recipe, subject.task
    drop = report.drop
    if report.stage != "final" or drop is None or recipe.is_empty or not drop.worse:
        return None
    if abs(drop.estimate) < BAD_MARGINS * drop.margin:
        return None
    if task is None or not task.has("training"):
        return None
    if recipe.after == "none":
        return WIN_BACK
    return None if "recover" in settings.current().hidden_pages else TRAIN


def _act() -> None:
    """Handle the button next to the words."""
    asked = session.event("status", "act")
    if asked == STOP:
        session.cancel(session.LIVE_LANE, session.live_key())
        return
    if asked == TRAIN:
        session.remember(GO_TO, "recover.py")
        st.rerun()
    if asked == WIN_BACK:
        session.attempt(starting_points.repair)
        regions.hurry()
        st.rerun()  # the options show the repair too
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
        return 1.0, f"The quality is final; {_what_follows(report)} …"
    return (
        report.pruned.samples / report.total_samples,
        f"Live: {report.pruned.samples:,} of {report.total_samples:,} samples",
    )


def _what_follows(report: Report) -> str:
    """Return what is measured after the quality, in the order of `engine.measure.stream`."""
    if report.pruned.latency_ms is not None:
        return "comparing the loss with the predicted one"
    quick = repairs_quickly(session.model(), report.recipe, session.conditions().device)
    return "measuring a repaired copy" if quick and report.repaired is None else "measuring the latency"


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
