"""The sensitivity scan of the shown banks: started on request; its findings colour the faders and feed
allocators. It is one of cuts alone, or of repaired ones.
"""

from collections.abc import Hashable
from dataclasses import replace
from typing import Any

import streamlit as st

from ...allocators.context import Losses
from ...background.jobs import JobState
from ...background.lane import Lane
from ...errors import ExplorerError
from ...measuring.metric_words import metric_heading
from ...studies.sensitivity.scan_at_hand import at_hand
from ...studies.sensitivity.values import Scan, ScanPlan
from ...values.granularity import GRADED, PLURALS, Graded
from .. import session
from ..drawing import layout
from ..live import regions
from ..live.asked_job import AskedJob
from ..session.modes import MODES
from ..shared import settings
from .console.strips import Sensitivity

LANE = Lane("scan")
FOUND, LOOKED = "scans found", "scans looked for on disk"
KEPT = 8  # scans, the last ones
HELP = (
    "Prunes each part alone, at nine ratios, and measures the model: dark orange tracks are sensitive, "
    "pale ones are not. Costs of single parts don't add up; the measured number above is what counts."
)
AFTER_KEY = "sensitivity after repair"
AFTER_HELP = (
    "Colours the faders by what each part costs once its cut is repaired by least squares, without training. "
    "Such a scan takes longer."
)


def _plan(bank: Graded) -> ScanPlan:
    """Return the plan of a scan, which depends on how units are ranked, but on no fader."""
    return ScanPlan(bank, recipe=replace(session.recipe(), after=repair_of_scans()))


def repair_of_scans() -> str:
    """Return the repair after each cut of the scans that are shown."""
    return "least_squares" if _can_repair() and session.shown(AFTER_KEY, False) else "none"


def _can_repair() -> bool:
    task, model = session.subject().task, session.model()
    return task is not None and task.has("training") and model.graph.program is not None


def _key(bank: Graded) -> Hashable:
    return (session.task_key(), _plan(bank), session.conditions())


def _job(bank: Graded) -> AskedJob:
    return AskedJob(LANE, _key(bank))


def _found(bank: Graded) -> Scan | None:
    """Return what is known about a bank: from this session's scan, left on disk by an earlier one, or shipped
    with the sample model.
    """
    key, looked = _key(bank), session.recalled(LOOKED, frozenset())
    if key not in looked:
        session.remember(LOOKED, looked | {key})
        left = _on_disk(bank)
        if left is not None:
            _keep(key, left)
    return session.recalled(FOUND, {}).get(key)


def _on_disk(bank: Graded) -> Scan | None:
    if session.subject().task is None:
        return None
    try:
        return at_hand(session.model(), _plan(bank), session.conditions())
    except ExplorerError:  # nothing of this kind can be scanned here, which is shown when it is requested
        return None


def _keep(key: Hashable, found: Scan) -> None:
    others = {other: value for other, value in session.recalled(FOUND, {}).items() if other != key}
    session.remember(FOUND, dict([*others.items(), (key, found)][-KEPT:]))


def known_scans() -> list[Scan]:
    """Return scans of channels and of single weights, as far as they are known."""
    return [known for bank in GRADED if (known := _found(bank)) is not None]


def sensitivity() -> dict[Graded, Sensitivity]:
    """Return bank -> part -> (ratio, drop) pairs, as far as they are known."""
    return {bank: known.drops() for bank in GRADED if (known := _found(bank)) is not None}


def dense_quality() -> dict[str, Any] | None:
    """Return the dense model's quality in the scans, and what guessing reaches, for predictions while a fader
    is dragged; None without a scan. It predicts nothing if blocks are removed, of which a scan knows nothing.
    """
    known = next(iter(known_scans()), None)
    task, measured = session.subject().task, known.baseline if known else None
    if known is None or measured is None or measured.value is None or not known.points:
        return None
    guessing = (
        1 / len(task.class_names) if task and task.class_names and measured.metric == "accuracy" else 0.0
    )
    better = known.points[0].drop.better
    return {
        "label": metric_heading(measured.metric),
        "unit": measured.unit or "",
        "dense": measured.value,
        "floor": guessing,
        "isShare": measured.unit == "%" and better == "higher",
        "better": better,
        "predicts": not session.recipe().blocks,
    }


def losses() -> dict[Graded, Losses]:
    """Return bank -> part -> (ratio, growth of the loss) pairs of finished scans."""
    return {bank: known.losses() for bank in GRADED if (known := _found(bank)) is not None and known.finished}


def _run(bank: Graded) -> JobState:
    model, plan, how = session.model(), _plan(bank), session.conditions()
    state = _job(bank).state(lambda: settings.current().studies.scan(model, plan, how))
    if state.key == _key(bank) and state.value is not None:
        _keep(state.key, state.value)
    return state


def known() -> Hashable:
    """Return what colours the faders, which changes whenever a scan has found more."""
    return tuple(
        (bank, len(found.points), found.finished, found.plan.is_repaired)
        for bank in GRADED
        if (found := _found(bank)) is not None
    )


def draw() -> None:
    """Draw a button for each shown bank that wasn't scanned, and the progress of a running scan."""
    if session.subject().task is None:
        return
    asked = _asked()
    if asked is not None:
        _run(asked)
    regions.watched("scanning", _draw, LANE, facet=_facet, progress=True)


def _facet() -> Hashable:
    return _asked(), session.lane_state(LANE).busy, session.shown(AFTER_KEY, False)


def _asked() -> Graded | None:
    return next((bank for bank in MODES[session.mode()] if _job(bank).asked), None)


def _draw() -> None:
    asked = _asked()
    with st.container(horizontal=True, vertical_alignment="center"):
        if asked is not None:
            _draw_running(asked)
        for bank in MODES[session.mode()]:
            found = _found(bank)
            if bank != asked and not (found and found.finished):
                words = f"Measure the sensitivity of {PLURALS[bank]}"
                st.button(
                    words, f"scan {PLURALS[bank]}", HELP, _job(bank).start, icon=":material/network_check:"
                )
        if _can_repair():
            st.toggle("Sensitivity after repair", False, AFTER_KEY, AFTER_HELP, _redrawn)


def _redrawn() -> None:
    """Draw again what the scan colours."""
    regions.hurry()
    regions.refresh()


def _draw_running(bank: Graded) -> None:
    state = _run(bank)
    if state.error:
        layout.draw_notice(state.error)
    elif state.busy:
        left = f", about {state.seconds_left:.0f} s left" if state.seconds_left else ""
        share = state.progress.done / state.progress.total if state.progress and state.progress.total else 0.0
        layout.draw_share(share, f"Scanning {PLURALS[bank]}, each part alone{left}")
        st.button("Stop", "stop scan", on_click=_job(bank).stop, type="tertiary")
