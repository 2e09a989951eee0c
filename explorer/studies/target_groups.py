"""Divides the samples of any additive metric by their own targets: by class, or by range of the number."""

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from ..values.metric import Metric
from .partings import RANGES, Parting, between, edges_of, named

MOST_CLASSES = 1000


@dataclass(frozen=True, eq=False)
class TargetGroups:
    """Which group each sample belongs to.

    Args:
        title: what the groups are. names: of all groups.
        numbers: (n,) int64, the group of each sample.
    """

    title: str
    names: tuple[str, ...]
    numbers: Tensor

    def parting(self, metric: Metric) -> Parting:
        """Return the way to divide rows of a metric, each with a column of ones behind it."""
        alone = replace(metric, value=lambda sums: metric.value(sums[..., :-1]))
        return Parting(self.title, self.names.__getitem__, alone, lambda outputs, targets: targets)

    def divided(self, rows: Tensor) -> Tensor:
        """Return (n, groups, k + 1) rows of the first n samples: those of a sample in its own group, and zero
        in all others.
        """
        where = one_hot(self.numbers[: len(rows)], len(self.names)).double()
        counted = torch.cat([rows.double(), torch.ones(len(rows), 1, dtype=torch.float64)], 1)
        return where[:, :, None] * counted[:, None]


def target_groups(targets: Any, class_names: tuple[str, ...] = ()) -> TargetGroups | None:
    """Return the groups of one class or one number a sample; None if targets are anything else.

    >>> target_groups(torch.tensor([2, 0, 2])).names
    ('class 0', 'class 1', 'class 2')
    """
    if not isinstance(targets, Tensor) or not len(targets) or targets.numel() != len(targets):
        return None
    values = targets.reshape(-1).cpu()
    if values.is_floating_point() or int(values.min()) < 0 or int(values.max()) >= MOST_CLASSES:
        edges = edges_of(values.double(), RANGES)
        names = tuple(between(edges, number) for number in range(len(edges) + 1))
        return TargetGroups("Ranges of the target", names, torch.bucketize(values.double(), edges))
    count = max(len(class_names), int(values.max()) + 1)
    names = tuple(named(class_names, number, "class") for number in range(count))
    return TargetGroups("Classes", names, values.long())
