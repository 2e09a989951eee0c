"""Do criteria agree? Rank correlations and overlaps between them, and the channels that they dispute."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import torch
from torch import Tensor

from ..errors import ExplorerError
from ..graph.analysed import Analysed
from ..pruning.cutting import removal_count
from ..pruning.decision import calibrate, scores_for
from ..registry import CRITERIA
from ..values.choice import Choice
from ..values.progress import Step, Work, reached
from ..values.recipe import Recipe
from .rank_correlation import Matrix, kendalls, spearmans

Measure = Literal["spearman", "kendall", "overlap"]
ALL = "all groups"


@dataclass(frozen=True)
class Dispute:
    """A channel that some criteria keep and others remove.

    Args:
        share: of the criteria that keep it; those closest to one half are disputed most.
    """

    channel: int
    kept_by: tuple[str, ...]
    removed_by: tuple[str, ...]

    @property
    def share(self) -> float:
        return len(self.kept_by) / (len(self.kept_by) + len(self.removed_by))


@dataclass(frozen=True, eq=False)
class Agreement:
    """How far criteria agree about the channels of one coupled group; numbers are computed on request.

    Args:
        scores: criterion -> (units,) saliency, in the order of the rows and columns of the matrices.
        ratio: fraction of channels removed, for overlap and disputes.
    """

    group: str
    scores: Mapping[str, Tensor]
    ratio: float

    @property
    def criteria(self) -> tuple[str, ...]:
        return tuple(self.scores)

    @cached_property
    def spearman(self) -> Matrix:
        """Return rank correlations from -1 to 1, None if a criterion rates all channels alike."""
        return spearmans(self._stacked)

    @cached_property
    def kendall(self) -> Matrix:
        """Return tau-b from -1 to 1, None if a criterion rates all channels alike."""
        return kendalls(self._stacked)

    @cached_property
    def overlap(self) -> Matrix:
        """Return the share of the kept channels that two criteria have in common."""
        votes = torch.stack(list(self._masks.values())).double()  # (criteria, units)
        return tuple(map(tuple, ((votes @ votes.T) / votes.sum(1, keepdim=True)).tolist()))

    @cached_property
    def disputed(self) -> tuple[Dispute, ...]:
        """Return the channels, those with the most even votes first."""
        return _disputes(self._masks)

    def matrix(self, measure: Measure) -> Matrix:
        """Return one of the three matrices."""
        return {
            "spearman": lambda: self.spearman,
            "kendall": lambda: self.kendall,
            "overlap": lambda: self.overlap,
        }[measure]()

    @property
    def _stacked(self) -> Tensor:
        return torch.stack([score.double() for score in self.scores.values()])

    @cached_property
    def _masks(self) -> Mapping[str, Tensor]:
        return {name: kept(score, self.ratio) for name, score in self.scores.items()}


@dataclass(frozen=True, eq=False)
class Overall:
    """How far criteria agree over several groups, at least one: means over the groups in which a number is
    known.
    """

    groups: tuple[Agreement, ...]

    @property
    def group(self) -> str:
        return ALL

    @property
    def criteria(self) -> tuple[str, ...]:
        return self.groups[0].criteria

    @property
    def disputed(self) -> tuple[Dispute, ...]:
        """Return nothing, since channels belong to single groups."""
        return ()

    def matrix(self, measure: Measure) -> Matrix:
        """Return the mean of one of the three matrices."""
        matrices, size = [found.matrix(measure) for found in self.groups], range(len(self.criteria))
        known = [[[value for m in matrices if (value := m[i][j]) is not None] for j in size] for i in size]
        return tuple(tuple(sum(cell) / len(cell) if cell else None for cell in row) for row in known)


def kept(scores: Tensor, ratio: float) -> Tensor:
    """Return (n,) bool: the channels that are kept; of equal scores, the later ones."""
    order = torch.argsort(scores, stable=True)
    mask = torch.ones(len(scores), dtype=torch.bool)
    mask[order[: removal_count(ratio, len(scores))]] = False
    return mask


# --------------------------------------------------------------------------- values


def _disputes(masks: Mapping[str, Tensor]) -> tuple[Dispute, ...]:
    votes = torch.stack(list(masks.values()))  # (criteria, units)
    split = (votes.any(0) & ~votes.all(0)).nonzero().flatten().tolist()

    def by(channel, kept):
        return tuple(name for name, mask in masks.items() if bool(mask[channel]) is kept)

    found = [Dispute(channel, by(channel, True), by(channel, False)) for channel in split]
    return tuple(sorted(found, key=lambda d: (abs(len(d.kept_by) - len(d.removed_by)), d.channel)))


@dataclass(frozen=True, eq=False)
class Ratings:
    """How every criterion rates every channel.

    Args:
        scores: criterion -> group -> (units,) saliency.
        left_out: criterion -> why it cannot rate this model, one sentence.
    """

    scores: Mapping[str, Mapping[str, Tensor]]
    left_out: Mapping[str, str]

    def at(self, group: str, ratio: float) -> Agreement | Overall:
        """Return how far they agree about one group, or about `ALL`."""
        groups = next(iter(self.scores.values())) if group == ALL else [group]
        found = tuple(
            Agreement(name, {c: scores[name] for c, scores in self.scores.items()}, ratio) for name in groups
        )
        return Overall(found) if group == ALL else found[0]


def check_comparable(model: Analysed) -> None:
    """Refuse a model without channels to compare.

    Raises:
        ExplorerError: no channels of the model can be pruned.
    """
    if not model.profile.free_groups:
        raise ExplorerError(
            f"No channels of {model.subject.name!r} can be pruned, so there is nothing to compare."
        )


def rate(
    model: Analysed,
    recipe: Recipe,
    *,
    criteria: Sequence[str] | None = None,
    device: str = "cpu",
) -> Work[Ratings]:
    """Yield Progress while signals are collected, and at the end how all criteria that can rate this model
    rate its channels.

    Args:
        recipe: its reduction, its seed and the parameters of its own criterion are used.
        criteria: names; None = all.
    Raises:
        ExplorerError: an unknown name, or a model whose channels cannot be pruned.
    """
    check_comparable(model)
    scores: dict[str, Mapping[str, Tensor]] = {}
    left_out: dict[str, str] = {}
    names = [
        CRITERIA[name].name for name in criteria or CRITERIA
    ]  # an unknown name is refused before any work
    for done, name in enumerate(names):
        own = recipe if name == recipe.criterion.name else replace(recipe, criterion=Choice(name))
        yield reached(done, len(names), f"Rating by {name}")
        try:
            yield from calibrate(model, own, device)
            scores[name] = scores_for(model, own, device).channels
        except ExplorerError as error:
            left_out[name] = str(error)
    yield Step(Ratings(scores, left_out))
