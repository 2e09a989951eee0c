"""What the fader console shows and what it sends back: values to JSON, and an edit applied to a recipe."""

import hashlib
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ....errors import RecipeError, UnknownNameError
from ....values.granularity import Graded, read_graded
from ....values.plain import canonical_json
from ....values.recipe import Recipe, check_ratio
from ...session.modes import Lock
from .cost import LayerCost
from .matrix import matrix_of


@dataclass(frozen=True)
class Strip:
    """One vertical fader.

    Args:
        id: the part: a coupled group or a layer.
        label: the text under the fader, two short lines; the first may be empty.
        ratio: requested fraction removed.
        units: how many there are, of the kind `unit`, such as a head.
        params: parameters of the part, for sorting by size.
        details: the tooltip, one sentence each.
        frozen: why it can't be moved, or None.
        achieved, kept, of: what the last cut did, or None before it: fraction removed, units left, out of
            how many (fewer than `units` if channels were removed first); reason: why that differs from the
            request.
        switch: the only ratio besides 0 that is allowed (an n:m pattern), or None.
        locked: allocators, presets and linked moves do not change it.
        sensitivity: (ratio, drop in accuracy) pairs of this part alone, or None before the scan.
    """

    id: str
    label: tuple[str, str]
    ratio: float
    units: int
    unit: str
    params: int
    details: tuple[str, ...] = ()
    frozen: str | None = None
    achieved: float | None = None
    kept: int | None = None
    of: int | None = None
    reason: str | None = None
    switch: float | None = None
    locked: bool = False
    sensitivity: tuple[tuple[float, float], ...] | None = None


@dataclass(frozen=True)
class Bank:
    """A row of strips that write into one map of the recipe."""

    name: Graded
    title: str
    note: str
    strips: tuple[Strip, ...]

    def strip(self, name: str) -> Strip:
        """Return the strip of a part.

        Raises:
            UnknownNameError: there is none.
        """
        for strip in self.strips:
            if strip.id == name:
                return strip
        raise UnknownNameError(f"part in {self.title}", name, [strip.id for strip in self.strips])


MOST_STEPS = 20  # as in console.js
# of a strip: what changes with the recipe is sent at each move, scan findings while a scan runs, all else
# once
MOVING = ("ratio", "achieved", "kept", "of", "reason", "locked")


@dataclass(frozen=True)
class ConsoleData:
    """What is sent to the browser: facts once per model, findings while a scan runs, a state at each move.

    Args:
        session: another one makes the browser forget what it waited for.
        taken: the last edit that this data includes.
        costs: the costs of each layer, for the estimate while dragging.
        exact: params, nonzero_params, macs and quality of the shown recipe once they are known.
        quality: of the dense model in the scan, from which that of a dragged recipe is predicted.
        other_repair: whether the recipe's repair is another than the scan's, which then predicts nothing.
        rule: changes with everything in the recipe but its ratios.
    """

    session: str
    taken: int
    banks: tuple[Bank, ...]
    costs: tuple[LayerCost, ...]
    exact: Mapping[str, float] | None = None
    quality: Mapping[str, Any] | None = None
    other_repair: bool = False
    rule: str = ""

    def facts(self) -> dict[str, Any]:
        """Return what no fader changes, under a name of its own."""
        plain = {
            "banks": [_facts(bank) for bank in self.banks],
            "costs": [cost.to_json() for cost in self.costs],
        }
        return {"id": hashlib.sha256(canonical_json(plain).encode()).hexdigest()[:12], **plain}

    def findings(self) -> dict[str, Any]:
        """Return bank -> part -> (ratio, drop) pairs of a scan, rounded to what a colour can show, and the
        banks' notes on it.
        """
        sensitivity = {
            bank.name: {strip.id: _rounded(strip.sensitivity) for strip in bank.strips if strip.sensitivity}
            for bank in self.banks
        }
        notes = {bank.name: bank.note for bank in self.banks}
        return {
            "sensitivity": sensitivity,
            "notes": notes,
            "quality": dict(self.quality) if self.quality else None,
        }

    def state(self) -> dict[str, Any]:
        """Return the position of every fader and what the last cut did, without default values."""
        return {
            "session": self.session,
            "taken": self.taken,
            "facts": self.facts()["id"],
            "banks": {bank.name: _state(bank) for bank in self.banks},
            "exact": dict(self.exact) if self.exact else None,
            "otherRepair": self.other_repair,
            "rule": self.rule,
        }


def _facts(bank: Bank) -> dict[str, Any]:
    strips = [
        {
            key: value
            for key, value in vars(strip).items()
            if key not in (*MOVING, "sensitivity") and value not in (None, ())
        }
        for strip in bank.strips
    ]
    matrix = matrix_of({strip.id: strip.unit for strip in bank.strips})
    return {"name": bank.name, "title": bank.title, "strips": strips} | ({"matrix": matrix} if matrix else {})


