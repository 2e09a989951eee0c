"""Do criteria agree? Rank correlations and overlaps between them, and the channels on which they fall apart."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from .engine import calibrate, scores_for
from .errors import ExplorerError
from .graph.export import ModelGraph
from .job_state import Progress
from .masking import removal_count
from .registry import CRITERIA
from .values import Choice, Recipe, Subject, check_ratio

Matrix = tuple[tuple[float | None, ...], ...]


@dataclass(frozen=True)
class Dispute:
    """A channel that some criteria keep and others remove.

    Args:
        share: of the criteria that keep it; the closest to one half are disputed most.
    """

    channel: int
    kept_by: tuple[str, ...]
    removed_by: tuple[str, ...]

    @property
    def share(self) -> float:
        return len(self.kept_by) / (len(self.kept_by) + len(self.removed_by))


@dataclass(frozen=True)
class Agreement:
    """How far criteria agree about the channels of one coupled group.

    Args:
        criteria: in the order of the rows and columns of the matrices.
        spearman, kendall: rank correlations from -1 to 1, None where a criterion rates all channels alike.
        overlap: share of the kept channels that two criteria have in common.
        ratio: fraction of channels removed, for overlap and disputes.
        disputed: channels, those with the most even votes first.
    """

    group: str
    criteria: tuple[str, ...]
    spearman: Matrix
    kendall: Matrix
    overlap: Matrix
    ratio: float
    disputed: tuple[Dispute, ...]


# --------------------------------------------------------------------------- numbers


def ranks(values: Tensor) -> Tensor:
    """(n,) -> (n,) float64 ranks from 1; equal values share their mean rank.

    >>> ranks(torch.tensor([3.0, 1.0, 3.0])).tolist()
    [2.5, 1.0, 2.5]
    """
    _, group, counts = values.unique(sorted=True, return_inverse=True, return_counts=True)
    last = counts.cumsum(0).double()
    return (last - (counts.double() - 1) / 2)[group]


def spearman(a: Tensor, b: Tensor) -> float | None:
    """Correlation of ranks (Spearman 1904), None where one side does not vary.

    >>> round(spearman(torch.tensor([1.0, 2.0, 3.0, 4.0]), torch.tensor([2.0, 1.0, 4.0, 3.0])), 4)
    0.6
    """
    x, y = (r - r.mean() for r in (ranks(a), ranks(b)))
    scale = float((x.square().sum() * y.square().sum()).sqrt())
    return float((x * y).sum()) / scale if scale else None


def kendall(a: Tensor, b: Tensor) -> float | None:
    """Concordant minus discordant pairs, tau-b, which corrects for ties (Kendall 1945); None where one side does not vary.

    >>> round(kendall(torch.tensor([1.0, 2.0, 3.0, 4.0]), torch.tensor([2.0, 1.0, 4.0, 3.0])), 4)
    0.3333
    """
    order = torch.argsort(a.double(), stable=True)
    a, b = a.double()[order], b.double()[order]
    together = a_varies = b_varies = 0
    for i in range(len(a) - 1):  # row by row: a table of all pairs would not fit for wide groups
        x, y = (a[i + 1 :] - a[i]).sign(), (b[i + 1 :] - b[i]).sign()
        together += int((x * y).sum())
        a_varies, b_varies = a_varies + int(x.abs().sum()), b_varies + int(y.abs().sum())
    return together / (a_varies * b_varies) ** 0.5 if a_varies and b_varies else None


def kept(scores: Tensor, ratio: float) -> Tensor:
    """(n,) bool: the channels that stay, of equal scores the later."""
    order = torch.argsort(scores, stable=True)
    mask = torch.ones(len(scores), dtype=torch.bool)
    mask[order[: removal_count(ratio, len(scores))]] = False
    return mask


# --------------------------------------------------------------------------- values


def agreement(group: str, scores: Mapping[str, Tensor], ratio: float) -> Agreement:
    """Compare criteria on one group.

    Args:
        scores: criterion -> (units,) saliency.
        ratio: fraction removed, for what is kept.
    """
    masks = {name: kept(score, ratio) for name, score in scores.items()}
    table = lambda measure, items: tuple(tuple(measure(a, b) for b in items.values()) for a in items.values())  # noqa: E731
    overlap = lambda a, b: int((a & b).sum()) / int(a.sum())  # noqa: E731
    return Agreement(
        group, tuple(scores), table(spearman, scores), table(kendall, scores), table(overlap, masks), ratio, _disputes(masks)
    )  # fmt: skip


def _disputes(masks: Mapping[str, Tensor]) -> tuple[Dispute, ...]:
    votes = torch.stack(list(masks.values()))  # (criteria, units)
    split = (votes.any(0) & ~votes.all(0)).nonzero().flatten().tolist()
    by = lambda channel, kept: tuple(name for name, mask in masks.items() if bool(mask[channel]) is kept)  # noqa: E731
    found = [Dispute(channel, by(channel, True), by(channel, False)) for channel in split]
    return tuple(sorted(found, key=lambda d: (abs(len(d.kept_by) - len(d.removed_by)), d.channel)))


@dataclass(frozen=True)
class Comparison:
    """Criteria compared on every coupled group.

    Args:
        groups: one entry a group, in the order of the graph.
        left_out: criterion -> why it cannot rate this model, one sentence.
    """

    groups: tuple[Agreement, ...]
    left_out: Mapping[str, str]


def compare(
    subject: Subject,
    graph: ModelGraph,
    recipe: Recipe,
    ratio: float,
    *,
    criteria: Sequence[str] | None = None,
    device: str = "cpu",
) -> Iterator[Progress | Comparison]:
    """Progress while signals are collected, and at last the comparison of all criteria that can rate this model.

    Args:
        recipe: its reduction, its seed and the parameters of its own criterion are used.
        criteria: names; None = all.
    Raises:
        ExplorerError: an unknown name, a ratio outside of [0, 1), or a model whose channels cannot be pruned.
    """
    ratio = check_ratio("compare", ratio)
    if not graph.profile.free_groups:
        raise ExplorerError(f"No channels of {subject.name!r} can be pruned, so there is nothing to compare.")
    scores: dict[str, Mapping[str, Tensor]] = {}
    left_out: dict[str, str] = {}
    for name in [CRITERIA[name].name for name in criteria or CRITERIA]:  # an unknown name is refused before any work
        own = recipe if name == recipe.criterion.name else replace(recipe, criterion=Choice(name))
        try:
            yield from calibrate(subject, graph, own, device)
            scores[name] = scores_for(subject, graph, own, device)["channels"]
        except ExplorerError as error:
            left_out[name] = str(error)
    of = lambda group: {name: found[group] for name, found in scores.items()}  # noqa: E731
    yield Comparison(tuple(agreement(group, of(group), ratio) for group in graph.profile.free_groups), left_out)
