"""How to win accuracy back after pruning: one immutable value. JSON in, JSON out."""

import hashlib
import math
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import torch

from ..errors import RecipeError
from ..training.augmentation import AUGMENTATIONS
from ..values.plain import canonical_json
from ..values.subject import Subject
from .schedules import LEARNING_RATES, PRUNING

# method -> what it does, in one sentence
METHODS = {
    "finetune": "Trains what is left of the model; everything removed stays removed (Han et al. 2015, "
    "arXiv:1506.02626).",
    "distill": "Fine-tunes with the dense model as a teacher, whose probabilities are the target (Hinton et "
    "al. 2015, arXiv:1503.02531).",
    "iterative": "Prunes a little, trains, rates again, prunes more, up to the ratios of the recipe (Han et "
    "al. 2015; Zhu and Gupta 2017, arXiv:1710.01878).",
    "gradual": "Trains from new random weights and prunes a little more in each round: pruning during "
    "training (Zhu and Gupta 2017, arXiv:1710.01878).",
    "rewind": "Sets back weights (the lottery ticket, Frankle et al. 2019, arXiv:1903.01611) or only the "
    "learning rate (Renda et "
    "al. 2020, arXiv:2003.02389) to an earlier point of training, then trains again.",
    "regularise": "First trains the dense model with a penalty that pulls weights towards zero, then prunes "
    "and fine-tunes (Liu et al. 2017, arXiv:1708.06519; Wen et al. 2016, arXiv:1608.03665).",
    "scratch": "Trains the same smaller model from new random weights: the control that says what the old "
    "weights are worth (Liu et al. 2019, arXiv:1810.05270).",
    "recalibrate": "Trains nothing: measures the statistics of batch norms again on training data.",
}
OPTIMISERS = ("adamw", "sgd")
REWINDS = ("learning_rate", "weights")
PENALTIES = ("l1", "l2", "group_lasso")
MOST_SEEDS = 10
PULL = 0.8  # of the way to zero, for a weight of median size
CHOICES: dict[str, tuple[str, ...]] = {
    "method": tuple(METHODS),
    "optimiser": OPTIMISERS,
    "schedule": LEARNING_RATES,
    "augmentation": tuple(AUGMENTATIONS),
    "round_schedule": PRUNING,
    "rewind": REWINDS,
    "penalty": PENALTIES,
}
WHOLE = {
    "epochs": (1, 10_000),
    "batch_size": (2, 65_536),
    "patience": (0, 10_000),
    "rounds": (2, 100),
    "rewind_epoch": (0, 10_000),
    "penalty_epochs": (1, 10_000),
}
# name -> lowest, highest, whether the lowest itself is allowed
REAL = {
    "learning_rate": (0.0, 100.0, False),
    "weight_decay": (0.0, 10.0, True),
    "distillation_weight": (0.0, 1.0, True),
    "temperature": (0.0, 1000.0, False),
    "penalty_strength": (0.0, 100.0, False),
}


@dataclass(frozen=True)
class RecoveryPlan:
    """How a pruned model is trained; fields that a method does not use have no effect.

    Args:
        method: a name of METHODS.
        epochs: passes over the training split, all rounds together; for "rewind" those after the rewinding,
            for "regularise" including those with the penalty.
        optimiser: "adamw" or "sgd" (Nesterov momentum 0.9).
        learning_rate: the highest of the schedule.
        weight_decay: on parameters of two or more dimensions.
        schedule: of the learning rate, repeated in each round; "rewind" always runs one_cycle, the schedule
            of the samples.
        batch_size: samples per step; a smaller last batch is left out.
        augmentation: a name of AUGMENTATIONS.
        patience: of the last phase (after the last cut): stop after this many epochs in which the loss on the
            tuning split did not improve, and keep the best epoch; 0 trains to the end and keeps the last.
        distillation_weight: share of the teacher in the loss, in [0, 1].
        temperature: softens the probabilities of teacher and student.
        rounds: for "iterative" and "gradual", each with its share of the epochs; the first one of "gradual"
            cuts nothing.
        round_schedule: how the ratios grow over the rounds.
        rewind: what is set back.
        rewind_epoch: the epoch to go back to; the whole training has rewind_epoch + epochs epochs.
        penalty: "l1" or "l2" on each weight, or "group_lasso" on each output channel.
        penalty_strength: its factor in the loss.
        penalty_epochs: how many of the epochs come before the cut, with the penalty.
        seeds: one run each, in this order; the first one's model is kept.
    Raises:
        RecipeError: a value is not allowed.

    >>> RecoveryPlan(epochs=5).to_json()["method"]
    'finetune'
    """

    method: str = "finetune"
    epochs: int = 10
    optimiser: str = "adamw"
    learning_rate: float = 1e-3
    weight_decay: float = 5e-4
    schedule: str = "cosine"
    batch_size: int = 64
    augmentation: str = "none"
    patience: int = 0
    distillation_weight: float = 0.0
    temperature: float = 4.0
    rounds: int = 5
    round_schedule: str = "cubic"
    rewind: str = "learning_rate"
    rewind_epoch: int = 0
    penalty: str = "l1"
    penalty_strength: float = 1.0
    penalty_epochs: int = 5
    seeds: tuple[int, ...] = (0,)

    def __post_init__(self) -> None:
        for name, allowed in CHOICES.items():
            _check_choice(name, getattr(self, name), allowed)
        for name, (least, most) in WHOLE.items():
            value = getattr(self, name)
            if not _is_whole(value) or not least <= value <= most:
                raise RecipeError(
                    f"{name!r} must be a whole number from {least} to {most:,}, got {str(value)[:40]}."
                )
        for name, (low, high, closed) in REAL.items():
            object.__setattr__(self, name, _real(name, getattr(self, name), low, high, closed))
        object.__setattr__(self, "seeds", _seeds(self.seeds))
        self._check_together()

    def _check_together(self) -> None:
        if self.method in ("iterative", "gradual") and self.rounds > self.epochs:
            raise RecipeError(
                f"Each of {self.rounds} rounds needs an epoch; give at least {self.rounds} epochs or fewer "
                "rounds."
            )
        if self.method == "regularise" and self.penalty_epochs >= self.epochs:
            raise RecipeError(
                f"'penalty_epochs' must be below 'epochs' ({self.epochs}), so that some come after the cut, "
                f"got {self.penalty_epochs}."
            )
        if self.method == "distill" and not self.distillation_weight:
            raise RecipeError("Method 'distill' needs a 'distillation_weight' above 0, such as 0.5.")
        if self.method == "finetune" and self.distillation_weight:
            raise RecipeError(
                "Method 'finetune' has no teacher; use 'distill', or set 'distillation_weight' to 0."
            )

    @property
    def trained_epochs(self) -> int:
        """Return the number of epochs that one seed trains in all, including those before the cut."""
        if self.method == "recalibrate":
            return 0
        return self.epochs + (
            self.rewind_epoch + self.epochs if self.method == "rewind" and self.rewind == "weights" else 0
        )

    @property
    def fingerprint(self) -> str:
        """Return a hash of the canonical JSON."""
        return hashlib.sha256(canonical_json(self.to_json()).encode()).hexdigest()[:16]

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"seeds": list(self.seeds)}

    @classmethod
    def from_json(cls, data: object) -> "RecoveryPlan":
        """Return a plan from foreign JSON data.

        Raises:
            RecipeError: unknown keys or values that are not allowed.
        """
        if not isinstance(data, Mapping):
            raise RecipeError(f"A recovery plan must be a JSON object, got {type(data).__name__}.")
        known = [f.name for f in fields(cls)]
        unknown = sorted(str(key) for key in set(data) - set(known))
        if unknown:
            raise RecipeError(
                f"A recovery plan has no key {unknown[0][:80]!r}. Its keys are {', '.join(known)}."
            )
        return cls(**data)


