"""The values of a recovery, while it runs and when it is done: frozen, JSON in, JSON out."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from ..values.json_fields import built
from ..values.metric import Scale
from ..values.recipe import Recipe
from ..values.report import Drop, Measurement
from .training_plan import RecoveryPlan


@dataclass(frozen=True)
class LossPoint:
    """The means over some consecutive batches.

    Args:
        epoch: trained so far, of this seed, including the part of the current one.
        loss, accuracy: means over the samples of these batches, before each step; the accuracy on augmented
            training samples, of masks that of pixels; None if answers are no classes.
        learning_rate: of the last step.
    """

    epoch: float
    loss: float
    accuracy: float | None
    learning_rate: float


@dataclass(frozen=True)
class EpochPoint:
    """The tuning split after an epoch (0: right after a cut).

    Args:
        phase: name of the phase, such as "round 2 of 5".
        pruned: the recipe (or this round's share of it) is cut; otherwise the model is still dense.
        kept: fraction of the dense model's parameters that are there and not zero.
        norms: for "regularise", the magnitudes counted into bins (see `regularisation.EDGES`), otherwise ().
    """

    seed: int
    phase: str
    epoch: int
    pruned: bool
    measurement: Measurement
    drop: Drop
    kept: float
    norms: tuple[int, ...] = ()

    def to_json(self) -> dict[str, Any]:
        plain = {f.name: getattr(self, f.name) for f in fields(self)}
        return plain | {
            "measurement": self.measurement.to_json(),
            "drop": self.drop.to_json(),
            "norms": list(self.norms),
        }

    @classmethod
    def from_json(cls, data: object) -> "EpochPoint":
        return built(cls, data)


@dataclass(frozen=True)
class MeasuredArm:
    """One version of the pruned model, measured on the same samples as the dense one."""

    name: str
    measurement: Measurement
    drop: Drop

    def to_json(self) -> dict[str, Any]:
        return {"name": self.name, "measurement": self.measurement.to_json(), "drop": self.drop.to_json()}

    @classmethod
    def from_json(cls, data: object) -> "MeasuredArm":
        return built(cls, data)


@dataclass(frozen=True)
class Recovery:
    """The state of a recovery.

    Args:
        subject: id, name, task of the model.
        key: name of its folder in the cache.
        baseline: the dense model.
        one_shot: right after the cut of the whole recipe.
        recalibrated: the same with norms measured again; None where there are no batch norms.
        recovered: one arm for each finished seed, in the order of the seeds; the first one's weights are
            kept.
        losses: of the seed that is running (or ran last).
        epochs: of all seeds so far.
        environment: where it was trained.
    """

    subject: Mapping[str, Any]
    key: str
    recipe: Recipe
    plan: RecoveryPlan
    baseline: Measurement
    total_samples: int
    one_shot: MeasuredArm
    recalibrated: MeasuredArm | None = None
    recovered: tuple[MeasuredArm, ...] = ()
    losses: tuple[LossPoint, ...] = ()
    epochs: tuple[EpochPoint, ...] = ()
    environment: Mapping[str, Any] | None = None
    notes: tuple[str, ...] = ()
    finished: bool = False

    @property
    def scale(self) -> Scale:
        """Return how the values of the metric that decides are read."""
        return self.one_shot.drop.scale

    @property
    def arms(self) -> tuple[MeasuredArm, ...]:
        """Return one-shot, recalibrated, then each seed that trained."""
        trained = self.recovered if self.plan.trained_epochs else ()
        return (self.one_shot, *([self.recalibrated] if self.recalibrated else []), *trained)

    def noted(self, note: str) -> "Recovery":
        return replace(self, notes=tuple(dict.fromkeys((*self.notes, note))))

    def to_json(self) -> dict[str, Any]:
        return {
            "subject": dict(self.subject),
            "key": self.key,
            "recipe": self.recipe.to_json(),
            "plan": self.plan.to_json(),
            "baseline": self.baseline.to_json(),
            "total_samples": self.total_samples,
            "one_shot": self.one_shot.to_json(),
            "recalibrated": self.recalibrated.to_json() if self.recalibrated else None,
            "recovered": [arm.to_json() for arm in self.recovered],
            "losses": [asdict(point) for point in self.losses],
            "epochs": [point.to_json() for point in self.epochs],
            "environment": dict(self.environment or {}),
            "notes": list(self.notes),
            "finished": self.finished,
        }

    @classmethod
    def from_json(cls, data: object) -> "Recovery":
        """Return a recovery from foreign JSON.

        Raises:
            FieldError: a field has a value that it cannot have.
            RecipeError: so has one of the recipe or the plan.
        """
        return built(cls, data)
