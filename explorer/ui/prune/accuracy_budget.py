"""The smallest model within an accuracy budget, found by measuring."""

from collections.abc import Callable, Hashable
from typing import Any

import streamlit as st

from ...background.lane import Lane
from ...measuring.allowance import allowance_unit
from ...measuring.metric_words import metric_title
from ...measuring.number_words import format_drop, format_measured
from ...planning.accuracy_budget import LOOKS, Budget, accuracy_budget
from ...planning.allocation import Allocation
from ...registry import ALLOCATORS
from ...values.choice import Choice
from ...values.granularity import PLURALS, Graded
from ...values.progress import Work
from .. import session
from ..drawing import layout, widgets
from ..drawing.offers import Offer
from ..live import regions
from ..live.asked_job import AskedJob, asked_news
from ..session.modes import MODES
from . import joint_plan, sensitivity_scan

LANE = Lane("budget")
POINTS, BANK = "budget_points", "budget_bank"
ALLOCATOR = Offer("allocator", ALLOCATORS.keys())
HELP = (
    f"Measures up to {LOOKS} models, each time halving the range between too much and too little. A model "
    "counts as within the "
    "budget only if even the upper end of its interval is; so few samples remove less, never too much."
)


def _bank() -> Graded:
    """Return what is pruned: the shown bank, or in combined mode the chosen one."""
    return _banks().now()


def _banks() -> Offer:
    return Offer(BANK, {bank: PLURALS[bank] for bank in MODES[session.mode()]})


def _allocator() -> str:
    """Return the allocator that is chosen for an overall target."""
    return ALLOCATOR.now()


def _params() -> dict[str, Any]:
    return widgets.filled_in(ALLOCATORS[_allocator()], key=_allocator())


def _locked() -> frozenset[str]:
    return frozenset(part for bank, part in session.locks() if bank == _bank())


def _allowed() -> float:
    return session.shown(POINTS, 5.0) / 100


def _key() -> Hashable:
    """Return what the answer depends on: all of the recipe but the ratios that are searched for, unless they
    are locked.
    """
    if joint_plan.is_chosen():
        return joint_plan.settings_key(), _allowed()
    bank, recipe = _bank(), session.recipe()
    kept = {part: ratio for part, ratio in recipe.ratios(bank).items() if part in _locked()}
    others = recipe.with_ratios(bank, kept).fingerprint
    losses = sensitivity_scan.known() if ALLOCATORS[_allocator()].traits["needs_scan"] else None
    return (
        session.task_key(),
        others,
        bank,
        _allocator(),
        tuple(_params().items()),
        _allowed(),
        _locked(),
        losses,
        session.conditions(),
    )


def draw() -> None:
    """Draw below the choice of an allocator or a plan: the allowed drop, the button, and what was found."""
    joint = joint_plan.is_chosen()
    if session.subject().task is None or (joint and joint_plan.unusable()):
        return
    scale = session.scale()
    st.number_input(
        f"Or: how much worse may the {metric_title(scale.metric)} get? ({allowance_unit(scale)})",
        0.1,
        50.0,
        key=session.start_from(POINTS, 5.0),
        step=0.5,
        format="%.6g",
        help=HELP,
    )
    if len(MODES[session.mode()]) > 1 and not joint:
        _banks().select("What is removed")
    regions.watched("budget", _draw, LANE, facet=lambda: (_key(), asked_news(LANE)), progress=True)


def _job() -> AskedJob:
    return AskedJob(LANE, _key())


def _search() -> Callable[[], Work[Budget]]:
    model, recipe, conditions, allowed = session.model(), session.recipe(), session.conditions(), _allowed()
    if joint_plan.is_chosen():
        wished = joint_plan.wished()

        def planned() -> Work[Budget]:
            wish = yield from wished()
            yield from accuracy_budget(model, recipe, allowed, wish, conditions=conditions)

        return planned
    losses, chosen = sensitivity_scan.losses().get(_bank()), Choice(_allocator(), _params())
    wish = Allocation(chosen, granularity=_bank(), locked=_locked(), losses=losses)
    return lambda: accuracy_budget(model, recipe, allowed, wish, conditions=conditions)


def _draw() -> None:
    job = _job()
    state, budget = job.state(_search()), job.value(Budget)
    if job.asked and state.error and state.key == job.key:
        layout.draw_notice(state.error)
    if job.asked and state.busy:
        done = len(budget.tried) if budget else 0
        label = state.progress.label if state.progress and state.key == job.key else "Waiting for its turn"
        layout.draw_share(done / LOOKS, f"{label}: look {done + 1} of {LOOKS}")
        st.button("Stop", "stop budget", on_click=lambda: _job().stop(), type="tertiary")
    elif budget is None or not state.finished:
        st.button(
            "Find the smallest model", "start budget", HELP, lambda: _job().start(), icon=":material/search:"
        )
    if budget is not None:
        _draw_found(budget)


def _draw_found(budget: Budget) -> None:
    """Draw what was measured and how sure it is, and the button that applies it."""
    st.markdown(layout.plain(budget.summary))
    report = budget.report
    if report is None or report.drop is None:
        return
    measured = report.pruned
    accuracy = format_measured(measured, report.total_samples)
    left = f"{(measured.nonzero_params or 0) / (report.baseline.params or 1):.0%}".replace("%", " %")
    change = format_drop(report.drop)
    st.caption(
        layout.plain(f"Measured: {accuracy}; {change}. {left} of the parameters are left and non-zero.")
    )
    st.button(
        "Apply to the faders",
        "take budget",
        "You can undo this.",
        _take,
        (budget,),
        icon=":material/equalizer:",
    )


def _take(found: Budget) -> None:
    if found.report is not None and found.best is not None:
        session.attempt(session.set_recipe, found.report.recipe, found.words)
        regions.hurry()
        st.rerun()
