"""Ratios chosen by measured latency: a job that times what the allocator asks about, drawn below its
target.
"""

from collections.abc import Callable, Hashable
from typing import Any

import streamlit as st

from ...background.lane import Lane
from ...planning.allocation import Allocation
from ...planning.allocation_context import NO_FASTER
from ...planning.latency_plan import allocated
from ...values.choice import Choice
from ...values.granularity import CHANNEL, Graded
from ...values.progress import Work, as_work
from ...values.recipe import Recipe
from .. import session
from ..drawing import layout
from ..live import regions
from ..live.asked_job import AskedJob, asked_news
from ..session.modes import MODES
from . import sensitivity_scan

LANE = Lane("latency plan")
BANK: Graded = CHANNEL  # zeros make nothing faster
HELP = (
    "Times the model with each part pruned alone, then with all together, in turns with the dense one, "
    "until the target is met. What was timed is kept, so another target takes less time."
)
FOUND = "Plan found. Its latency is measured again once you apply it to the faders."


def is_wanted(params: dict[str, Any]) -> bool:
    """Whether these parameters of an allocator need latencies."""
    return params.get("saves") == "latency"


def draw(allocator: str, params: dict[str, Any], target: float) -> None:
    """Draw the button in place of Apply, its progress, and the button that applies the result."""
    if BANK not in MODES[session.mode()]:
        st.caption(NO_FASTER)
        return
    key = _key(allocator, params, target)
    regions.watched(
        "clocked",
        lambda: _draw(allocator, params, target),
        LANE,
        facet=lambda: (key, asked_news(LANE)),
        progress=True,
    )


def _key(allocator: str, params: dict[str, Any], target: float) -> Hashable:
    """Return what the plan depends on: all of the recipe but the ratios that are chosen, unless they are
    locked.
    """
    recipe = session.recipe()
    kept = {part: ratio for part, ratio in recipe.ratios(BANK).items() if part in _locked()}
    return (
        session.subject().id,
        recipe.with_ratios(BANK, kept).fingerprint,
        allocator,
        tuple(params.items()),
        target,
        _locked(),
        sensitivity_scan.known(),
        session.conditions(),
    )


def _locked() -> frozenset[str]:
    return frozenset(part for bank, part in session.locks() if bank == BANK)


def _plan(allocator: str, params: dict[str, Any], target: float) -> Callable[[], Work[Recipe]]:
    model, recipe, locked, device = session.model(), session.recipe(), _locked(), session.conditions().device
    losses = sensitivity_scan.losses().get(BANK)
    wish = Allocation(Choice(allocator, params), target, BANK, locked, losses)
    return lambda: as_work(allocated(model, recipe, wish, device))


def _draw(allocator: str, params: dict[str, Any], target: float) -> None:
    job = AskedJob(LANE, _key(allocator, params, target))
    state = job.state(_plan(allocator, params, target))
    own = job.asked and state.key == job.key
    if own and state.error:
        layout.draw_notice(state.error)
    if own and state.busy:
        layout.draw_count(state.progress, "of about")
        st.button("Stop", "stop clock", on_click=job.stop, type="tertiary")
    elif own and isinstance(state.value, Recipe):
        st.caption(FOUND)
        st.button(
            "Apply to the faders",
            "take clocked",
            "You can undo this.",
            _take,
            (state.value, allocator, target),
            icon=":material/equalizer:",
            type="primary",
        )
    else:
        st.button("Measure and plan", "start clock", HELP, job.start, icon=":material/timer:", type="primary")


def _take(found: Recipe, allocator: str, target: float) -> None:
    session.attempt(session.set_recipe, found, f"{allocator}, latency, at {100 * target:g} %")
    regions.hurry()
    st.rerun()
