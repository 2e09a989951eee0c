"""The fader console wired to the session: what it shows, and what an edit does."""

from collections.abc import Hashable, Mapping
from typing import Any

import streamlit as st

from ...errors import RecipeError
from ...machine.cache import Cache
from ...values.report import Report
from .. import session
from ..live import regions
from . import latency_staircase, sensitivity_scan
from .console.cost import cost_table
from .console.element import draw_console, draw_facts, draw_findings
from .console.model import Bank, ConsoleData, Edit, apply_edit, apply_locks, read_edit
from .console.strips import banks

MOVED_SHOWN = 2  # parts named in the undo button
_costs = Cache(
    8, "cost tables"
)  # subject -> its cost table: no fader changes it, and each draws the console again


def draw() -> None:
    """Draw the console of the current recipe, and keep it up to date."""
    session.live()
    key = f"console {session.subject().id}"
    draw_facts(_data())
    regions.watched(
        "findings", lambda: draw_findings(_data()), sensitivity_scan.LANE, facet=sensitivity_scan.known
    )
    draw_console(_state, lambda: _edited(key), key=key, facet=_facet, then=session.write_url)


def _facet() -> Hashable:
    report = session.report()
    return session.stamp(), session.locks(), report and report.parts, tuple((_exact(report) or {}).items())


def shown_banks() -> tuple[Bank, ...]:
    """The banks of the current recipe, with what its cut achieved."""
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
    epoch, generation, acknowledged = session.stamp()
    subject = session.subject().id
    costs = _costs.get(subject) or _costs.put(subject, cost_table(session.profile()))
    return ConsoleData(epoch, generation, acknowledged, shown_banks(), costs, _exact(session.report()))


def _state() -> dict[str, Any]:
    return _data().state()


def _edited(key: str) -> None:
    """An edit draws the console, and the rest follows by itself; only a notice needs the whole page."""
    before = _ways()
    session.attempt(_take, key)
    session.live()
    regions.hurry()
    if session.notice():
        st.rerun()
    if _ways() != before:  # the hand may undo before it rests
        regions.draw_now("console", "undo")


def _ways() -> tuple[bool, bool]:
    """Whether there is a way back and a way forth."""
    line = session.history()
    return bool(line.past), bool(line.future)


def _exact(report: Report | None) -> dict[str, int] | None:
    if report is None or report.pruned.params is None or report.pruned.macs is None:
        return None
    nonzero = (
        report.pruned.nonzero_params if report.recipe.weights else None
    )  # zeros that the model came with are no news
    return {
        "params": report.pruned.params,
        "macs": report.pruned.macs,
        "nonzero_params": report.pruned.params if nonzero is None else nonzero,
    }


def _take(key: str) -> None:
    message = session.event(key, "edit")
    # acknowledged even if it is refused: the browser then shows again what is
    sequence = message.get("seq") if isinstance(message, Mapping) else None
    if not isinstance(sequence, int):
        raise RecipeError("The browser sent an edit without a number; reload the page.")
    if not session.acknowledge(sequence):
        return
    edit = latency_staircase.snapped(read_edit(shown_banks(), message))
    session.set_locks(apply_locks(session.locks(), edit))
    if edit.ratios:
        session.set_recipe(apply_edit(session.recipe(), edit), described(edit))


def described(edit: Edit) -> str:
    """What was moved, in a few words.

    >>> described(Edit(1, {"channels": {"conv1": 0.5}}, {}))
    'conv1 to 50 %'
    """
    moved = [f"{part} to {ratio * 100:g} %" for row in edit.ratios.values() for part, ratio in row.items()]
    return ", ".join(moved) if len(moved) <= MOVED_SHOWN else f"{len(moved)} parts"
