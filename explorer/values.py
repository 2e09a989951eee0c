"""The nouns. Frozen values that every verb takes or returns; JSON in, JSON out."""

import base64
import binascii
import hashlib
import json
import re
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from types import MappingProxyType
from typing import Any, Literal

import torch
from torch import Tensor, nn

from .errors import RecipeError

PATTERN = re.compile(r"^([1-9]\d?):([1-9]\d?)\Z")
AFTER = ("none", "bn_recalibration", "bias_correction")
REDUCTIONS = ("sum", "first", "all")
URL_LIMIT = 60_000  # characters; a recipe for 200 layers needs about 2,000
JSON_LIMIT = 1_000_000  # bytes after inflation: a crafted URL must not fill the memory


def _frozen(mapping: Mapping) -> Mapping:
    return MappingProxyType(dict(sorted(mapping.items())))


def canonical_json(value: Any) -> str:
    """One text per value: sorted keys, no spaces."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


# --------------------------------------------------------------------------- recipe


@dataclass(frozen=True)
class Choice:
    """A plug-in by name, with the parameters that differ from its defaults."""

    name: str
    params: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name:
            raise RecipeError(f"A criterion must be a name such as 'l1', got {self.name!r}.")
        if not isinstance(self.params, Mapping) or not all(isinstance(name, str) for name in self.params):
            raise RecipeError(f"Parameters of {self.name!r} must map names to values, got {str(self.params)[:80]}.")
        try:
            canonical_json(dict(self.params))
        except (TypeError, ValueError, RecursionError) as error:
            raise RecipeError(f"Parameters of {self.name!r} must be plain numbers, texts or lists ({error}).") from error
        object.__setattr__(self, "params", _frozen(self.params))

    def __hash__(self) -> int:
        return hash((self.name, canonical_json(dict(self.params))))

    def to_json(self) -> dict[str, Any]:
        return {"name": self.name, "params": dict(self.params)}


def check_ratio(part: str, ratio: object) -> float:
    """A pruning ratio is the fraction removed, in [0, 1), kept to four decimals; the largest is 0.9999."""
    if not isinstance(ratio, int | float) or isinstance(ratio, bool) or not 0 <= ratio < 1:
        raise RecipeError(f"Pruning ratio of {part[:80]!r} must be in [0, 1), got {str(ratio)[:40]}.")
    return min(round(float(ratio), 4), 0.9999)


def _ratios(what: str, given: object) -> Mapping[str, float]:
    if not isinstance(given, Mapping):
        raise RecipeError(f"{what} must map part names to ratios, got {type(given).__name__}.")
    checked = {str(part): check_ratio(str(part), ratio) for part, ratio in given.items()}
    return _frozen({part: ratio for part, ratio in checked.items() if ratio > 0})


def _indices(what: str, given: object) -> Mapping[str, tuple[int, ...]]:
    if not isinstance(given, Mapping):
        raise RecipeError(f"{what!r} must map group names to lists of channel numbers, got {type(given).__name__}.")
    checked = {}
    for group, indices in given.items():
        listed = isinstance(indices, list | tuple | set | frozenset)
        if not listed or not all(isinstance(i, int) and not isinstance(i, bool) and i >= 0 for i in indices):
            raise RecipeError(f"{what!r} of {str(group)[:80]!r} must list channel numbers from 0, got {str(indices)[:80]}.")
        if indices:
            checked[str(group)] = tuple(sorted(set(indices)))
    return _frozen(checked)


@dataclass(frozen=True)
class Recipe:
    """Everything that the user decides about a pruning; the empty recipe is the dense model.

    Args:
        channels: coupled group -> fraction of its units removed (structured), cut first.
        weights: layer -> fraction of its surviving weights set to zero (unstructured).
        pattern: "free", or n:m such as "2:4", which keeps n of each m consecutive inputs.
        keep: group -> units that stay whatever their score.
        remove: group -> units that go whatever their score.
        criterion: what rates weights and channels.
        reduction: which members rate a channel: "sum" over all its producers, the "first" only, or "all" slots.
        round_to: channel counts become multiples of this where a group allows it.
        after: a cheap repair after the cut: "none", "bn_recalibration" or "bias_correction".
        seed: for every random choice.
    Raises:
        RecipeError: a value is outside of what is allowed.

    >>> Recipe(channels={"conv1": 0.5}).with_weights("fc", 0.9).to_json()["weights"]
    {'fc': 0.9}
    """

    channels: Mapping[str, float] = field(default_factory=dict)
    weights: Mapping[str, float] = field(default_factory=dict)
    pattern: str = "free"
    keep: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    remove: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    criterion: Choice = Choice("l1")
    reduction: str = "sum"
    round_to: int = 1
    after: str = "none"
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
                raise RecipeError(f"Pattern must be 'free' or n:m with n < m, such as '2:4', got {self.pattern!r}.")
        if not isinstance(self.criterion, Choice):
            raise RecipeError(f"'criterion' must be a name with parameters, got {self.criterion!r}.")
        if self.reduction not in REDUCTIONS:
            raise RecipeError(f"Reduction must be one of {', '.join(REDUCTIONS)}, got {self.reduction!r}.")
        if self.after not in AFTER:
            raise RecipeError(f"'after' must be one of {', '.join(AFTER)}, got {self.after!r}.")
        for name, low, high in (("round_to", 1, 1024), ("seed", 0, 2**31 - 1)):
            number = getattr(self, name)
            if not isinstance(number, int) or isinstance(number, bool) or not low <= number <= high:
                raise RecipeError(f"{name!r} must be a whole number from {low} to {high}, got {number!r}.")
        for group in self.keep:
            both = set(self.keep[group]) & set(self.remove.get(group, ()))
            if both:
                raise RecipeError(f"Channel {min(both)} of {group!r} is both kept and removed by hand; choose one.")

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    def with_channels(self, group: str, ratio: float) -> "Recipe":
        return replace(self, channels={**self.channels, group: ratio})

    def with_weights(self, layer: str, ratio: float) -> "Recipe":
        return replace(self, weights={**self.weights, layer: ratio})

    def with_ratios(self, granularity: str, ratios: Mapping[str, float]) -> "Recipe":
        """The recipe with all ratios of one granularity, "channel" or "weight", replaced."""
        return replace(self, channels=ratios) if granularity == "channel" else replace(self, weights=ratios)

    def ratios(self, granularity: str) -> Mapping[str, float]:
        """Part -> ratio of one granularity, "channel" or "weight"."""
        return self.channels if granularity == "channel" else self.weights

    @property
    def is_empty(self) -> bool:
        """Nothing is removed."""
        return not (self.channels or self.weights or self.remove)

    @property
    def is_structured(self) -> bool:
        """Channels are removed, so the model changes its shapes."""
        return bool(self.channels or self.remove)

    def scaled(self, strength: float) -> "Recipe":
        """The same profile at a fraction of its strength: every ratio times `strength` in [0, 1].

        Channels removed by hand go all at full strength and not at all below it.
        """
        scale = lambda ratios: {part: ratio * strength for part, ratio in ratios.items()}  # noqa: E731
        remove = self.remove if strength >= 1 else {}
        return replace(self, channels=scale(self.channels), weights=scale(self.weights), remove=remove)

    def to_json(self) -> dict[str, Any]:
        return {
            "channels": dict(self.channels), "weights": dict(self.weights), "pattern": self.pattern,
            "keep": {k: list(v) for k, v in self.keep.items()}, "remove": {k: list(v) for k, v in self.remove.items()},
            "criterion": self.criterion.to_json(), "reduction": self.reduction, "round_to": self.round_to,
            "after": self.after, "seed": self.seed,
        }  # fmt: skip

    @classmethod
    def from_json(cls, data: object) -> "Recipe":
        """A recipe from foreign JSON data (a file, a URL).

        Raises:
            RecipeError: unknown keys or values that are not allowed.
        """
        if not isinstance(data, Mapping):
            raise RecipeError(f"A recipe must be a JSON object, got {type(data).__name__}.")
        known = {f.name for f in fields(cls)}
        unknown = sorted(str(key) for key in set(data) - known)
        if unknown:
            raise RecipeError(f"A recipe has no key {unknown[0][:80]!r}. Its keys are {', '.join(sorted(known))}.")
        values = dict(data)
        if "criterion" in values:
            choice = values["criterion"]
            if isinstance(choice, str):
                choice = {"name": choice}
            if not isinstance(choice, Mapping) or not set(choice) <= {"name", "params"} or "name" not in choice:
                raise RecipeError(f"'criterion' must be a name, or an object with name and params, got {str(choice)[:80]!r}.")
            values["criterion"] = Choice(choice["name"], choice.get("params", {}))
        try:
            return cls(**values)
        except (TypeError, ValueError, AttributeError) as error:
            raise RecipeError(f"A value of the recipe has the wrong type: {error}.") from error

    @property
    def fingerprint(self) -> str:
        """Hash of the canonical JSON; equal recipes have equal fingerprints."""
        return hashlib.sha256(canonical_json(self.to_json()).encode()).hexdigest()[:16]

    def _differences(self) -> dict[str, Any]:
        default = Recipe().to_json()
        return {key: value for key, value in self.to_json().items() if value != default[key]}

    def to_url(self) -> str:
        """base64url of the deflated canonical JSON, defaults left out: Recipe -> URL -> Recipe is identity."""
        packed = zlib.compress(canonical_json(self._differences()).encode(), 9)
        return base64.urlsafe_b64encode(packed).decode().rstrip("=")

    @classmethod
    def from_url(cls, text: str) -> "Recipe":
        """The recipe of a URL's parameter.

        Raises:
            RecipeError: the text is mangled, too long, or not a recipe.
        """
        broken = "The recipe in this link is damaged or cut off; ask for the link again, or start from the dense model."
        if len(text) > URL_LIMIT:
            raise RecipeError(broken)
        try:
            packed = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
            inflater = zlib.decompressobj()
            raw = inflater.decompress(packed, JSON_LIMIT)
            if inflater.unconsumed_tail or inflater.unused_data or not inflater.eof:
                raise RecipeError(broken)
            data = json.loads(raw)
        except (binascii.Error, zlib.error, ValueError, RecursionError) as error:
            raise RecipeError(broken) from error
        return cls.from_json(data)


# --------------------------------------------------------------------------- data and models


@dataclass(frozen=True, eq=False)
class Split:
    """Samples in their fixed order: seeded, stratified.

    Args:
        inputs: (n, *shape), uint8 (kept small, normalised on the device) or float32.
        targets: (n,) int64 class numbers.
    """

    inputs: Tensor
    targets: Tensor

    def __len__(self) -> int:
        return len(self.targets)

    def first(self, samples: int) -> "Split":
        return Split(self.inputs[:samples], self.targets[:samples])


@dataclass(frozen=True)
class Normalisation:
    """float = (raw * scale - mean) / std, per channel; the lengths of mean and std are 1 or the channels."""

    scale: float = 1.0
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)

    def __call__(self, raw: Tensor) -> Tensor:
        """(n, channels, ...) of any dtype -> the same shape in float32."""
        shape = (1, -1) + (1,) * (raw.dim() - 2)
        mean = torch.tensor(self.mean, device=raw.device).view(shape)
        std = torch.tensor(self.std, device=raw.device).view(shape)
        return (raw.float() * self.scale - mean) / std


@dataclass(frozen=True)
class Preset:
    """How pictures become what a model reads, and what it calls its classes, as far as the model says.

    Args:
        normalisation: from bytes, 0 to 255.
        resize: pixels of a picture's shorter side before its centre is cropped; 0: just as many as the model reads.
        fit: "crop" keeps the picture's proportions and crops its centre; "stretch" resizes both sides.
        interpolation: a name of PIL's.
        class_names: () where the model does not say.
    """

    normalisation: Normalisation = Normalisation(1 / 255)
    resize: int = 0
    fit: Literal["crop", "stretch"] = "crop"
    interpolation: Literal["nearest", "bilinear", "bicubic", "lanczos"] = "bilinear"
    class_names: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Task:
    """What a model is evaluated on; splits are made or read when they are first asked for.

    Args:
        name: of the data set.
        shape: of one input, without the batch.
        class_names: one a class.
        load_split: "training", "tuning" or "held_out" -> Split, or None where there is none.
        normalisation: from stored inputs to what the model reads.
        note: shown beside the data, e.g. that it is small.
        source, licence: where the data comes from.
        fingerprint: hash of what defines the data, for the store's key.
    """

    name: str
    shape: tuple[int, ...]
    class_names: tuple[str, ...]
    load_split: Callable[[str], Split | None]
    normalisation: Normalisation = Normalisation()
    note: str = ""
    source: str = ""
    licence: str = ""
    fingerprint: str = ""

    @cached_property
    def _splits(self) -> dict[str, Split | None]:
        return {}

    def split(self, name: Literal["training", "tuning", "held_out"]) -> Split | None:
        """A split, loaded once."""
        if name not in self._splits:
            self._splits[name] = self.load_split(name)
        return self._splits[name]

    def example(self, batch: int = 2) -> Tensor:
        """A (batch, *shape) float input of zeros mean and unit variance, made without opening the data."""
        return torch.randn(batch, *self.shape, generator=torch.Generator().manual_seed(0))


@dataclass(frozen=True, eq=False)
class Subject:
    """A model in eval mode with its task. Shared between users, so never modified.

    Args:
        id: hash of architecture and weights.
        name: as the user named it.
        task: None where there is no data: everything but accuracy still works.
        card: what is known of it (training, accuracy), for samples.
        example: (2, *shape) float input.
        preset: how pictures become its inputs.
    """

    id: str
    name: str
    model: nn.Module
    task: Task | None
    example: Tensor
    card: Mapping[str, Any] = field(default_factory=dict)
    preset: Preset = Preset()


def subject_id(model: nn.Module) -> str:
    """Hash of the architecture's text and every parameter and buffer."""
    digest = hashlib.sha256(repr(model).encode())
    for name, tensor in model.state_dict().items():
        digest.update(f"{name}{tuple(tensor.shape)}{tensor.dtype}".encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:16]


