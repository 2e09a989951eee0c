"""Ways to divide what a metric counts into groups: classes of pixels, sizes of objects, labels, answers of
the dense model, ranges of the target, positions and frequency of tokens.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from ..measuring.judging import metrics_of
from ..metrics.boxes import found_boxes, matched, true_boxes
from ..metrics.checks import IGNORED, f1_of, ratio_of_two, share
from ..metrics.dense_outputs import class_scores, leaves
from ..metrics.numbers import pair_of
from ..metrics.overlap import overlaps
from ..metrics.tokens import nats_of, scores_and_tokens
from ..registry import METRICS
from ..values.metric import Metric
from ..values.samples import Split
from ..values.subject import Task

LOOKED_AT = 512  # samples whose targets say where one group ends and the next begins
SIZES = ("small", "medium", "large")
MOST_ANSWERS = 1000  # of the dense model
RANGES, POSITIONS, FREQUENCIES = 5, 4, 3
SURE, OVERLAP = 0.5, 0.5  # of boxes that count as found
OFTEN = ("frequent tokens", "tokens in between", "rare tokens")


@dataclass(frozen=True, eq=False)
class Parting:
    """One way to divide samples, or what is in them, into groups.

    Args:
        title: what the groups are.
        name: a group's number -> its name.
        metric: of one group: its value of (..., k) sums.
        rows: (outputs, targets) -> (samples, groups, k) float64; the last of k says how much of the group a
            sample really holds, such as its pixels or boxes.
        width: k.
    """

    title: str
    name: Callable[[int], str]
    metric: Metric
    rows: Callable[[Any, Any], Tensor]
    width: int = 2


def partings_of(task: Task, split: Split) -> tuple[Parting, ...]:
    """Return the ways that fit a task's deciding metric; none if there is no such way."""
    metric = metrics_of(task)[0].name
    find = KINDS.get(metric)
    if find is None or task.scores is not None or not isinstance(task.metrics[0], str):
        return ()
    looked = 1 if find is _of_dense_answers else LOOKED_AT
    return find(task, split.targets_at(0, min(looked, len(split))))


# --------------------------------------------------------------------------- pixels and boxes


def _of_pixels(task: Task, targets: Any) -> tuple[Parting, ...]:
    def rows(outputs: Any, targets: Any) -> Tensor:
        found = overlaps("mean_iou", outputs, targets)
        return found.view(len(found), 3, -1).transpose(1, 2)

    def name(number: int) -> str:
        return named(task.class_names, number, "class")

    return (Parting("Classes of pixels", name, Metric("iou", "IoU", rows, _union, unit="%"), rows, 3),)


def _union(sums: Tensor) -> Tensor:
    both, said, there = sums.unbind(-1)
    return share(both, said + there - both)


def _of_boxes(task: Task, targets: Any) -> tuple[Parting, ...]:
    known = true_boxes("detection_f1", targets, len(targets))
    edges = edges_of(_sides(known)[known[..., 4] >= 0], len(SIZES)).round(decimals=1).unique()

    def rows(outputs: Any, targets: Any) -> Tensor:
        said = found_boxes("detection_f1", outputs)
        there = true_boxes("detection_f1", targets, len(said)).to(said.device)
        said[..., 5] = said[..., 5].masked_fill(said[..., 4] < SURE, -1)
        is_found = matched(said, there, OVERLAP)[1]
        real = there[..., 4] >= 0
        groups = torch.bucketize(_sides(there), edges.to(there.device))
        return _summed(groups, torch.stack([is_found & real, real], -1), len(edges) + 1)

    def name(number: int) -> str:
        size = SIZES[number] if len(edges) == len(SIZES) - 1 else "objects"
        return f"{size} ({between(edges, number)} pixels)"

    metric = Metric("found_boxes", "share of objects found", rows, ratio_of_two, unit="%")
    return (Parting("Sizes of objects", name, metric, rows),)