def suggested(subject: Subject, method: str = "finetune", **given: Any) -> RecoveryPlan:
    """Return a plan that follows how the model was trained, as far as its card says: its optimiser, batches
    and augmentation.

    Fine-tuning begins at a fifth of the highest learning rate of training and takes a quarter of its epochs;
    rewinding keeps its rate and repeats its last three quarters.

    Args:
        given: fields that are known already.
    Raises:
        RecipeError: a field is not allowed.
    """
    _check_choice("method", method, CHOICES["method"])
    card = subject.card.get("training", {})
    known = {
        name: card[name]
        for name in ("optimiser", "batch_size", "weight_decay", "augmentation")
        if name in card
    }
    rate, epochs = card.get("learning_rate", 5e-3), card.get("epochs", 20)
    usual = known | {"learning_rate": rate / 5, "epochs": max(2, round(epochs / 4)), "method": method}
    if method == "rewind":
        usual |= {"learning_rate": rate, "epochs": epochs - epochs // 4, "rewind_epoch": epochs // 4}
    if method == "gradual":
        usual |= {"learning_rate": rate, "epochs": max(2, epochs), "schedule": "one_cycle"}
    if method == "distill":
        usual["distillation_weight"] = 0.5
    total = given.get("epochs", usual["epochs"])
    if _is_whole(total):
        usual |= {"rounds": min(5, max(2, total)), "penalty_epochs": max(1, total // 2)}
    if method == "regularise" and "penalty_strength" not in given:
        usual["penalty_strength"] = _strength(subject, replace(RecoveryPlan(), **usual | given))
    return replace(RecoveryPlan(), **usual | given)


def _strength(subject: Subject, plan: RecoveryPlan) -> float:
    """Return the strength at which a weight of median size would be pulled 80 % of its way to zero, if
    nothing pulled it back.
    """
    split = subject.task.split("training") if subject.task else None
    sizes = [weight.detach().abs().flatten() for weight in subject.model.parameters() if weight.dim() > 1]
    steps = max(1, len(split) // plan.batch_size * plan.penalty_epochs) if split is not None else 1
    rates = (
        plan.learning_rate * steps * (1 if plan.schedule == "constant" else 0.5)
    )  # their sum over the penalised steps
    found = PULL * float(torch.cat(sizes).median()) / rates if sizes else 0.0
    return min(max(float(f"{found:.1g}"), 1e-6), REAL["penalty_strength"][1])


def _check_choice(name: str, value: object, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise RecipeError(
            f"{name!r} of a recovery must be one of {', '.join(allowed)}, got {str(value)[:80]!r}."
        )


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _real(name: str, value: object, low: float, high: float, closed: bool) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    number = float(value) if is_number and abs(value) < sys.float_info.max else math.nan  # type: ignore[arg-type, operator]
    if not (low <= number <= high if closed else low < number <= high):
        allowed = f"from {low:g} to {high:g}" if closed else f"above {low:g} and at most {high:g}"
        raise RecipeError(f"{name!r} must be {allowed}, got {str(value)[:40]}.")
    return number


def _seeds(given: object) -> tuple[int, ...]:
    seeds = tuple(given) if isinstance(given, list | tuple) else ()
    sound = all(_is_whole(seed) and 0 <= seed < 2**31 for seed in seeds)
    if not sound or not 1 <= len(seeds) <= MOST_SEEDS or len(set(seeds)) != len(seeds):
        raise RecipeError(
            f"'seeds' must list 1 to {MOST_SEEDS} different whole numbers from 0, got {str(given)[:80]}."
        )
    return seeds
