"""Accuracy against what is left: along the recipe, along a target, or channels next to single weights."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ...background.jobs import JobState
from ...background.lane import Lane
from ...engine.agreement import with_agreement
from ...errors import is_crash
from ...figures.curve_comparison import curve_comparison
from ...figures.live_marks import with_live_marks
from ...graph.analysed import Analysed
from ...machine.cache import Cache
from ...measuring.judging import metrics_of
from ...pruning.decision import calibrate
from ...studies.accuracy_curves import (
    QUICK,
    Family,
    Lines,
    by_chance,
    scaled,
    structured_and_unstructured,
    swept,
    timed,
)
from ...values.choice import Choice
from ...values.progress import Step, Work
from ...values.recipe import Recipe
from ...values.report import Report
from .. import session
from ..kept_runs import keeping
from ..kept_runs.words import called, is_trial
from ..live.figure import in_place
from ..live.pushed import LiveValue, pushed
from ..shared import settings
from . import curve_question

LANE = Lane("curve")
REPAIRED = "repaired without training"
CHANCE = "at random"  # how the names of control lines end
FIRST_POINTS, EVERY = 3, 4  # the figure is drawn again at each of the first points, then at every fourth
MARGIN = {"l": 54, "r": 12, "t": 8, "b": 48, "autoexpand": False}  # pixels
AWAY = 5  # pixels between an axis and its numbers, so that those at the corner are apart
MOST_KEPT = 60  # runs that are drawn, the newest
_runs = Cache(4, "kept runs on curves")
PAUSE_S = 1.0  # between two drawings of the figure
POINTLESS = "Remove something, and a curve appears with your model as a star."
WAITING = "The curve is measured when nothing else waits."


def _families(model: Analysed, asked: curve_question.Question, recipe: Recipe) -> list[Family]:
    if asked.along == "strength":
        families = [scaled(recipe)]
    elif asked.along == "both":
        families = list(structured_and_unstructured(model, recipe, asked.allocator))
    else:
        families = [swept(model, recipe, asked.allocator, asked.along)]
    return [*families, *(by_chance(family) for family in families)] if asked.control else families


def _begin(asked: curve_question.Question) -> JobState:
    """Return the lines that answer the question, measured when nothing more urgent waits."""
    model, device = session.model(), session.conditions().device
    recipe = asked.recipe  # the worker has no session to ask

    def measure() -> Work[Lines]:
        rated = [recipe, *([replace(recipe, criterion=Choice("random"))] if asked.control else [])]
        for one in rated:
            yield from calibrate(model, one, device)
        families = _families(model, asked, recipe)
        lines: Lines = {}
        for step in settings.current().studies.curves(model, families, replace(QUICK, device=device)):
            lines = step.value or lines
            yield step
        if asked.repaired:
            mended = scaled(replace(recipe, after="least_squares"), name=REPAIRED)
            for step in settings.current().studies.curves(model, [mended], replace(QUICK, device=device)):
                known = {**lines, **step.value} if step.value else None
                lines = known or lines
                yield Step(known, step.progress)
        if asked.axis == "latency":
            yield from timed(model, lines, device)

    return session.job(LANE, asked.key, measure)


# --------------------------------------------------------------------------- drawing


def draw() -> None:
    """Draw the question, and the figure, which grows in place while it is measured."""
    curve_question.draw()
    value = LiveValue("figure", _curve, _facet, (LANE, session.LIVE_LANE), pause=PAUSE_S, patient=True)
    pushed("curve", value)


def _facet() -> Hashable:
    """Return the lines in a few steps, and the user's own point once it is final: drawing a figure costs more
    than a move of a fader.
    """
    asked, state, report = curve_question.asked(), session.lane_state(LANE), session.report()
    points = sum(map(len, (state.value or {}).values())) if state.key == asked.key else -1
    drawn = points if points < FIRST_POINTS or state.finished else points // EVERY * EVERY
    return asked, asked.key, session.live_key(), drawn, state.finished, state.error, report and report.stage


def _curve() -> dict[str, Any]:
    """Return the figure in parts, and the text under it."""
    asked = curve_question.asked()
    if asked.is_pointless:
        figure = curve_comparison({}, session.report(), asked.axis, kept=_kept())
        return _shown(figure, asked, {"words": POINTLESS})
    state = _begin(asked)
    lines = state.value or {}
    controls = [name for name in lines if name.endswith(CHANCE)]
    stale = bool(lines) and state.key != asked.key
    figure = curve_comparison(
        lines, session.report(), asked.axis, controls=controls, stale=stale, kept=_kept()
    )
    return _shown(figure, asked, _words(asked, state))


def _shown(figure: Any, asked: curve_question.Question, words: dict[str, Any]) -> dict[str, Any]:
    """Return the figure without title and legend, which the page draws itself: it is as high as its place,
    and its axes say what the title says. The words go under it.
    """
    figure.update_layout(height=None, margin=MARGIN, showlegend=False)
    figure.update_xaxes(ticklabelstandoff=AWAY)
    subject = session.subject()
    task = with_agreement(session.model()).subject.task
    assert task is not None
    with_live_marks(figure, asked.axis, subject.id, metrics_of(task)[0])
    figure.layout.meta["title"] = figure.layout.title.text
    figure.layout.title = None
    return {**in_place(figure, (subject.id, asked.along, asked.axis)), **words}


def _kept() -> dict[str, Report]:
    """Return the runs of this model that were kept by hand; they are read again when there is another."""
    if settings.current().classroom is not None:
        return {}
    subject = session.subject().id
    runs = keeping.store()
    key = (str(runs.root), subject, runs.changed(subject))
    known: dict[str, Report] | None = _runs.get(key)
    if known is None:
        kept = [run for run in runs.runs(subject, MOST_KEPT) if not is_trial(run)]
        known = _runs.put(key, {called(run): run.report for run in kept})
    return known


def _samples(lines: Mapping[str, Sequence[Report]]) -> str:
    """Return on how many samples the points of a curve were measured, in words."""
    reports = [report for line in lines.values() for report in line]
    samples = max((report.pruned.samples or 0 for report in reports), default=0)
    everything = all(report.total_samples == report.pruned.samples for report in reports)
    return f"all {samples:,} samples" if everything else f"the first {samples:,} samples"


def _words(asked: curve_question.Question, state: JobState) -> dict[str, Any]:
    own = state.key == asked.key
    if state.error and own:
        return {"words": state.error, "tone": "crash" if is_crash(state.error) else "refused"}
    if state.finished and own:
        return {
            "words": f"Each point is measured, on {_samples(state.value or {})}, without training; "
            "bars cover 95 %."
        }
    points = sum(map(len, (state.value or {}).values())) if own else 0
    return {
        "words": f"The curve is measured when nothing else waits: {points} points so far."
        if points
        else WAITING
    }
