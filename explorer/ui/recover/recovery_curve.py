"""One-shot, recalibrated and recovered models over strengths: cost, button, and the growing figure."""

from collections.abc import Hashable
from dataclasses import replace
from typing import Any

import streamlit as st

from ...background.lane import LONG, Lane
from ...figures.accuracy_curve import Axis
from ...figures.recovery_curve import recovery_curve as drawn_curve
from ...measuring.metric_words import metric_heading
from ...recovery.recovery_curve import STEPS, RecoveryCurve, curve_cost, recovery_curve
from ...recovery.training_plan import RecoveryPlan
from .. import session
from ..drawing import layout
from ..drawing.offers import Offer
from ..kept_runs import keeping
from ..live.figure import in_place
from ..live.pushed import LiveValue, pushed
from ..live.regions import watched
from .recovery_plan import duration

LANE = Lane("recovery curve", LONG, lasting=True)
AGAINST = "recovery curve axis"
COUNT = Offer("recovery curve points", STEPS.keys(), 3)
AXES: dict[Axis, str] = {"nonzero_params": "non-zero", "params": "parameters", "macs": "MACs"}
TOLD = (
    "The same plan at several strengths of this recipe (every ratio times the strength): where does "
    "the model break, and how far does training move that?"
)


def _points() -> int:
    return COUNT.now()


def _axes() -> Offer:
    return Offer(AGAINST, AXES, _usual())


def _key(plan: RecoveryPlan) -> Hashable:
    return (
        session.task_key(),
        session.recipe().fingerprint,
        plan.fingerprint,
        session.conditions(),
        _points(),
    )


def draw(plan: RecoveryPlan) -> None:
    """Draw the whole section."""
    st.header(f"{metric_heading(session.scale().metric)} at several strengths", anchor=False)
    st.caption(TOLD)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        COUNT.switch("Points")
        _axes().switch("Against")
    watched("recovery curve status", lambda: _status(plan), LANE, progress=True)
    pushed("recovery curve", LiveValue("figure", _figure, _facet, (LANE,)))


def _usual() -> Axis:
    return "params" if session.recipe().is_structured else "nonzero_params"


def _facet() -> Hashable:
    found = session.lane_state(LANE).value
    return _axes().now(), found and (id(found), len(found.points))


def _status(plan: RecoveryPlan) -> None:
    state, key = session.lane_state(LANE), _key(plan)
    with st.container(horizontal=True, vertical_alignment="center"):
        if state.busy:
            progress = state.progress
            share = progress.done / progress.total if progress and progress.total else 0.0
            left = f", about {duration(state.seconds_left)} left" if state.seconds_left else ""
            layout.draw_share(share, f"{progress.label if progress else 'Cutting'}{left}")
            st.button(
                "Stop",
                "stop recovery curve",
                on_click=lambda: session.cancel(LANE, state.key),
                type="tertiary",
            )
        elif not (state.finished and state.key == key and not state.error):
            st.button(
                "Draw the curve",
                "draw recovery curve",
                on_click=keeping.begin,
                args=(_begin, plan),
                icon=":material/show_chart:",
            )
            st.caption(_cost(plan))
        else:
            st.caption(
                "Done: each point is a recovery of its own, measured on the same samples; bars cover 95 %."
            )
    if state.error and state.key == key:
        layout.draw_notice(state.error)


def _cost(plan: RecoveryPlan) -> str:
    cost = curve_cost(session.subject(), plan, _points())
    trained = (
        f"{cost.epochs:,} epochs, {cost.samples:,} samples in all" if cost.epochs else "nothing is trained"
    )
    return f"Cost of {_points()} points: {trained}. Points that were trained before are not trained again."


def _begin(plan: RecoveryPlan) -> None:
    model, recipe, key = session.model(), session.recipe(), _key(plan)
    how, strengths = replace(session.conditions(), latency=False), STEPS[_points()]
    session.cancel(LANE, key)  # an earlier error does not prevent it
    session.resume(LANE)
    session.job(LANE, key, lambda: recovery_curve(model, recipe, plan, strengths, how))


def _figure() -> dict[str, Any]:
    curve = session.lane_state(LANE).value
    if (
        not isinstance(curve, RecoveryCurve)
        or not curve.points
        or curve.points[0].recovery.subject["id"] != session.subject().id
    ):
        return {}
    axis: Axis = _axes().now()
    return in_place(drawn_curve(curve, axis), (session.subject().id, axis))
