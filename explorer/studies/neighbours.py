"""Whose nearest neighbour changed: embeddings of the same samples, before and after."""

import torch
from torch import Tensor

from .shown_answers import ShownAnswer

AT_ONCE = 1024  # rows of the matrix of similarities


def nearest(embedded: Tensor) -> Tensor:
    """Return (n,) int64: the sample whose embedding is most alike, for each of (n, width) of length 1.

    >>> nearest(torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.8, 0.6]])).tolist()
    [2, 2, 0]
    """
    best = []
    for start in range(0, len(embedded), AT_ONCE):
        alike = embedded[start : start + AT_ONCE] @ embedded.T
        alike[torch.arange(len(alike)), torch.arange(start, start + len(alike))] = -torch.inf
        best.append(alike.argmax(1))
    return torch.cat(best)


def hits_of(rows: Tensor) -> Tensor:
    """Return (n,) float64: 1 where the nearest other sample has the same label.

    Args:
        rows: (n, width + 1), embeddings of length 1 and labels, as of the metric recall_at_1.
    """
    if len(rows) < 2:
        return torch.zeros(len(rows), dtype=torch.float64)
    return (rows[nearest(rows[:, :-1]), -1] == rows[:, -1]).double()


def neighbours(base: Tensor, pruned: Tensor, numbers: list[int]) -> dict[int, ShownAnswer]:
    """Return number of a sample -> its neighbours: (sample, label) of itself, of the one that is nearest
    before, and of the one that is nearest now.
    """
    if len(base) < 2:
        return {}
    before, after = nearest(base[:, :-1]), nearest(pruned[:, :-1])

    def place(number: int) -> Tensor:
        return torch.tensor([number, int(base[number, -1])])

    return {
        number: ShownAnswer(
            "neighbours", place(number), place(int(before[number])), place(int(after[number]))
        )
        for number in numbers
    }
