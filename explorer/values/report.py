"""What was measured."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

from .granularity import Granularity
from .json_fields import built, check_entries
from .metric import Better, Scale
from .recipe import Recipe


@dataclass(frozen=True)
class Measurement:
    """What was measured for one model; None = not measured.

    Args:
        accuracy, accuracy_low, accuracy_high: fraction, with its 95 % Wilson interval; for a task whose
            metric is accuracy. loss: mean loss of the task, which is the cross-entropy unless the task names
            another. samples, correct: how many were measured, and how many of them were right. params,
            nonzero_params, macs: of the model, multiply-adds for one sample. size_bytes: dense, csr, bitmask,
            deflate -> bytes. latency_ms: median, p10, p90, batch. metric: the name of the metric that decides
            how good a model is. value, low, high: of that metric, with its 95 % interval; `unit` is "%" if
            they are fractions. others: further metrics -> value, low, high, unit.
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
    metric: str | None = None
    value: float | None = None
    low: float | None = None
    high: float | None = None
    unit: str | None = None
    others: Mapping[str, Mapping[str, Any]] | None = None

    def __post_init__(self) -> None:
        if self.metric is None and self.accuracy is not None:  # as in version 1
            same = {"value": self.accuracy, "low": self.accuracy_low, "high": self.accuracy_high}
            for name, number in {"metric": "accuracy", "unit": "%", **same}.items():
                object.__setattr__(self, name, number)

    def to_json(self) -> dict[str, Any]:
        plain = {f.name: getattr(self, f.name) for f in fields(self)}
        return {key: dict(value) if isinstance(value, Mapping) else value for key, value in plain.items()}

    @classmethod
    def from_json(cls, data: object) -> "Measurement":
        """Return a measurement from foreign JSON.

        Raises:
            FieldError: a field has a value that it cannot have.
        """
        measured = built(cls, data)
        for other in (measured.others or {}).values():
            check_entries("others", other, OTHER)
        if measured.latency_ms is not None:
            check_entries("latency_ms", measured.latency_ms, {}, ("median", "p10", "p90"))
        return measured


Verdict = Literal["different", "equivalent", "undecided"]
# what must be where in mappings that may hold other entries, too
OTHER = {"value": float | None, "low": float | None, "high": float | None, "unit": str | None}
SUBJECT = {"id": str, "name": str, "task": str | None, "task_fingerprint": str | None}
ENVIRONMENT = {
    **dict.fromkeys(("device", "device_name", "dtype", "torch", "explorer", "python", "system"), str),
    "threads": int,
}
SPEED_UP = {"ratio": float, "low": float, "high": float, "verdict": str}


@dataclass(frozen=True)
class Drop:
    """baseline - pruned of a metric on the same samples, with its interval and verdict.

    Args:
        estimate, low, high: in the metric's own number; positive is worse if higher is better.
        margin: a change below it has no practical importance.
    """

    estimate: float
    low: float
    high: float
    verdict: Verdict
    level: float = 0.95
    metric: str = "accuracy"
    unit: str = "%"
    better: Better = "higher"
    margin: float = 0.01

    @property
    def worse(self) -> bool | None:
        """Return whether the pruned model is known to be worse; None if that is undecided."""
        if self.verdict == "different":
            return (self.low > 0) == (self.better == "higher")
        return None if self.verdict == "undecided" else False

    @property
    def scale(self) -> Scale:
        """Return how the metric's values are read."""
        return Scale(self.metric, self.unit, self.better)

    @property
    def loss(self) -> float:
        """Return the estimate with the sign for which more is worse, whichever direction is better."""
        return self.estimate if self.better == "higher" else -self.estimate

    @property
    def most_lost(self) -> float:
        """Return the end of the interval with the largest loss, with the sign of `loss`."""
        return self.high if self.better == "higher" else -self.low

    def to_json(self) -> dict[str, Any]:
        return {f.name: getattr(self, f.name) for f in fields(self)} | {"worse": self.worse}

    @classmethod
    def from_json(cls, data: object) -> "Drop":
        """Return a drop from foreign JSON of any version, whose verdict contains `worse` itself.

        Raises:
            FieldError: a field has a value that it cannot have.
        """
        own = (
            {key: value for key, value in data.items() if key != "worse"}
            if isinstance(data, Mapping)
            else data
        )
        return built(cls, own)


@dataclass(frozen=True)
class PartOutcome:
    """Requested against achieved for one fader; a difference always has a reason."""

    name: str
    granularity: Granularity
    requested: float
    achieved: float
    units: int
    removed: int
    reason: str | None = None

    def to_json(self) -> dict[str, Any]:
        return {f.name: getattr(self, f.name) for f in fields(self)}


@dataclass(frozen=True)
class LayerOutcome:
    """What remains of one layer."""

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


@dataclass(frozen=True)
class Report:
    """Everything that was measured for one recipe on one subject.

    `stage` is "live" while the number comes from a part of the samples, "final" if it comes from the compact
    model on all requested samples. `speed_up` is time before / time after with its 95 % interval and verdict
    (ratio, low, high, verdict), None = not measured. `dtype_effect` is the pruned model's accuracy in float32
    minus that in the dtype that it was measured in (None = float32). `predicted_loss_change` is what the
    dense model's gradients on training samples predict for this cut to first order, in nats. `repaired` is
    what least squares makes of the same cut, on the same samples, and `repaired_drop` how far that is from
    the baseline (None = not measured, or the recipe names a repair itself, which `pruned` then has).
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
    predicted_loss_change: float | None = None
    dtype_effect: Drop | None = None
    repaired: Measurement | None = None
    repaired_drop: Drop | None = None

    @property
    def scale(self) -> Scale:
        """Return how the deciding metric's values are read."""
        if self.pruned.metric is None:
            return Scale()
        better = self.drop.better if self.drop else "higher"
        return Scale(self.pruned.metric, self.pruned.unit or "", better)

    def to_json(self) -> dict[str, Any]:
        return {
            "subject": dict(self.subject),
            "recipe": self.recipe.to_json(),
            "split": self.split,
            "stage": self.stage,
            "total_samples": self.total_samples,
            "baseline": self.baseline.to_json(),
            "pruned": self.pruned.to_json(),
            "drop": self.drop.to_json() if self.drop else None,
            "layers": [layer.to_json() for layer in self.layers],
            "parts": [part.to_json() for part in self.parts],
            "environment": dict(self.environment),
            "notes": list(self.notes),
            "speed_up": dict(self.speed_up) if self.speed_up else None,
            "predicted_loss_change": self.predicted_loss_change,
            "repaired": self.repaired.to_json() if self.repaired else None,
            "repaired_drop": self.repaired_drop.to_json() if self.repaired_drop else None,
            "dtype_effect": self.dtype_effect.to_json() if self.dtype_effect else None,
        }

    @classmethod
    def from_json(cls, data: object) -> "Report":
        """Return a report from foreign JSON.

        Raises:
            FieldError: a field has a value that it cannot have.
            RecipeError: so has one of the recipe.
        """
        report = built(cls, data)
        check_entries("subject", report.subject, SUBJECT, ["id"])
        check_entries("environment", report.environment, ENVIRONMENT)
        if report.speed_up:
            check_entries("speed_up", report.speed_up, SPEED_UP, SPEED_UP)
        return report
