"""What the user asks the curve: along what, by which allocator, against which axis, with which lines."""

from collections.abc import Hashable
from dataclasses import dataclass, replace
from typing import Any, Literal

import streamlit as st

from ...engine.repaired import is_repairable, repairs_quickly
from ...figures.accuracy_curve import Axis
from ...registry import ALLOCATORS
from ...values.granularity import CHANNEL, WEIGHT, WORDS, Graded
from ...values.recipe import Recipe
from ...words import GLOSSARY
from .. import session
from ..drawing.offers import Offer
from ..live import regions

Along = Literal["strength", "both"] | Graded
ALONGS: dict[Along, str] = {
    "strength": "Curve of this recipe, weaker and stronger",
    "both": f"Curve of {WORDS[CHANNEL]} against {WORDS[WEIGHT]}",
    CHANNEL: f"Curve of {WORDS[CHANNEL]}: an allocator's target",
    WEIGHT: f"Curve of {WORDS[WEIGHT]}: an allocator's target",
}
AXES: dict[Axis, str] = {
    "params": "parameters",
    "nonzero_params": "non-zero",
    "macs": "MACs",
    "size": "file size",
    "latency": "latency",
}
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
            session.task_key(),
            self.recipe.fingerprint,
            self.along,
            allocator,
            self.control,
            self.axis == "latency",
            self.repaired,
            session.conditions().device,
        )


def _alongs() -> Offer:
    free = session.profile().free_groups
    possible = {along: words for along, words in ALONGS.items() if free or along in ("strength", WEIGHT)}
    return Offer("curve_along", possible, "strength")


def _allocators() -> Offer:
    names = [name for name, allocator in ALLOCATORS.items() if not allocator.traits["needs_scan"]]
    return Offer("curve_allocator", names, "uniform")


def _axes(usual: Axis) -> Offer:
    return Offer(_axis_key(usual), AXES, usual)


def asked() -> Question:
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


def draw() -> None:
    """Draw the question as rows of widgets, and keep them up to date."""
    regions.watched("curve question", _draw, facet=_facet)


def _facet() -> Hashable:
    along = asked().along
    return usual_axis(along), _can_repair(along), _is_quick()


def _draw() -> None:
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