# --------------------------------------------------------------------------- the analysed model


@dataclass(frozen=True)
class Layer:
    """One module that holds parameters.

    Args:
        name: dotted name of the module.
        kind: conv, linear, norm, embedding, attention or other.
        shape: of its weight; () where there is none.
        params: parameters, all tensors of the layer.
        macs: multiply-adds for one sample.
        prunable: weights of it can be set to zero (unstructured).
        weight: dotted name of its weight tensor, "" where there is none.
        input_dim: the dimension of the weight along which inputs lie (n:m blocks run along it).
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    params: int
    macs: int
    prunable: bool
    weight: str = ""
    input_dim: int = 1

    @property
    def output_dim(self) -> int:
        """The dimension of the weight along which outputs lie."""
        return 1 - self.input_dim


@dataclass(frozen=True)
class Slot:
    """A dimension of a tensor on which the units of a group live.

    Args:
        tensor: dotted name of the parameter or buffer.
        dim: dimension.
        unit_of: for each position along the dimension its unit, or -1 where another group lives.
        producer: the units are made here (a layer's outputs), not read.
    """

    tensor: str
    dim: int
    unit_of: tuple[int, ...]
    producer: bool = False

    @cached_property
    def units(self) -> Tensor:
        """`unit_of` as a tensor, (size,) int64."""
        return torch.tensor(self.unit_of)


@dataclass(frozen=True)
class Group:
    """Channels that must go together: one fader.

    Args:
        name: of the first layer that produces the units.
        units: how many can be removed as one (a channel, a whole attention head).
        slots: every place where the units live.
        members: layers that it touches, in the order of the graph.
        tied_by: why they are tied, in plain words.
        frozen: why it cannot be pruned, or None.
        unit: what one unit is: "channel" or "head".
    """

    name: str
    units: int
    slots: tuple[Slot, ...]
    members: tuple[str, ...]
    tied_by: tuple[str, ...] = ()
    frozen: str | None = None
    unit: str = "channel"


@dataclass(frozen=True)
class ModelProfile:
    """What is known of a model before it is pruned.

    Args:
        layers, groups: in the order of the graph.
        params: all parameters of the model.
        macs: multiply-adds of one sample, counted by torch's flop counter.
        error: why there is no graph (then there are no groups), or None.
    """

    layers: tuple[Layer, ...]
    groups: tuple[Group, ...]
    params: int
    macs: int
    error: str | None = None

    @cached_property
    def free_groups(self) -> dict[str, Group]:
        """The groups that can be pruned, by name."""
        return {group.name: group for group in self.groups if group.frozen is None}

    @cached_property
    def prunable_layers(self) -> dict[str, Layer]:
        """The layers whose weights can be set to zero, by name."""
        return {layer.name: layer for layer in self.layers if layer.prunable}


Scores = Mapping[str, Tensor]  # part -> saliency: (units,) of a group, the weight's shape of a layer


@dataclass(frozen=True, eq=False)
class Masks:
    """What stays: True = kept.

    Args:
        channels: group -> (units,) bool.
        weights: layer -> the weight's full shape, bool; positions of removed channels are False.
    """

    channels: Mapping[str, Tensor]
    weights: Mapping[str, Tensor]


# --------------------------------------------------------------------------- measurements


@dataclass(frozen=True)
class Measurement:
    """What was measured of one model; None = not measured.

    Args:
        accuracy, accuracy_low, accuracy_high: fraction, with its 95 % Wilson interval.
        loss: mean cross-entropy.
        samples, correct: of how many, how many right.
        params, nonzero_params, macs: of the model, multiply-adds for one sample.
        size_bytes: dense, csr, bitmask, deflate -> bytes.
        latency_ms: median, p10, p90, batch.
    """

    accuracy: float | None = None
    accuracy_low: float | None = None
    accuracy_high: float | None = None
    loss: float | None = None
    samples: int = 0
    correct: int | None = None
    params: int | None = None
    nonzero_params: int | None = None
    macs: int | None = None
    size_bytes: Mapping[str, int] | None = None
    latency_ms: Mapping[str, float] | None = None

    def to_json(self) -> dict[str, Any]:
        plain = {f.name: getattr(self, f.name) for f in fields(self)}
        return {key: dict(value) if isinstance(value, Mapping) else value for key, value in plain.items()}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Measurement":
        return cls(**data)


Verdict = Literal["different", "equivalent", "undecided"]


@dataclass(frozen=True)
class Drop:
    """baseline - pruned accuracy on the same samples (positive is worse), Bonett-Price interval, verdict."""

    estimate: float
    low: float
    high: float
    verdict: Verdict
    level: float = 0.95

    def to_json(self) -> dict[str, Any]:
        return {f.name: getattr(self, f.name) for f in fields(self)}


@dataclass(frozen=True)
class PartOutcome:
    """Requested against achieved for one fader; a difference always has a reason."""

    name: str
    granularity: Literal["channel", "weight"]
    requested: float
    achieved: float
    units: int
    removed: int
    reason: str | None = None

    def to_json(self) -> dict[str, Any]:
        return {f.name: getattr(self, f.name) for f in fields(self)}


@dataclass(frozen=True)
class LayerOutcome:
    """What is left of one layer."""

    name: str
    kind: str
    shape: tuple[int, ...]
    pruned_shape: tuple[int, ...]
    params: int
    pruned_params: int
    nonzero_params: int
    macs: int
    pruned_macs: int

    def to_json(self) -> dict[str, Any]:
        plain = {f.name: getattr(self, f.name) for f in fields(self)}
        return {key: list(value) if isinstance(value, tuple) else value for key, value in plain.items()}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "LayerOutcome":
        shapes: dict[str, Any] = {key: tuple(data[key]) for key in ("shape", "pruned_shape")}
        return cls(**{**data, **shapes})


@dataclass(frozen=True)
class Report:
    """Everything that was measured for one recipe on one subject.

    `stage` is "live" while the number comes from a part of the samples, "final" from the compact model on all asked for.
    `speed_up` is time before / time after with its 95 % interval and verdict (ratio, low, high, verdict), None = not measured.
    """

    subject: Mapping[str, Any]
    recipe: Recipe
    baseline: Measurement
    pruned: Measurement
    drop: Drop | None
    layers: tuple[LayerOutcome, ...]
    parts: tuple[PartOutcome, ...]
    environment: Mapping[str, Any]
    split: str = "tuning"
    stage: Literal["live", "final"] = "final"
    total_samples: int = 0
    notes: tuple[str, ...] = ()
    speed_up: Mapping[str, Any] | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "subject": dict(self.subject), "recipe": self.recipe.to_json(), "split": self.split, "stage": self.stage,
            "total_samples": self.total_samples, "baseline": self.baseline.to_json(), "pruned": self.pruned.to_json(),
            "drop": self.drop.to_json() if self.drop else None, "layers": [layer.to_json() for layer in self.layers],
            "parts": [part.to_json() for part in self.parts], "environment": dict(self.environment), "notes": list(self.notes),
            "speed_up": dict(self.speed_up) if self.speed_up else None,
        }  # fmt: skip

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Report":
        values = dict(data)
        values["recipe"] = Recipe.from_json(data["recipe"])
        values["baseline"], values["pruned"] = (Measurement.from_json(data[key]) for key in ("baseline", "pruned"))
        values["drop"] = Drop(**data["drop"]) if data["drop"] else None
        values["layers"] = tuple(LayerOutcome.from_json(row) for row in data["layers"])
        values["parts"] = tuple(PartOutcome(**row) for row in data["parts"])
        values["notes"] = tuple(data["notes"])
        return cls(**values)
