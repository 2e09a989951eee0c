"""The nouns of a lesson: text, experiment, prediction, claim, check question. One lesson is one declarative
file.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from ..values.granularity import Granularity
from ..values.recipe import Recipe

VerdictName = Literal["holds", "conditional", "fails", "open"]
VERDICTS: dict[VerdictName, str] = {
    "holds": "Holds",
    "conditional": "Holds only when",
    "fails": "Does not hold here",
    "open": "Not resolved here",
}
ROLES = ("first", "second", "third", "last", "largest", "thinnest")
MATCHES = ("units", "params", "macs")
EQUAL_IN = ("params", "macs", "latency")
BY_HAND = ("no", "producers", "everywhere")
COSTS = ("params", "nonzero_params", "macs", "dense", "csr", "bitmask", "deflate")
QUANTITIES = ("accuracy", "kept", "told_apart", "agreement", "joint", "speed", *COSTS)
VIEWS = ("curve", "sizes", "costs", "times", "matrices", "agreement", "spread")
PICTURES = ("layers", "magnitudes")
PREDICTIONS = ("curve", "number", "verdict", "arm")
DENSE = "dense"  # the arm that every experiment has


@dataclass(frozen=True)
class Section:
    """One screen of plain words: a title, Markdown, and the glossary terms that it uses.

    Args:
        picture: a picture of the model's weights: "layers" = how many each layer has, "magnitudes" = how
            large they are.
    """

    title: str
    text: str
    terms: tuple[str, ...] = ()
    picture: str = ""


@dataclass(frozen=True)
class Arm:
    """One way to prune, at each value of x.

    Args:
        name: short, for the file; label: for the reader.
        granularity: what is removed; blocks with the lowest `block_influence` are removed
            first.
        allocator: spreads x over the parts.
        parts: "all", or roles joined by "+": "first", "second", "third", "last", "largest", "thinnest".
        match: what x is a fraction of: "units" of these parts, or the model's "params" or "macs".
        equal_to: the arm whose cost this one matches at each x, "" = none; equal_in: which cost, "params",
            "macs" or measured "latency".
        points: its own values of x; () = those of the experiment.
        recipe: settings such as criterion, pattern, after and seed; its ratios are replaced.
        base: fraction of every group's channels that is removed first, before x (both kinds combined).
        samples: use only the first so many; None = as the experiment.
        model: another model than the experiment's, "" = the same.
        by_hand: "no" = the compact model; "producers" = weights of the producing layers set to zero and
            nothing else; "everywhere" = every slot set to zero.
        training: settings of a recovery plan that differ from the model's defaults; empty = no training.
    """

    name: str
    label: str
    granularity: Granularity
    allocator: str = "uniform"
    parts: str = "all"
    match: str = "units"
    equal_to: str = ""
    points: tuple[float, ...] = ()
    recipe: Recipe = field(default_factory=Recipe)
    base: float = 0.0
    samples: int | None = None
    model: str = ""
    by_hand: str = "no"
    training: Mapping[str, Any] = field(default_factory=dict)
    equal_in: str = "params"


@dataclass(frozen=True)
class Experiment:
    """What is measured.

    Args:
        model: the default; models: what the learner may choose instead.
        axis: what x is, in words.
        points: values of x, fractions in (0, 1).
        samples: use only the first so many of the tuning split; None = all.
        batches: sizes of the batches that are timed; () = nothing is timed.
        timed_at: the values of x that are timed.
        views: how the result is drawn.
    """

    model: str
    models: tuple[str, ...]
    axis: str
    points: tuple[float, ...]
    arms: tuple[Arm, ...]
    samples: int | None = None
    batches: tuple[int, ...] = ()
    timed_at: tuple[float, ...] = ()
    views: tuple[str, ...] = ("curve",)

    def arm(self, name: str) -> Arm:
        """Return the arm of that name."""
        return next(arm for arm in self.arms if arm.name == name)

    def points_of(self, arm: Arm) -> tuple[float, ...]:
        return arm.points or self.points


@dataclass(frozen=True)
class Case:
    """One comparison that a claim rests on: a quantity of an arm, against another arm or the dense model.

    accuracy is a difference (arm - against); kept is the share of the dense model's right answers that are
    left, minus that of another arm if there is one, perhaps of another model; told_apart asks whether a
    difference is beyond noise; agreement is the share of equal answers; joint is the arm's loss minus the sum
    of the losses of `sum_of`; speed is time of `against` / time of the arm; costs are ratios arm / against.
    The case says yes if the value is within (above, below).

    Args:
        name: in a few words, for sentences such as "holds for NAME at 50 %".
        at: values of x; () = all that both arms have.
        batch: batch size of a speed.
    """

    name: str
    quantity: str
    arm: str
    against: str = DENSE
    above: float = float("-inf")
    below: float = float("inf")
    at: tuple[float, ...] = ()
    sum_of: tuple[str, ...] = ()
    batch: int = 1


@dataclass(frozen=True)
class Claim:
    """A sentence, the cases that decide it, and what to say for each verdict ({yes}, {no}, {open} list the
    cases).
    """

    text: str
    cases: tuple[Case, ...]
    explain: Mapping[VerdictName, str]


@dataclass(frozen=True)
class Option:
    """One answer to choose; `verdict` or `arm` is what it predicts."""

    text: str
    verdict: str = ""
    arm: str = ""


@dataclass(frozen=True)
class Prediction:
    """The learner's prediction before the measurement.

    Args:
        kind: "curve" (accuracy of `arm` at each x), "number" (a cost of `arm` at x in per cent of the dense
            model), "verdict", or "arm" (which arm ends lowest or highest in accuracy at x).
        expected: the shape to expect, shown after the reveal.
    """

    kind: str
    question: str
    arm: str = ""
    quantity: str = "nonzero_params"
    x: float = 0.5
    extreme: str = "lowest"
    options: tuple[Option, ...] = ()
    expected: str = ""


@dataclass(frozen=True)
class Answer:
    """One answer of the check question, with the reason why it is right or wrong."""

    text: str
    right: bool
    reason: str


@dataclass(frozen=True)
class Check:
    question: str
    answers: tuple[Answer, ...]


@dataclass(frozen=True)
class Published:
    """Published figures, for comparing shapes: accuracy at x, labelled as theirs."""

    name: str
    x: tuple[float, ...] = ()
    accuracy: tuple[float, ...] = ()
    note: str = ""


@dataclass(frozen=True)
class Source:
    text: str
    url: str = ""


@dataclass(frozen=True)
class TryIt:
    """What the Prune page opens with: an arm at x."""

    text: str
    arm: str
    x: float


@dataclass(frozen=True)
class Lesson:
    """A lesson as its file describes it."""

    name: str
    number: int
    title: str
    minutes: int
    summary: str
    sections: tuple[Section, ...]
    experiment: Experiment
    prediction: Prediction
    claim: Claim
    check: Check
    try_it: TryIt
    published: tuple[Published, ...] = ()
    sources: tuple[Source, ...] = field(default_factory=tuple)