def _sides(boxes: Tensor) -> Tensor:
    """Return the side of a square as large as each box."""
    return (boxes[..., 2:4] - boxes[..., :2]).clamp_min(0).prod(-1).sqrt()


# --------------------------------------------------------------------------- labels and answers


def _of_labels(task: Task, targets: Any) -> tuple[Parting, ...]:
    def rows(outputs: Any, targets: Any) -> Tensor:
        counts = METRICS["multilabel_f1"]().statistics(outputs, targets)
        parts = counts.view(len(counts), 3, -1).transpose(1, 2)  # hits, false alarms, misses
        return torch.cat([parts, parts[..., :1] + parts[..., 2:]], -1)

    def name(number: int) -> str:
        return named(task.class_names, number, "label")

    def value(sums: Tensor) -> Tensor:
        return f1_of(*sums[..., :3].unbind(-1))

    metric = Metric("f1", "F1", rows, value, unit="%", of_scores=True)
    return (Parting("Labels", name, metric, rows, 4),)


def _of_dense_answers(task: Task, targets: Any) -> tuple[Parting, ...]:
    """Divide by what the dense model answers, as long as that is one of not too many classes."""
    theirs = leaves(targets[1])
    classes = theirs[0].shape[1] if theirs and theirs[0].dim() == 2 else 0
    if not 2 <= classes <= MOST_ANSWERS:
        return ()

    def rows(outputs: Any, dense: Any) -> Tensor:
        ours, known = class_scores("same_answer", outputs, dense)
        groups = known.argmax(2)
        same = ours.argmax(2) == groups
        return _summed(groups, torch.stack([same, torch.ones_like(same)], -1), classes)

    def name(number: int) -> str:
        return named(task.class_names, number, "answer")

    metric = Metric("same_answer", "same answer", rows, ratio_of_two, unit="%", needs="dense")
    return (Parting("Answers of the dense model", name, metric, rows),)


# --------------------------------------------------------------------------- numbers


def _of_numbers(task: Task, targets: Any) -> tuple[Parting, ...]:
    known = targets.double().reshape(len(targets), -1)
    return (_of_ranges(known) if known.shape[1] == 1 else _of_columns(),)


def _mean_error(rows: Callable[[Any, Any], Tensor]) -> Metric:
    return replace(METRICS["mae"](), statistics=rows)


def _of_ranges(known: Tensor) -> Parting:
    edges = edges_of(known.flatten(), RANGES)

    def rows(outputs: Any, targets: Any) -> Tensor:
        said, truth = pair_of("mae", outputs, targets)
        groups = torch.bucketize(truth, edges.to(truth.device))
        errors = (said - truth).abs()
        return _summed(groups, torch.stack([errors, torch.ones_like(errors)], -1), len(edges) + 1)

    return Parting("Ranges of the target", lambda n: between(edges, n), _mean_error(rows), rows)


def _of_columns() -> Parting:
    def rows(outputs: Any, targets: Any) -> Tensor:
        said, truth = pair_of("mae", outputs, targets)
        errors = (said - truth).abs()
        return torch.stack([errors, torch.ones_like(errors)], -1)

    return Parting("Predicted numbers", lambda n: f"number {n + 1}", _mean_error(rows), rows)


# --------------------------------------------------------------------------- tokens


