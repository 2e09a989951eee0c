"""What was done to a model after its cut, as stored with a run: the recovery, and the dense model's equal
training.
"""

from dataclasses import dataclass
from typing import Any

from ..values.json_fields import built
from .training_plan import RecoveryPlan
from .values import MeasuredArm, Recovery

# method -> what was done, in a word or two
DONE = {
    "finetune": "fine-tuned",
    "distill": "distilled",
    "iterative": "pruned in rounds",
    "gradual": "pruned while training",
    "rewind": "rewound",
    "regularise": "regularised before",
    "scratch": "from scratch",
    "recalibrate": "recalibrated",
}


@dataclass(frozen=True)
class Kept:
    """A finished recovery, stored with the report of its model.

    Args:
        recovery: the weights of its first seed are kept.
        dense: the dense model after the same training, the fair control; None if it was not trained.
    """

    recovery: Recovery
    dense: MeasuredArm | None = None

    @property
    def fingerprint(self) -> str:
        """Return a fingerprint of what was done: the plan, and the seed whose weights are kept."""
        return f"{self.recovery.plan.fingerprint}-{self.recovery.plan.seeds[0]}"

    def to_json(self) -> dict[str, Any]:
        return {"recovery": self.recovery.to_json(), "dense": self.dense.to_json() if self.dense else None}

    @classmethod
    def from_json(cls, data: object) -> "Kept":
        return built(cls, data)

    def __str__(self) -> str:
        return done(self.recovery.plan)


def done(plan: RecoveryPlan) -> str:
    """Return what a plan does, in a few words.

    >>> done(RecoveryPlan(epochs=5)), done(RecoveryPlan("recalibrate"))
    ('fine-tuned, 5 epochs', 'recalibrated')
    """
    epochs = plan.trained_epochs
    return DONE[plan.method] + (f", {epochs:,} epoch{'s' * (epochs != 1)}" if epochs else "")