def _state(bank: Bank) -> dict[str, dict[str, Any]]:
    usual = {"ratio": 0.0, "locked": False}
    told = {
        s.id: {key: value for key in MOVING if (value := getattr(s, key)) != usual.get(key)}
        for s in bank.strips
    }
    return {name: strip for name, strip in told.items() if strip}


def _rounded(pairs: Iterable[tuple[float, float]]) -> list[list[float]]:
    return [[round(ratio, 4), round(drop, 3)] for ratio, drop in pairs]


@dataclass(frozen=True)
class Edit:
    """What the user did since the last acknowledged edit: strips moved and strips locked or unlocked.

    Args:
        steps: the moves one by one, oldest first, since several may arrive together.
    """

    sequence: int
    ratios: Mapping[Graded, Mapping[str, float]]
    locks: Mapping[Graded, Mapping[str, bool]]
    steps: tuple["Edit", ...] = ()


def read_edit(banks: Iterable[Bank], message: object) -> Edit:
    """Read a message of the browser, checked like any foreign input.

    Raises:
        RecipeError: it isn't an edit, a strip is frozen, or a ratio isn't allowed.
        UnknownNameError: a strip doesn't exist.
    """
    if not isinstance(message, Mapping):
        raise RecipeError(f"An edit must be a mapping, got {type(message).__name__}.")
    sequence = message.get("seq")
    if not isinstance(sequence, int) or isinstance(sequence, bool) or sequence < 0:
        raise RecipeError(f"'seq' of an edit must be a whole number from 0, got {str(sequence)[:80]!r}.")
    by_name = {bank.name: bank for bank in banks}
    given = message.get("steps", [])
    if not isinstance(given, list) or len(given) > MOST_STEPS:
        raise RecipeError(f"'steps' of an edit must be a list of up to {MOST_STEPS}.")
    steps = tuple(read_edit(by_name.values(), {**_mapping(step), "steps": []}) for step in given)
    values, locks = (_by_bank(by_name, key, message.get(key, {})) for key in ("values", "locks"))
    ratios = {
        name: {part: _ratio(by_name[name].strip(part), ratio) for part, ratio in row.items()}
        for name, row in values.items()
    }
    return Edit(
        sequence,
        ratios,
        {name: {part: lock is True for part, lock in row.items()} for name, row in locks.items()},
        steps,
    )


def _mapping(step: object) -> Mapping[str, Any]:
    if not isinstance(step, Mapping):
        raise RecipeError(f"A step of an edit must be a mapping, got {type(step).__name__}.")
    return step


def _by_bank(banks: Mapping[Graded, Bank], key: str, given: object) -> dict[Graded, dict[str, Any]]:
    if not isinstance(given, Mapping) or not all(isinstance(row, Mapping) for row in given.values()):
        raise RecipeError(f"{key!r} of an edit must map banks to strips, got {str(given)[:80]!r}.")
    rows = {read_graded(name): row for name, row in given.items()}
    for bank, row in rows.items():
        if bank not in banks:
            raise UnknownNameError("bank", bank, banks)
        for part in row:
            banks[bank].strip(str(part))
    return {bank: {str(part): value for part, value in row.items()} for bank, row in rows.items()}


def _ratio(strip: Strip, ratio: object) -> float:
    checked = check_ratio(strip.id, ratio)
    if strip.frozen is not None and checked > 0:
        raise RecipeError(f"{strip.id!r} cannot be pruned: {strip.frozen}.")
    if strip.switch is not None and checked > 0 and not math.isclose(checked, strip.switch, abs_tol=1e-4):
        raise RecipeError(f"{strip.id!r} is a switch: its ratio is 0 or {strip.switch:g}, got {checked:g}.")
    return checked


def apply_edit(recipe: Recipe, edit: Edit) -> Recipe:
    """Return the recipe with the moved strips at their new ratios; strips that weren't moved keep theirs.

    >>> edit = Edit(1, {"channel": {"conv1": 0.5}}, {})
    >>> dict(apply_edit(Recipe(channels={"conv2": 0.25}), edit).channels)
    {'conv1': 0.5, 'conv2': 0.25}
    """
    for bank, moved in edit.ratios.items():
        recipe = recipe.with_ratios(bank, {**recipe.ratios(bank), **moved})
    return recipe


def apply_locks(locks: frozenset[Lock], edit: Edit) -> frozenset[Lock]:
    """Return the locks after an edit.

    >>> edit = Edit(1, {}, {"channel": {"conv1": False, "conv2": True}})
    >>> sorted(apply_locks(frozenset({("channel", "conv1")}), edit))
    [('channel', 'conv2')]
    """
    changed = {(bank, part): locked for bank, row in edit.locks.items() for part, locked in row.items()}
    return frozenset(locks - changed.keys() | {lock for lock, locked in changed.items() if locked})
