"""What the user decides: the recipe, the one value that is passed everywhere."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from ..errors import RecipeError
from . import link
from .choice import Choice
from .granularity import CHANNEL, Graded
from .plain import canonical_json, frozen

PATTERN = re.compile(r"^([1-9]\d?):([1-9]\d?)\Z")
AFTER = ("none", "bn_recalibration", "bias_correction", "least_squares")
REDUCTIONS = ("sum", "first", "all")


DECIMALS = 9  # of a ratio: enough to say exactly how many of up to 500 million units are removed
LARGEST = 1 - 10.0**-DECIMALS


def check_ratio(part: str, ratio: object) -> float:
    """Check a pruning ratio: the fraction removed, in [0, 1), rounded to nine decimals."""
    if not isinstance(ratio, int | float) or isinstance(ratio, bool) or not 0 <= ratio < 1:
        raise RecipeError(f"Pruning ratio of {part[:80]!r} must be in [0, 1), got {str(ratio)[:40]}.")
    return min(round(float(ratio), DECIMALS), LARGEST)


def _ratios(what: str, given: object) -> Mapping[str, float]:
    if not isinstance(given, Mapping):
        raise RecipeError(f"{what} must map part names to ratios, got {type(given).__name__}.")
    checked = {str(part): check_ratio(str(part), ratio) for part, ratio in given.items()}
    return frozen({part: ratio for part, ratio in checked.items() if ratio > 0})


def _indices(what: str, given: object) -> Mapping[str, tuple[int, ...]]:
    if not isinstance(given, Mapping):
        raise RecipeError(
            f"{what!r} must map group names to lists of channel numbers, got {type(given).__name__}."
        )
    checked = {}
    for group, indices in given.items():
        listed = isinstance(indices, list | tuple | set | frozenset)
        if not listed or not all(isinstance(i, int) and not isinstance(i, bool) and i >= 0 for i in indices):
            raise RecipeError(
                f"{what!r} of {str(group)[:80]!r} must list channel numbers from 0, got {str(indices)[:80]}."
            )
        if indices:
            checked[str(group)] = tuple(sorted(set(indices)))
    return frozen(checked)


def _names(given: object) -> tuple[str, ...]:
    if not isinstance(given, list | tuple | set | frozenset) or not all(isinstance(n, str) for n in given):
        raise RecipeError(f"'blocks' must list names of blocks, got {str(given)[:80]}.")
    return tuple(sorted(set(given)))


@dataclass(frozen=True)
class Recipe:
    """Everything that the user decides about a pruning; the empty recipe is the dense model.

    Args:
        channels: coupled group -> fraction of its units removed (structured), cut first.
        weights: layer -> fraction of its surviving weights set to zero (unstructured).
        pattern: "free", or n:m such as "2:4", which keeps n of each m consecutive inputs.
        keep: group -> units that are kept whatever their score.
        remove: group -> units that are removed whatever their score.
        criterion: what rates weights and channels.
        reduction: which members rate a channel: "sum" over all its producers, the "first" only, or "all"
            slots.
        round_to: channel counts become multiples of this if a group allows it.
        after: a cheap repair after the cut: "none", "bn_recalibration", "bias_correction" or
            "least_squares".
        blocks: residual branches that are removed, by name.
        seed: for every random choice.
    Raises:
        RecipeError: a value is not allowed.

    >>> Recipe(channels={"conv1": 0.5}).with_weights("fc", 0.9).to_json()["weights"]
    {'fc': 0.9}
    """

    channels: Mapping[str, float] = field(default_factory=dict)
    weights: Mapping[str, float] = field(default_factory=dict)
    pattern: str = "free"
    keep: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    remove: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    criterion: Choice = field(default_factory=lambda: Choice("l1"))
    reduction: str = "sum"
    round_to: int = 1
    after: str = "none"
    blocks: tuple[str, ...] = ()
    seed: int = 0

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "channels", _ratios("'channels'", self.channels))
        put(self, "weights", _ratios("'weights'", self.weights))
        put(self, "keep", _indices("keep", self.keep))
        put(self, "remove", _indices("remove", self.remove))
        if self.pattern != "free":
            match = PATTERN.match(self.pattern) if isinstance(self.pattern, str) else None
            if not match or int(match[1]) >= int(match[2]):
                raise RecipeError(
                    f"Pattern must be 'free' or n:m with n < m, such as '2:4', got {self.pattern!r}."
                )
        if not isinstance(self.criterion, Choice):
            raise RecipeError(f"'criterion' must be a name with parameters, got {self.criterion!r}.")
        if self.reduction not in REDUCTIONS:
            raise RecipeError(f"Reduction must be one of {', '.join(REDUCTIONS)}, got {self.reduction!r}.")
        if self.after not in AFTER:
            raise RecipeError(f"'after' must be one of {', '.join(AFTER)}, got {self.after!r}.")
        put(self, "blocks", _names(self.blocks))
        for name, low, high in (("round_to", 1, 1024), ("seed", 0, 2**31 - 1)):
            number = getattr(self, name)
            if not isinstance(number, int) or isinstance(number, bool) or not low <= number <= high:
                raise RecipeError(f"{name!r} must be a whole number from {low} to {high}, got {number!r}.")
        for group in self.keep:
            both = set(self.keep[group]) & set(self.remove.get(group, ()))
            if both:
                raise RecipeError(
                    f"Channel {min(both)} of {group!r} is both kept and removed by hand; choose one."
                )

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    def with_channels(self, group: str, ratio: float) -> "Recipe":
        return replace(self, channels={**self.channels, group: ratio})

    def with_weights(self, layer: str, ratio: float) -> "Recipe":
        return replace(self, weights={**self.weights, layer: ratio})

    def with_ratios(self, granularity: Graded, ratios: Mapping[str, float]) -> "Recipe":
        """Return the recipe with all ratios of one granularity replaced."""
        return replace(self, channels=ratios) if granularity == CHANNEL else replace(self, weights=ratios)

    def ratios(self, granularity: Graded) -> Mapping[str, float]:
        """Return each part's ratio for one granularity."""
        return self.channels if granularity == CHANNEL else self.weights

    @property
    def is_empty(self) -> bool:
        """Whether nothing is removed."""
        return not (self.channels or self.weights or self.remove or self.blocks)

    @property
    def is_structured(self) -> bool:
        """Whether channels or blocks are removed, so that the model becomes smaller."""
        return bool(self.channels or self.remove or self.blocks)

    def scaled(self, strength: float) -> "Recipe":
        """Return the recipe at a fraction of its strength: every ratio times `strength` in [0, 1].

        Channels removed by hand and blocks are all removed at full strength and not at all below it.
        """

        def scale(ratios):
            return {part: ratio * strength for part, ratio in ratios.items()}

        remove, blocks = (self.remove, self.blocks) if strength >= 1 else ({}, ())
        left = replace(self, channels=scale(self.channels), weights=scale(self.weights))
        return replace(left, remove=remove, blocks=blocks)

    def to_json(self) -> dict[str, Any]:
        return {
            "channels": dict(self.channels),
            "weights": dict(self.weights),
            "pattern": self.pattern,
            "keep": {k: list(v) for k, v in self.keep.items()},
            "remove": {k: list(v) for k, v in self.remove.items()},
            "criterion": self.criterion.to_json(),
            "reduction": self.reduction,
            "round_to": self.round_to,
            "after": self.after,
            "seed": self.seed,
            **({"blocks": list(self.blocks)} if self.blocks else {}),  # else as before there were blocks
        }

    @classmethod
    def from_json(cls, data: object) -> "Recipe":
        """Return a recipe from foreign JSON data (a file, a URL).

        Raises:
            RecipeError: unknown keys or values that are not allowed.
        """
        if not isinstance(data, Mapping):
            raise RecipeError(f"A recipe must be a JSON object, got {type(data).__name__}.")
        known = {f.name for f in fields(cls)}
        unknown = sorted(str(key) for key in set(data) - known)
        if unknown:
            raise RecipeError(
                f"A recipe has no key {unknown[0][:80]!r}. Its keys are {', '.join(sorted(known))}."
            )
        values = dict(data)
        if "criterion" in values:
            choice = values["criterion"]
            if isinstance(choice, str):
                choice = {"name": choice}
            if (
                not isinstance(choice, Mapping)
                or not set(choice) <= {"name", "params"}
                or "name" not in choice
            ):
                raise RecipeError(
                    "'criterion' must be a name, or an object with name and params, got "
                    f"{str(choice)[:80]!r}."
                )
            values["criterion"] = Choice(choice["name"], choice.get("params", {}))
        try:
            return cls(**values)
        except (TypeError, ValueError, AttributeError) as error:
            raise RecipeError(f"A value of the recipe has the wrong type: {error}.") from error

    @property
    def fingerprint(self) -> str:
        """Return a hash of the canonical JSON; equal recipes have equal fingerprints."""
        return hashlib.sha256(canonical_json(self.to_json()).encode()).hexdigest()[:16]

    def _differences(self) -> dict[str, Any]:
        default = Recipe().to_json()
        return {key: value for key, value in self.to_json().items() if value != default.get(key)}

    def to_url(self) -> str:
        """Return the recipe as a URL's parameter, without defaults: Recipe -> URL -> Recipe is the
        identity.
        """
        return link.packed(self._differences())

    @classmethod
    def from_url(cls, text: str) -> "Recipe":
        """Return the recipe of a URL's parameter.

        Raises:
            RecipeError: the text is damaged, too long, or not a recipe.
        """
        return cls.from_json(link.unpacked(text))
