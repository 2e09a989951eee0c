"""Accuracy against what is left: along the recipe, along a target, or channels next to single weights."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import streamlit as st

from ...background.jobs import JobState
from ...background.lane import Lane
from ...engine.repaired import is_repairable, repairs_quickly
from ...errors import is_crash
from ...figures.accuracy_curve import Axis
from ...figures.curve_comparison import curve_comparison
from ...figures.live_marks import with_live_marks
from ...graph.analysed import Analysed
from ...machine.cache import Cache
from ...measuring.judging import metrics_of
from ...pruning.decision import calibrate
from ...registry import ALLOCATORS
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
from ...values.granularity import CHANNEL, WEIGHT, WORDS, Graded
from ...values.progress import Step, Work
from ...values.recipe import Recipe
from ...values.report import Report
from ...words import GLOSSARY
from .. import session
from ..drawing.offers import Offer
from ..kept_runs import keeping
from ..kept_runs.words import called, is_trial
from ..live import regions
from ..live.figure import bring_plotly, in_place
from ..live.pushed import LiveValue, pushed
from ..shared import settings

LANE = Lane("curve")
Along = Literal["strength", "both"] | Graded
ALONGS: dict[Along, str] = {
    "strength": "this recipe, weaker and stronger",
    "both": f"{WORDS[CHANNEL]} against {WORDS[WEIGHT]}",
    CHANNEL: f"{WORDS[CHANNEL]}: an allocator's target",
    WEIGHT: f"{WORDS[WEIGHT]}: an allocator's target",
}
AXES: dict[Axis, str] = {
    "params": "parameters",
    "nonzero_params": "non-zero",
    "macs": "MACs",
    "size": "file size",
    "latency": "latency",
}
REPAIRED = "repaired without training"
CHANCE = "at random"  # how the names of control lines end
FIRST_POINTS, EVERY = 3, 4  # the figure is drawn again at each of the first points, then at every fourth
MARGIN = {"l": 54, "r": 12, "t": 8, "b": 44, "autoexpand": False}  # pixels
MOST_KEPT = 60  # runs that are drawn, the newest
_runs = Cache(4, "kept runs on curves")
PAUSE_S = 1.0  # between two drawings of the figure
POINTLESS = "Remove something, and a curve appears with your model as a star. The diamond is the dense model."
WAITING = "The curve is measured when nothing else waits."
CONTROL_HELP = "The same amounts, with units chosen at random: what any criterion has to beat."
REPAIRED_HELP = (
    "A second line: the same cuts, each repaired by least squares on training samples without their labels. "
    "It says more about what a cut is worth than the line right after it. On by default where it is quick."
)
ALONG_HELP = (
    "Each point is a recipe that is cut and measured by itself, one-shot, without recovery. On an "
    "allocator's curve your own ratios are ignored; your recipe is the star."
)


def usual_axis(along: Along) -> Axis:
    """Return the default axis: zeros do not lower the number of parameters. It depends on no fader, so that
    the first move does not change it.
    """
    return "params" if session.mode() == "Structured" and along == "strength" else "nonzero_params"


def _axis_key(usual: Axis) -> str:
    return f"curve_axis {usual}"  # another default axis needs another widget, which starts with it


@dataclass(frozen=True)
class Question:
    """What the user asks the curve, besides the recipe.

    Args:
        along: what varies; allocator: of a target; control: also remove the same amounts at random; axis:
            what is counted; repaired: also repair each cut of the recipe.
    """

    along: Along
    allocator: str
    control: bool
    axis: Axis
    repaired: bool = False

    @property
    def recipe(self) -> Recipe:
        """Return what is varied."""
        recipe = session.recipe()
        return (
            recipe
            if self.along == "strength"
            else replace(recipe, channels={}, weights={}, keep={}, remove={})
        )

    @property
    def is_pointless(self) -> bool:
        """Whether it is the curve of a recipe that removes nothing."""
        return self.along == "strength" and self.recipe.is_empty

    @property
    def key(self) -> Hashable:
        """Return everything that the lines depend on."""
        allocator = None if self.along == "strength" else self.allocator
        return (
            session.subject().id,
            self.recipe.fingerprint,
            self.along,
            allocator,
            self.control,
            self.axis == "latency",
            self.repaired,
            session.conditions().device,
        )


def _families(model: Analysed, asked: Question, recipe: Recipe) -> list[Family]:
    if asked.along == "strength":
        families = [scaled(recipe)]
    elif asked.along == "both":
        families = list(structured_and_unstructured(model, recipe, asked.allocator))
    else:
        families = [swept(model, recipe, asked.allocator, asked.along)]
    return [*families, *(by_chance(family) for family in families)] if asked.control else families


def _begin(asked: Question) -> JobState:
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


def _alongs() -> Offer:
    free = session.profile().free_groups
    possible = {along: words for along, words in ALONGS.items() if free or along in ("strength", WEIGHT)}
    return Offer("curve_along", possible, "strength")


def _allocators() -> Offer:
    names = [name for name, allocator in ALLOCATORS.items() if not allocator.traits["needs_scan"]]
    return Offer("curve_allocator", names, "uniform")


def _axes(usual: Axis) -> Offer:
    return Offer(_axis_key(usual), AXES, usual)


def _asked() -> Question:
    """Return the question that the widgets show."""
    along: Along = _alongs().now()
    usual = usual_axis(along)
    quick = _is_quick()
    return Question(
        along,
        _allocators().now(),
        bool(session.shown("curve_control", False)),
        _axes(usual).now(),
        _can_repair(along) and bool(session.shown(_repaired_key(quick), quick)),
    )


def _can_repair(along: Along) -> bool:
    return along == "strength" and is_repairable(session.model(), session.recipe())


def _is_quick() -> bool:
    return repairs_quickly(session.model(), session.recipe(), session.conditions().device)


def _repaired_key(quick: bool) -> str:
    return f"curve_repaired {quick}"  # another default needs another widget, which starts with it


# --------------------------------------------------------------------------- drawing


def draw() -> None:
    """Draw the question as a row of widgets, and the figure, which grows in place while it is measured."""
    if session.subject().task is None:
        st.caption(
            "This model came without data, so nothing is measured; add some with --data when starting."
        )
        return
    bring_plotly()
    regions.watched("curve question", _draw_question, facet=_question_facet)
    value = LiveValue("figure", _curve, _facet, (LANE, session.LIVE_LANE), pause=PAUSE_S, patient=True)
    pushed("curve", value)


def _question_facet() -> Hashable:
    along = _asked().along
    return usual_axis(along), _can_repair(along), _is_quick()


def _facet() -> Hashable:
    """Return the lines in a few steps, and the user's own point once it is final: drawing a figure costs more
    than a move of a fader.
    """
    asked, state, report = _asked(), session.lane_state(LANE), session.report()
    points = sum(map(len, (state.value or {}).values())) if state.key == asked.key else -1
    drawn = points if points < FIRST_POINTS or state.finished else points // EVERY * EVERY
    return asked, asked.key, session.live_key(), drawn, state.finished, state.error, report and report.stage


def _curve() -> dict[str, Any]:
    """Return the figure in parts, and the text under it."""
    asked = _asked()
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


def _shown(figure: Any, asked: Question, words: dict[str, Any]) -> dict[str, Any]:
    """Return the figure without title and legend, which the page draws itself: it is as high as its place,
    and its axes say what the title says. The words go under it.
    """
    figure.update_layout(height=None, margin=MARGIN, showlegend=False)
    subject = session.subject()
    assert subject.task is not None  # see draw
    decides = metrics_of(subject.task)[0]
    with_live_marks(figure, asked.axis, subject.id, decides.name, decides.unit)
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


def _words(asked: Question, state: JobState) -> dict[str, Any]:
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


def _draw_question() -> None:
    """Draw three rows, also while nothing can be repaired, so that the figure keeps its place."""
    hidden: dict[str, Any] = {"label_visibility": "collapsed", "on_change": _asked_anew}
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="curve_question"):
        along = _alongs().select("Curve", help=ALONG_HELP, **hidden)
        if along != "strength":
            _allocators().select("Allocator", help=GLOSSARY["allocator"], width=150, **hidden)
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="curve_lines"):
        st.toggle("Random control", key="curve_control", help=CONTROL_HELP, on_change=_asked_anew)
        if _can_repair(along):
            quick = _is_quick()
            st.toggle("Repaired", quick, _repaired_key(quick), REPAIRED_HELP, _asked_anew)
    usual = usual_axis(along)
    _axes(usual).switch("Against", **hidden)


def _asked_anew() -> None:
    """Draw the curve's regions, and follow the job that it starts."""
    regions.hurry()
    regions.refresh()
