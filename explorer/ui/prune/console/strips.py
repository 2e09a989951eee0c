"""Turns a model and a recipe into banks of strips: labels, tooltips, what is frozen and why, what the last
cut achieved.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from math import prod

from ....values.granularity import CHANNEL, WEIGHT, Graded
from ....values.pattern import pattern_ratio, pattern_refusal
from ....values.profile import Group, ModelProfile
from ....values.recipe import Recipe
from ....values.report import PartOutcome
from ...drawing.words import label
from ...session.modes import MODES, Lock, Mode
from .model import Bank, Strip

SHOWN_MEMBERS = 8
NOTES = {
    CHANNEL: ("Channels", "Whole channels are removed: a smaller, faster model."),
    WEIGHT: ("Weights", "Single weights become zero; shapes stay."),
}
COLOURS = "Darker orange costs more; removing up to the line is nearly free."
Sensitivity = Mapping[str, tuple[tuple[float, float], ...]]  # part -> (ratio, drop)


def banks(
    profile: ModelProfile,
    recipe: Recipe,
    mode: Mode,
    *,
    outcomes: Iterable[PartOutcome] = (),
    locks: Collection[Lock] = (),
    sensitivity: Mapping[Graded, Sensitivity] | None = None,
) -> tuple[Bank, ...]:
    """Return the banks of a mode, strips in the order of the graph.

    Args:
        outcomes: what the last cut of this very recipe achieved; empty before it.
        locks: bank and part of the locked strips.
        sensitivity: for each bank, what the scan found.
    """
    outcome_of = {(o.granularity, o.name): o for o in outcomes}  # those of blocks have no strip
    drawn = []
    for name in MODES[mode]:
        strips = channel_strips(profile, recipe) if name == CHANNEL else weight_strips(profile, recipe)
        measured = (sensitivity or {}).get(name, {})
        drawn.append(
            _bank(
                name,
                tuple(
                    _with(s, outcome_of.get((name, s.id)), (name, s.id) in locks, measured.get(s.id))
                    for s in strips
                ),
            )
        )
    return tuple(drawn)


def _bank(name: Graded, strips: tuple[Strip, ...]) -> Bank:
    title, note = NOTES[name]
    scanned = any(strip.sensitivity for strip in strips)
    return Bank(name, title, COLOURS if scanned else note, strips)


def _with(
    strip: Strip,
    outcome: PartOutcome | None,
    locked: bool,
    sensitivity: tuple[tuple[float, float], ...] | None,
) -> Strip:
    strip = replace(strip, locked=locked, sensitivity=sensitivity)
    if outcome is None or strip.frozen is not None:
        return strip
    kept = outcome.units - outcome.removed
    return replace(
        strip, achieved=round(outcome.achieved, 4), kept=kept, of=outcome.units, reason=outcome.reason
    )


def channel_strips(profile: ModelProfile, recipe: Recipe) -> tuple[Strip, ...]:
    """Return one strip per coupled group, including frozen ones: a part that can't be moved is shown with its
    reason.
    """
    params = {layer.name: layer.params for layer in profile.layers}
    return tuple(
        Strip(
            group.name,
            label(group.name),
            recipe.channels.get(group.name, 0.0),
            group.units,
            group.unit,
            sum(params.get(member, 0) for member in group.members),
            _group_details(group),
            group.frozen,
        )
        for group in profile.groups
    )


def _group_details(group: Group) -> tuple[str, ...]:
    shown = ", ".join(group.members[:SHOWN_MEMBERS])
    more = f" and {len(group.members) - SHOWN_MEMBERS} more" if len(group.members) > SHOWN_MEMBERS else ""
    reached = (
        f"{group.units} {group.unit}s, in {shown}{more}" if group.members else f"{group.units} {group.unit}s"
    )
    return (
        (reached, f"are removed together because they are {'; '.join(group.tied_by)}")
        if group.tied_by
        else (reached,)
    )


def weight_strips(profile: ModelProfile, recipe: Recipe) -> tuple[Strip, ...]:
    """Return one strip per prunable layer; under an n:m pattern it is a switch."""
    return tuple(
        Strip(
            layer.name,
            label(layer.name),
            recipe.weights.get(layer.name, 0.0),
            prod(layer.shape),
            WEIGHT,
            layer.params,
            (f"{layer.kind}, weight {' × '.join(map(str, layer.shape))}",),
            pattern_refusal(layer, recipe.pattern),
            switch=pattern_ratio(recipe.pattern),
        )
        for layer in profile.prunable_layers.values()
    )


def with_pattern(recipe: Recipe, profile: ModelProfile, pattern: str) -> Recipe:
    """Return the recipe with another pattern: its weights are switched on if they had a ratio and the pattern
    fits.
    """
    ratio, layers = pattern_ratio(pattern), profile.prunable_layers
    if ratio is None:
        return replace(recipe, pattern=pattern)
    fits = [
        name for name in recipe.weights if name in layers and pattern_refusal(layers[name], pattern) is None
    ]
    return replace(recipe, pattern=pattern, weights=dict.fromkeys(fits, ratio))
