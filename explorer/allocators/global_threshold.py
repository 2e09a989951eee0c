"""One threshold for the whole model."""

from collections.abc import Mapping

import torch

from ..registry import ALLOCATORS
from ..values import Scores


@ALLOCATORS.register("global_threshold", rank=2, needs_scores=True)
def global_threshold(scores: Scores, target: float) -> Mapping[str, float]:
    """One threshold across all parts: the lowest fraction `target` of all units goes, wherever it is.

    Channels are compared after division by their group's mean, since groups differ in size; single weights as they
    are. Each part keeps at least one unit. (Han et al. 2015, arXiv:1506.02626)

    >>> ratios = global_threshold({"a": torch.tensor([[1.0, 2.0]]), "b": torch.tensor([[3.0, 4.0]])}, 0.5)
    >>> ratios
    {'a': 0.5, 'b': 0.0}
    """
    flat = {part: _comparable(score) for part, score in scores.items()}
    everything = torch.cat(list(flat.values())) if flat else torch.zeros(0)
    removed = round(target * everything.numel())
    if not removed:
        return dict.fromkeys(scores, 0.0)
    order = torch.argsort(everything, stable=True)[:removed]
    gone = torch.zeros(everything.numel(), dtype=torch.bool)
    gone[order] = True
    pieces = gone.split([len(values) for values in flat.values()])
    return {part: _ratio(int(piece.sum()), len(piece)) for part, piece in zip(flat, pieces, strict=True)}


def _comparable(score: torch.Tensor) -> torch.Tensor:
    values = score.flatten()
    return values / values.mean().clamp(min=1e-12) if score.dim() == 1 else values


def _ratio(removed: int, units: int) -> float:
    return min(removed, units - 1) / units
