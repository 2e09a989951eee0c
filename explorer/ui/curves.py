"""Accuracy against what is left, from the session: along the recipe, along a target, or channels beside single weights."""

from collections.abc import Hashable, Iterator
from dataclasses import replace
from typing import Any, Literal

import streamlit as st

from ..curves import QUICK, Family, Lines, by_chance, curves, scaled, structured_and_unstructured, swept, timed
from ..engine import calibrate
from ..figures.accuracy_curve import Axis
from ..figures.curve_comparison import curve_comparison
from ..graph.export import ModelGraph
from ..job_state import JobState, Progress
from ..labels import GLOSSARY
from ..registry import ALLOCATORS
from ..values import Choice, Subject
from . import layout, session, watched

Along = Literal["strength", "channel", "weight", "both"]
ALONGS: dict[Along, str] = {
    "strength": "this recipe, weaker and stronger",
    "both": "channels against single weights",
    "channel": "channels: an allocator's target",
    "weight": "single weights: an allocator's target",
}
AXES: dict[Axis, str] = {
    "params": "parameters", "nonzero_params": "not zero", "macs": "MACs", "size": "file size", "latency": "latency",
}  # fmt: skip
CHANCE = "at random"  # how the names of control lines end
FIRST_POINTS, EVERY = 3, 4  # the figure is drawn anew at each of the first points, then at every fourth
CONTROL_HELP = "The same amounts, with units chosen at random: what any criterion has to beat."
ALONG_HELP = (
    "Each point is a recipe that is cut and measured by itself, one-shot, without recovery. On an allocator's curve your own "
    "ratios play no part; your recipe is the star."
)


def usual_axis(along: Along) -> Axis:
    """What is compared if the user has not said it: zeros do not lower the number of parameters."""
    return "params" if session.recipe().is_structured and along == "strength" else "nonzero_params"


def _axis_key(usual: Axis) -> str:
    return f"curve_axis {usual}"  # another usual axis is another widget, which begins with it


class Question:
    """What the user asks the curve, read from the widgets."""

    def __init__(self) -> None:
        self.along: Along = session.shown("curve_along") or "strength"
        self.allocator: str = session.shown("curve_allocator") or "uniform"
        self.control = bool(session.shown("curve_control", False))
        self.axis: Axis = session.shown(_axis_key(usual_axis(self.along))) or usual_axis(self.along)
        recipe = session.recipe()
        self.recipe = recipe if self.along == "strength" else replace(recipe, channels={}, weights={}, keep={}, remove={})

    @property
    def is_pointless(self) -> bool:
        """The curve of a recipe that removes nothing."""
        return self.along == "strength" and self.recipe.is_empty

    @property
    def key(self) -> Hashable:
        """Everything that the lines depend on."""
        allocator = None if self.along == "strength" else self.allocator
        return (session.subject().id, self.recipe.fingerprint, self.along, allocator, self.control, self.axis == "latency",
                session.conditions().device)  # fmt: skip


def _families(subject: Subject, graph: ModelGraph, asked: Question) -> list[Family]:
    if asked.along == "strength":
        found = [scaled(asked.recipe)]
    elif asked.along == "both":
        found = list(structured_and_unstructured(subject, graph, asked.recipe, asked.allocator))
    else:
        found = [swept(subject, graph, asked.recipe, asked.allocator, asked.along)]
    return [*found, *(by_chance(family) for family in found)] if asked.control else found


def _begin(asked: Question) -> JobState:
    """The lines that answer the question, measured when nothing more urgent waits."""
    subject, graph, device = session.subject(), session.graph(), session.conditions().device

    def measure() -> Iterator[Any]:
        rated = [asked.recipe, *([replace(asked.recipe, criterion=Choice("random"))] if asked.control else [])]
        for recipe in rated:
            yield from calibrate(subject, graph, recipe, device)
        families = _families(subject, graph, asked)
        lines: Lines = {}
        for step in curves(subject, graph, families, replace(QUICK, device=device)):
            lines = lines if isinstance(step, Progress) else step
            yield step
        if asked.axis == "latency":
            yield from timed(subject, graph, lines, device)

    return session.job("curve", asked.key, measure)


# --------------------------------------------------------------------------- drawing


def draw() -> None:
    """What is asked in a row of widgets, and the figure, which grows while it is measured."""
    if session.subject().task is None:
        st.caption("This model came without data, so there is no accuracy to measure; add some with --data when starting.")
        return
    watched.watched("curve", _draw_curve, "curve", "live", facet=_facet)
    watched.watched("curve status", _draw_status, "curve", facet=lambda: (Question().key, session.lane_state("curve")))


def _facet() -> Hashable:
    """The lines in a few steps, and the own point once it is final: to draw a figure costs more than a move of a fader."""
    asked, state, report = Question(), session.lane_state("curve"), session.report()
    points = sum(map(len, (state.value or {}).values())) if state.key == asked.key else -1
    drawn = points if points < FIRST_POINTS or state.finished else points // EVERY * EVERY
    return asked.key, session.live_key(), drawn, state.finished, report and report.stage


def _draw_curve() -> None:
    _draw_question()
    asked = Question()
    if asked.is_pointless:
        st.caption("Remove something, and a curve of accuracy against size will stand here. Or choose another curve above.")
        return
    state = _begin(asked)
    lines = state.value or {}
    controls = [name for name in lines if name.endswith(CHANCE)]
    stale = bool(lines) and state.key != asked.key
    figure = curve_comparison(lines, session.report(), asked.axis, controls=controls, stale=stale)
    st.plotly_chart(figure, width="stretch", key="curve", config={"displayModeBar": False})


def _draw_question() -> None:
    possible = [along for along in ALONGS if along in ("strength", "weight") or session.profile().free_groups]
    with st.container(horizontal=True, vertical_alignment="bottom", key="curve question"):
        along = st.selectbox("Curve", possible, format_func=ALONGS.__getitem__, key="curve_along", help=ALONG_HELP,
                             width=270, on_change=_asked_anew)  # fmt: skip
        if along != "strength":
            names = [name for name, allocator in ALLOCATORS.items() if not allocator.traits["needs_scan"]]
            st.selectbox("Allocator", names, key="curve_allocator", help=GLOSSARY["allocator"], width=170,
                         on_change=_asked_anew)  # fmt: skip
        st.toggle("Random control", key="curve_control", help=CONTROL_HELP, on_change=_asked_anew)
    usual = usual_axis(along)
    st.segmented_control("Against", list(AXES), default=usual, format_func=AXES.__getitem__, key=_axis_key(usual),
                         label_visibility="collapsed", on_change=_asked_anew)  # fmt: skip


def _asked_anew() -> None:
    """Draw the curve's regions, and follow what it begins."""
    watched.hurry()
    watched.refresh()


def _draw_status() -> None:
    asked, state = Question(), session.lane_state("curve")
    if asked.is_pointless:
        return
    own, progress = state.key == asked.key, state.progress
    if state.error and own:
        layout.draw_notice(state.error)
    elif state.busy and own and progress is not None and progress.total:
        done, total = progress.done, progress.total
        layout.draw_share(done / total, f"{progress.label}, when nothing else waits: {done} of {total}")
    elif state.busy or not own:
        st.caption("The curve is measured when nothing else waits.")
    else:
        st.caption(f"Each point is measured, on the first {QUICK.samples:,} samples, without recovery; bars cover 95 %.")