def _of_tokens(task: Task, targets: Any) -> tuple[Parting, ...]:
    tokens = targets[0] if isinstance(targets, tuple) else targets
    length = tokens.shape[1]
    reach = -(-length // POSITIONS)
    places = torch.arange(length) // reach

    def place_name(number: int) -> str:
        return f"tokens {number * reach + 1:,} to {min(length, (number + 1) * reach):,}"

    often, counts = _frequency(tokens[tokens != IGNORED].flatten())

    def bins(tokens: Tensor) -> Tensor:
        known = often.to(tokens.device)
        return torch.where(tokens < len(known), known[tokens.clamp(0, len(known) - 1)], FREQUENCIES - 1)

    by_place = _of_surprise(
        lambda tokens: places.to(tokens.device).expand(tokens.shape), int(places.max()) + 1
    )
    by_count = _of_surprise(bins, FREQUENCIES)
    return (
        Parting("Positions", place_name, _perplexity(by_place), by_place),
        Parting(
            "Token frequencies", lambda n: f"{OFTEN[n]} ({counts[n]:,})", _perplexity(by_count), by_count
        ),
    )


def _perplexity(rows: Callable[[Any, Any], Tensor]) -> Metric:
    return replace(METRICS["perplexity"](), statistics=rows)


def _of_surprise(bins: Callable[[Tensor], Tensor], groups: int) -> Callable[[Any, Any], Tensor]:
    def rows(outputs: Any, targets: Any) -> Tensor:
        scores, tokens = scores_and_tokens("perplexity", outputs, targets, False)
        counts = tokens != IGNORED
        parts = torch.stack([nats_of(scores, tokens), counts.double()], -1)
        return _summed(bins(tokens.clamp_min(0)), parts, groups)

    return rows


def _frequency(tokens: Tensor) -> tuple[Tensor, list[int]]:
    """Return (tokens,) int64, the group of each known token, and how many different tokens are in each group;
    each group makes up about a third of a text.
    """
    counts = torch.bincount(tokens)
    order = counts.argsort(descending=True, stable=True)
    before = counts[order].cumsum(0) - counts[order]  # occurrences of all more frequent tokens
    groups = torch.empty_like(counts)
    groups[order] = (before * FREQUENCIES // max(1, len(tokens))).clamp_max(FREQUENCIES - 1)
    seen = torch.bincount(groups[counts > 0], minlength=FREQUENCIES)
    return groups, seen.tolist()


# --------------------------------------------------------------------------- groups


def named(class_names: Sequence[str], number: int, kind: str) -> str:
    """Return the name of a class, or its number if it has none.

    >>> named(("cat",), 0, "class"), named(("cat",), 1, "label")
    ('cat', 'label 1')
    """
    return class_names[number] if number < len(class_names) else f"{kind} {number}"


def edges_of(values: Tensor, groups: int) -> Tensor:
    """Return the values that divide others into groups of about the same number, without repeats."""
    shares = torch.arange(1, groups, dtype=torch.float64) / groups
    if not len(values):
        return torch.zeros(0, dtype=torch.float64)
    edges = torch.quantile(values.double(), shares).unique()
    return edges[edges < values.max()]


def between(edges: Tensor, number: int) -> str:
    """Return the range of a group.

    >>> [between(torch.tensor([1.0, 2.5]), number) for number in range(3)]
    ['up to 1', '1 to 2.5', 'above 2.5']
    """
    if not len(edges):
        return "all"
    if number == 0:
        return f"up to {edges[0]:.4g}"
    if number == len(edges):
        return f"above {edges[-1]:.4g}"
    return f"{edges[number - 1]:.4g} to {edges[number]:.4g}"


def _summed(groups: Tensor, values: Tensor, count: int) -> Tensor:
    """Add up what belongs to each group: (n, m) groups, (n, m, k) values -> (n, count, k) float64."""
    return one_hot(groups, count).double().transpose(1, 2) @ values.double()


KINDS: dict[str, Callable[[Task, Any], tuple[Parting, ...]]] = {
    **dict.fromkeys(("mean_iou", "dice"), _of_pixels),
    **dict.fromkeys(("detection_f1", "mean_average_precision"), _of_boxes),
    "multilabel_f1": _of_labels,
    "same_answer": _of_dense_answers,
    **dict.fromkeys(("mae", "rmse", "r2"), _of_numbers),
    **dict.fromkeys(("perplexity", "next_token_accuracy", "bits_per_byte"), _of_tokens),
}
