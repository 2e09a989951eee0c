"""Wins accuracy back: the plan with its cost, the training while it runs, and its result."""

import json
from collections.abc import Callable, Hashable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import streamlit as st

from ...background.jobs import JobState
from ...background.lane import LONG, Lane
from ...exporters.recovered_model import export_recovered
from ...figures.recovery_accuracy import recovery_accuracy
from ...figures.recovery_arms import recovery_arms
from ...figures.recovery_loss import recovery_loss
from ...figures.recovery_norms import recovery_norms
from ...recovery.controls import spread_of, spread_words
from ...recovery.cost import Cost, counted, estimate
from ...recovery.recover import recover
from ...recovery.recovery_run import TRAINING
from ...recovery.values import Recovery
from ...values.plain import finite
from .. import session
from ..drawing import layout
from ..live.asked_job import AskedJob
from ..live.figure import bring_plotly, in_place
from ..live.pushed import LiveValue, pushed
from ..live.regions import hurry, watched
from . import first_cut, recovered_runs, recovery_curve, recovery_plan

LANE, COST_LANE = Lane("recovery", LONG, lasting=True), Lane("recovery cost")
PLAIN = {"displayModeBar": False}
NO_DATA = (
    "This model came without training data, so it cannot be trained here; add some with --data when starting."
)
BEST_EPOCH = (
    "The best epoch was chosen on these same samples, so a little of it is luck; held-out data "
    "would show how much."
)
LOSSES_A_DRAWING = 8  # points of the loss curve between two drawings


def _key() -> Hashable:
    return (
        session.task_key(),
        session.recipe().fingerprint,
        recovery_plan.plan().fingerprint,
        session.conditions(),
    )


def draw() -> None:
    """Draw the whole page."""
    task = session.subject().task
    if task is None or not task.has("training"):
        st.info(NO_DATA, icon=":material/info:")
        return
    if session.recipe().is_empty and _shown() is None:
        first_cut.draw()
        return
    bring_plotly()
    if not session.recipe().is_empty:
        st.caption(layout.plain(_what()))
        recovery_plan.draw()
        _begin()
        watched("recovery cost", _cost, COST_LANE)
    watched("recovery status", _status, LANE, facet=_status_facet, progress=True)
    _draw_figures()
    watched("recovery outcome", _outcome, LANE, recovered_runs.CONTROL, facet=_outcome_facet)
    watched(
        "recovery kept",
        lambda: recovered_runs.draw(_shown()),
        *recovered_runs.LANES,
        LANE,
        facet=lambda: recovered_runs.facet(_shown()),
        progress=True,
    )
    if not session.recipe().is_empty:
        recovery_curve.draw(recovery_plan.plan())


def _what() -> str:
    recipe = session.recipe()
    parts = [
        (len(recipe.channels), "coupled group"),
        (len(recipe.weights), "layer"),
        (len(recipe.remove), "group by hand"),
    ]
    said = [f"{count} {name}{'s' * (count != 1)}" for count, name in parts if count]
    return (
        f"What your recipe leaves of {session.subject().name} is trained further: {', '.join(said)} pruned, "
        f"rated by {recipe.criterion.name}. Trained on the training split, measured on the tuning split."
    )


def _shown() -> Recovery | None:
    """Return the recovery of this model that is running or ran last."""
    found = session.lane_state(LANE).value
    return found if isinstance(found, Recovery) and found.subject["id"] == session.subject().id else None


# --------------------------------------------------------------------------- before it begins


def _cost() -> None:
    """Draw epochs and samples at once, seconds if they were requested."""
    plan, state = recovery_plan.plan(), session.lane_state(COST_LANE)
    known = counted(session.subject(), plan)
    with st.container(horizontal=True, vertical_alignment="center"):
        cost = state.value if state.key == _key() and isinstance(state.value, Cost) else None
        words = f"Cost: {known.epochs:,} epochs, {known.samples:,} samples in all"
        if not known.epochs:
            words = "Cost: one pass over 1,024 training samples at most; nothing is trained"
        elif cost is not None and cost.seconds is not None:
            words += (
                f"; about {recovery_plan.duration(cost.seconds)} on this machine, an estimate from "
                f"{cost.batches} batches"
            )
        st.caption(layout.plain(f"{words}."), width="content")
        if state.error and state.key == _key():
            layout.draw_notice(state.error)
        elif state.busy:
            st.caption("Timing a few batches …")
        elif known.epochs and cost is None:
            st.button(
                "Estimate the time",
                "estimate recovery",
                on_click=_ask_cost,
                type="tertiary",
                icon=":material/timer:",
            )


def _ask_cost() -> None:
    model, recipe, conditions = session.model(), session.recipe(), session.conditions()
    plan = recovery_plan.plan()
    session.job(COST_LANE, _key(), lambda: estimate(model, recipe, plan, conditions))
    hurry()


# --------------------------------------------------------------------------- while it runs


def _job() -> AskedJob:
    return AskedJob(LANE, _key())


