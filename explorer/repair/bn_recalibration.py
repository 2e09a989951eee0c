"""The cheapest repair: the norm statistics of the pruned model, measured again on training images."""

import torch
from torch import nn

from ..values.samples import Split
from ..values.subject import Normalisation

SAMPLES = 1024


def recalibrate(
    model: nn.Module,
    training: Split,
    normalisation: Normalisation,
    *,
    samples: int = SAMPLES,
    batch: int = 128,
    device: str = "cpu",
) -> int:
    """Replace running statistics by the cumulative average over the first training samples; only norms are in
    train mode.

    Changes `model`, which is the compact copy. All batches count the same, so they all have one size: an
    incomplete last one is left out. Returns how many norms were recalibrated (0: the model has none, or there
    are fewer than two samples).
    """
    available = min(samples, len(training))
    size = min(batch, available)
    if size < 2:
        return 0
    norms = [
        m for m in model.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm) and m.track_running_stats
    ]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # cumulative: every batch counts the same
        norm.train()
    try:
        if norms:
            with torch.no_grad():
                for start in range(0, available - size + 1, size):
                    model(normalisation(training.inputs[start : start + size].to(device)))
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
            norm.eval()
    return len(norms)
