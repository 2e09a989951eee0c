"""Detects predictions that fit the data if classes are numbered differently: then the order is wrong, not the
model.
"""

import torch
from torch import Tensor

FEWEST = 30  # answers, and three per class, before anything is said
GOOD, FACTOR = 0.5, 2.0  # minimum accuracy under other numbers, and its factor over that under the given ones


def renumbered_accuracy(predictions: Tensor, targets: Tensor, classes: int) -> float:
    """Return the share of right answers if each class had the number that the model predicts for it most
    often.

    Each number is used once, for the largest agreements first, so an even better order may exist.

    Args:
        predictions, targets: (n,) int64 class numbers.

    >>> renumbered_accuracy(torch.tensor([1, 1, 0, 2]), torch.tensor([0, 0, 1, 2]), 3)
    1.0
    """
    counts = torch.bincount(targets * classes + predictions, minlength=classes**2)
    order = counts.argsort(descending=True, stable=True)
    rows, columns, right = set[int](), set[int](), 0
    for place in order[: int((counts > 0).sum())].tolist():
        row, column = divmod(place, classes)
        if row not in rows and column not in columns:
            rows.add(row)
            columns.add(column)
            right += int(counts[place])
    return right / len(targets)


def wrong_order(predictions: Tensor, targets: Tensor, classes: int) -> str | None:
    """Return a warning if the classes of the data seem to be in another order than the model's."""
    if len(targets) < max(FEWEST, 3 * classes):
        return None
    accuracy = float((predictions == targets).double().mean())
    possible = renumbered_accuracy(predictions, targets, classes)
    if possible < GOOD or possible < FACTOR * accuracy:
        return None
    return (
        f"The classes seem to be in another order than the model's: {100 * accuracy:.1f} % of the dense "
        f"model's answers are right, and {100 * possible:.1f} % would be if classes were numbered otherwise. "
        "Give their names in the model's order, as in --data folder:PATH?classes=NAME,NAME,..."
    )
