"""Decides which stored runs can be compared, which are on the Pareto front, and where each came from. Values
only.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from ..measuring.metric_words import metric_title
from ..values.metric import ACCURACY, Scale
from ..values.report import Measurement
from .stored_run import Run

Cost = Literal["params", "nonzero_params", "macs", "size", "compressed", "latency"]
Standing = Literal["front", "within noise", "beaten"]

COSTS: dict[Cost, tuple[str, Callable[[Measurement], float | None]]] = {
    "params": ("Parameters", lambda m: m.params),
    "nonzero_params": ("Non-zero parameters", lambda m: m.nonzero_params),
    "macs": ("MACs per sample", lambda m: m.macs),
    "size": ("Dense size (bytes)", lambda m: (m.size_bytes or {}).get("dense")),
    "compressed": ("Compressed size (bytes)", lambda m: (m.size_bytes or {}).get("deflate")),
    "latency": ("Latency (ms a batch)", lambda m: (m.latency_ms or {}).get("median")),
}


# --------------------------------------------------------------------------- what may be compared


@dataclass(frozen=True)
class Ground:
    """What two values of a metric must share to be compared.

    Args:
        task: fingerprint of the data; name: of the data, for the screen.
        split, samples: the part of it that was measured.
        scale: of the metric that decides.
    """

    task: str
    name: str
    split: str
    samples: int
    scale: Scale = ACCURACY

    def __str__(self) -> str:
        metric = "" if self.scale == ACCURACY else f"{metric_title(self.scale.metric)}, "
        return f"{metric}{self.name}, {self.split.replace('_', '-')} split, {self.samples:,} samples"


def ground_of(run: Run) -> Ground | None:
    """Return the data that the run was measured on, or None if its quality was not measured."""
    about, measured = run.report.subject, run.report.pruned
    if measured.value is None:
        return None
    return Ground(
        str(about.get("task_fingerprint")),
        str(about.get("task")),
        run.report.split,
        measured.samples,
        run.report.scale,
    )


def grounds(runs: Iterable[Run]) -> list[Ground]:
    """Return the grounds of these runs, those with most runs first."""
    counted = Counter(ground for run in runs if (ground := ground_of(run)) is not None)
    return [ground for ground, _ in counted.most_common()]


def left_out(run: Run, ground: Ground, cost: Cost = "params", machine: str | None = None) -> str | None:
    """Return why a run cannot be compared with those of a ground, or None if it can.

    Args:
        machine: for latency, where it must have been measured (see `machine_of`); None = anywhere.
    """
    own = ground_of(run)
    if own is None:
        return "its quality was not measured"
    if own.task != ground.task:
        return f"it was measured on other data ({own.name})"
    if own.split != ground.split:
        return f"it was measured on the {own.split.replace('_', '-')} split"
    if own.samples != ground.samples:
        return f"it was measured on {own.samples:,} samples"
    if own.scale.metric != ground.scale.metric:
        return f"it was measured by {metric_title(own.scale.metric)}"
    label, read = COSTS[cost]
    if read(run.report.pruned) is None:
        return f"it has no measurement of {label.split(' (')[0]}"
    if cost == "latency" and machine is not None and machine_of(run) != machine:
        return f"its latency is of another machine ({machine_of(run)})"
    return None


def machine_of(run: Run) -> str:
    """Return the machine of a latency: device and threads."""
    where = run.report.environment
    threads = where.get("threads", "?")
    return (
        f"{where.get('device_name', where.get('device', 'unknown'))}, {threads} thread{'s' * (threads != 1)}"
    )


# --------------------------------------------------------------------------- the front


@dataclass(frozen=True)
class TradeOff:
    """A model placed by cost and the value of its metric, with the 95 % interval; `run` is None for a dense
    model.
    """

    name: str
    run: str | None
    cost: float
    value: float
    low: float
    high: float
    samples: int
    standing: Standing = "front"


def points(runs: Sequence[Run], cost: Cost, names: Mapping[str, str]) -> tuple[TradeOff, ...]:
    """Place the runs, and the dense model of each, and judge them against each other; the cheapest first.

    Args:
        runs: that may be compared (see `left_out`).
        names: run -> its name on screen.
    """
    dense = {
        str(run.report.subject["id"]): (f"dense {run.report.subject.get('name')}", run.report.baseline)
        for run in runs
    }
    found = [_point(names[run.name], run.name, run.report.pruned, cost) for run in runs]
    found += [_point(name, None, measured, cost) for name, measured in dense.values()]
    sign = runs[0].report.scale.sign if runs else 1
    return judged((point for point in found if point is not None), sign)


def _point(name: str, run: str | None, measured: Measurement, cost: Cost) -> TradeOff | None:
    amount = COSTS[cost][1](measured)
    if amount is None or measured.value is None:
        return None
    low, high = (measured.value if end is None else end for end in (measured.low, measured.high))
    return TradeOff(name, run, amount, measured.value, low, high, measured.samples)


def judged(given: Iterable[TradeOff], sign: int = 1) -> tuple[TradeOff, ...]:
    """Return the points with their standing, the cheapest first.

    On the front: none is at least as cheap and as good, and better in one. Beaten: the whole interval of one
    that costs no more is better. Within noise: all others, which another set of samples might put on the
    front.

    Args:
        sign: 1 if higher values are better, -1 if lower ones are.
    """
    ordered = sorted(given, key=lambda p: (p.cost, -sign * p.value))
    return tuple(
        TradeOff(**{**vars(point), "standing": _standing(point, ordered, sign)}) for point in ordered
    )


def _standing(point: TradeOff, others: Sequence[TradeOff], sign: int) -> Standing:
    cheap = [other for other in others if other.cost <= point.cost and other is not point]

    def better(o: TradeOff) -> bool:
        gain = sign * (o.value - point.value)
        return gain >= 0 and (gain > 0 or o.cost < point.cost)

    def beats(o: TradeOff) -> bool:
        return o.low > point.high if sign > 0 else o.high < point.low

    if not any(better(other) for other in cheap):
        return "front"
    return "beaten" if any(beats(other) for other in cheap) else "within noise"


# --------------------------------------------------------------------------- where each came from


@dataclass(frozen=True)
class TreeRow:
    """A run in the tree.

    Args:
        depth: how many runs it descends from, 0 for a root.
        parent: position in the tree of the run that it was made from, or None.
    """

    run: Run
    depth: int
    parent: int | None


def family(runs: Iterable[Run]) -> tuple[TreeRow, ...]:
    """Return the runs as a tree, parents before their children, the oldest first; a run whose parent is gone
    is a root.
    """
    ordered = sorted(runs, key=lambda run: (run.created, run.name))
    known = {run.name for run in ordered}
    placed: dict[str, int] = {}
    tree: list[TreeRow] = []

    def grow(run: Run, depth: int, parent: int | None) -> None:
        placed[run.name] = len(tree)
        tree.append(TreeRow(run, depth, parent))
        for child in ordered:
            if child.parent == run.name and child.name not in placed:
                grow(child, depth + 1, placed[run.name])

    for run in ordered:
        if run.parent not in known:
            grow(run, 0, None)
    for run in ordered:  # a circle, possible only in a file edited by hand, begins at its oldest run
        if run.name not in placed:
            grow(run, 0, None)
    return tuple(tree)


# --------------------------------------------------------------------------- finding runs again


def matching(runs: Iterable[Run], text: str = "", tags: Iterable[str] = ()) -> list[Run]:
    """Return the runs that contain every word of the text (in model, note, tags, criterion, parts or
    recovery) and have every tag.
    """
    words, wanted = text.lower().split(), set(tags)
    return [run for run in runs if wanted <= set(run.tags) and all(word in _words(run) for word in words)]


def _words(run: Run) -> str:
    recipe, model = run.report.recipe, str(run.report.subject.get("name"))
    found = [run.name, model, run.note, *run.tags, recipe.criterion.name, *recipe.channels, *recipe.weights]
    found += [str(run.recovery)] if run.recovery else []
    return " ".join(found).lower()