def _begin() -> None:
    """Return the recovery that was requested, if it is the one planned now."""
    model, recipe, plan = session.model(), session.recipe(), recovery_plan.plan()
    how = replace(session.conditions(), latency=False)
    _job().state(lambda: recover(model, recipe, plan, how))


def _status_facet() -> Hashable:
    state = session.lane_state(LANE)
    return state.key, state.busy, state.error, state.finished


def _status() -> None:
    state, empty = session.lane_state(LANE), session.recipe().is_empty
    with st.container(horizontal=True, vertical_alignment="center", key="recovery_status"):
        if state.busy:
            layout.draw_share(*_share(state))
            st.button("Stop", "stop recovery", on_click=lambda: _job().stop(), type="tertiary")
        elif not empty and not (state.finished and state.key == _key() and not state.error):
            stopped = session.is_cancelled(LANE, _key())
            words = "Go on" if stopped else "Start"
            st.button(
                words,
                "start recovery",
                on_click=lambda: _job().start(),
                type="primary",
                icon=":material/play_arrow:",
            )
            if stopped:
                st.caption("Stopped. What was trained so far is kept, and training can continue from there.")
        elif not empty:
            st.caption("Done. Change the plan, or the recipe on the Prune page, to train again.")
    if state.error and state.key == _key():
        layout.draw_notice(state.error)
    found = _shown()
    if found is not None and state.key != _key():
        st.caption("Below: an earlier recovery, of another plan or another recipe.")


def _share(state: JobState) -> tuple[float, str]:
    progress = state.progress
    if progress is None or not progress.total:
        return 0.0, "Cutting, then the first batches …"
    if progress.label != TRAINING:
        return 0.0, f"{progress.label}: {progress.done:,} of {progress.total:,}"
    left = f", about {recovery_plan.duration(state.seconds_left)} left" if state.seconds_left else ""
    return progress.done / progress.total, f"Training: {progress.done:,} of {progress.total:,} steps{left}"


def _draw_figures() -> None:
    with st.container(key="below"):  # whose columns wrap where the page is narrow
        left, right = st.columns(2, gap="large")
    with left:

        def facet():
            return (found := _shown()) and (found.key, len(found.epochs))

        pushed("recovery accuracy", LiveValue("figure", partial(_live, recovery_accuracy), facet, (LANE,)))
    with right:
        pushed("recovery loss", LiveValue("figure", partial(_live, recovery_loss), _loss_facet, (LANE,)))


def _loss_facet() -> Hashable:
    found = _shown()
    return found and (found.key, len(found.epochs), len(found.losses) // LOSSES_A_DRAWING)


def _live(figure: Callable[[Recovery], Any]) -> dict[str, Any]:
    found = _shown()
    return in_place(figure(found), found.key) if found is not None and found.epochs else {}


# --------------------------------------------------------------------------- what came of it


def _outcome_facet() -> Hashable:
    found = _shown()
    return found and (
        found.key,
        len(found.arms),
        found.finished,
        *session.versions([recovered_runs.CONTROL]).values(),
    )


def _outcome() -> None:
    recovery = _shown()
    if recovery is None:
        return
    fair = recovered_runs.fair(recovery)
    drawn = recovery_arms(recovery, [(name, arm.measurement) for name, arm in fair])
    st.plotly_chart(drawn, width="stretch", key="recovery arms", config=PLAIN)
    for sentence in (
        *_sentences(recovery),
        *(recovered_runs.sentence(name, arm, recovery) for name, arm in fair),
    ):
        st.caption(layout.plain(sentence))
    if recovery.finished:
        _download(recovery)
    if any(point.norms for point in recovery.epochs):
        st.plotly_chart(recovery_norms(recovery), width="stretch", key="recovery norms", config=PLAIN)


def _sentences(recovery: Recovery) -> Iterator[str]:
    """Return the change of each arm in words, with its range."""
    for arm in recovery.arms:
        yield recovered_runs.sentence(arm.name, arm, recovery)
    if len(recovery.recovered) > 1:
        over = spread_of([arm.measurement for arm in recovery.recovered])
        yield f"Mean over {over.seeds} seeds: {spread_words(over, recovery.baseline.unit)}."
    if recovery.plan.patience and recovery.recovered:
        yield BEST_EPOCH
    yield from recovery.notes


def _download(recovery: Recovery) -> None:
    model = session.model()
    name = f"{model.subject.name.split(':')[-1]}-recovered"
    with st.container(horizontal=True):
        st.download_button(
            "Recovered model",
            partial(export_recovered, model, recovery),
            f"{name}.zip",
            "application/zip",
            key="download recovered",
            on_click="ignore",
            icon=":material/download:",
            help="Weights of the first seed, architecture, recipe, and a loader that needs torch alone.",
        )
        st.download_button(
            "Report",
            partial(_report, recovery),
            f"{name}.json",
            "application/json",
            key="download recovery report",
            on_click="ignore",
            icon=":material/download:",
            help="The plan, every epoch and every arm as JSON.",
        )


def _report(found: Recovery) -> bytes:
    return (json.dumps(finite(found.to_json()), indent=1) + "\n").encode()
