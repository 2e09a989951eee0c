"""Connects the fader console to the session: what it shows, and what an edit does."""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import streamlit as st

from ...graph.product_sizes import product_sizes
from ...machine.cache import Cache
from ...values.report import Report
from .. import session
from ..live import regions
from ..live.pushed import LiveValue, pushed
from ..live.ticker import ADDRESS
from . import latency_staircase, sensitivity_scan
from .console.cost import cost_table
from .console.element import draw_facts, draw_findings
from .console.model import Bank, ConsoleData, Edit, apply_edit, apply_locks, read_edit
from .console.strips import banks

MOVED_SHOWN = 2  # parts named in the undo button
FEW = 6  # faders, beside which the curve gets more of the width
_costs = Cache(
    8, "cost tables"
)  # subject -> its cost table: no fader changes it, and each move draws the console again


def shares() -> tuple[int, int]:
    """Return how the width is shared between the faders and the curve beside them."""
    return (8, 7) if _has_few() else (3, 2)


def _has_few() -> bool:
    profile = session.profile()
    return max(len(profile.groups), len(profile.prunable_layers)) <= FEW


def draw() -> None:
    """Draw the console of the current recipe, and keep it up to date."""
    session.live()
    subject = session.subject().id
    key = _key(subject)
    take = partial(_take, subject)
    draw_facts(_data())
    regions.watched(
        "findings", lambda: draw_findings(_data()), sensitivity_scan.LANE, facet=sensitivity_scan.known
    )
    value = LiveValue("console", _state, _facet, (session.LIVE_LANE,), key=key, take=take)
    with st.container(key="few faders" if _has_few() else "many faders"):  # whose height is kept for them
        pushed("console", value, on_edit_change=partial(_edited, take, key))


def _key(subject: str) -> str:
    return f"console {subject}"


def _facet() -> Hashable:
    report = session.report()
    return session.stamp(), session.locks(), report and report.parts, tuple((_exact(report) or {}).items())


def shown_banks() -> tuple[Bank, ...]:
    """Return the banks of the current recipe, with what its cut achieved."""
    report = session.report()
    return banks(
        session.profile(),
        session.recipe(),
        session.mode(),
        outcomes=report.parts if report else (),
        locks=session.locks(),
        sensitivity=sensitivity_scan.sensitivity(),
    )


def _data() -> ConsoleData:
    secret, _, taken = session.stamp()
    subject = session.subject().id
    costs = _costs.get(subject) or _costs.put(
        subject, cost_table(session.profile(), product_sizes(session.graph()))
    )
    recipe = session.recipe()
    return ConsoleData(
        secret,
        taken,
        shown_banks(),
        costs,
        _exact(session.report()),
        sensitivity_scan.dense_quality(),
        recipe.after != sensitivity_scan.repair_of_scans(),
        replace(recipe, channels={}, weights={}).fingerprint[:8],
    )


def _state() -> dict[str, Any]:
    return _data().state()


def _edited(take: Callable[[Any], bool], key: str) -> None:
    """Draw what an edit changes at once, since the user may undo before the hand rests.

    If a question for news brought the edit, the console already knows it.
    """
    console = ["console"] if take(session.event(key, "edit")) else []
    regions.draw_stale(*console, "undo", "notice", ADDRESS)


def _exact(report: Report | None) -> dict[str, float] | None:
    if report is None or report.pruned.params is None or report.pruned.macs is None:
        return None
    nonzero = (
        report.pruned.nonzero_params if report.recipe.weights else None
    )  # zeros that the model had from the start are not worth a note
    exact: dict[str, float] = {
        "params": report.pruned.params,
        "macs": report.pruned.macs,
        "nonzero_params": report.pruned.params if nonzero is None else nonzero,
    }
    value = report.pruned.value
    return exact if value is None else {**exact, "quality": round(value, 5)}


def _take(subject: str, message: Any) -> bool:
    """Take an edit of a model's console, whichever way it came first: a question for news, or Streamlit.

    Returns: whether it came for the first time.
    """
    sequence = message.get("seq") if isinstance(message, Mapping) else None
    if not isinstance(sequence, int) or sequence <= session.stamp()[2]:
        return False
    before = session.recipe()
    session.attempt(_apply, subject, sequence, message)
    if session.recipe() != before and _key(subject) not in regions.watch().followed:
        regions.watch().is_outdated = True  # another page is open by now, and was drawn for the recipe before
    session.live()
    regions.hurry()
    return True


def _apply(subject: str, sequence: int, message: Mapping[str, Any]) -> None:
    """Apply an edit. Its number is recorded even if it is refused, or if another model is shown by now: the
    browser then shows the real state again.
    """
    known = session.stamp()[2]
    if not session.acknowledge(sequence) or session.subject().id != subject:
        return
    whole = read_edit(shown_banks(), message)
    session.set_locks(apply_locks(session.locks(), whole))
    for step in whole.steps:
        if step.sequence > known and step.ratios:
            moved = latency_staircase.snapped(step)
            session.set_recipe(apply_edit(session.recipe(), moved), described(moved))
    edit = latency_staircase.snapped(whole)
    if edit.ratios:
        session.set_recipe(apply_edit(session.recipe(), edit), described(edit))


def described(edit: Edit) -> str:
    """Return what was moved, in a few words.

    >>> described(Edit(1, {"channel": {"conv1": 0.5}}, {}))
    'conv1 to 50 %'
    """
    moved = [f"{part} to {ratio * 100:g} %" for row in edit.ratios.values() for part, ratio in row.items()]
    return ", ".join(moved) if len(moved) <= MOVED_SHOWN else f"{len(moved)} parts"
