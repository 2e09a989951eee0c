"""How much the table measures: enough to decide on a quiet machine, or just enough for a test to see that it
works.
"""

from dataclasses import dataclass
from functools import cache

from ..graph.analysed import Analysed, analyse
from ..loaders.model_text import load


@dataclass(frozen=True)
class Effort:
    """Args:
    live, small: sample models for full evaluations; for the first answer, also the smaller one.
    scanned: the sample model of the adaptive scan.
    also_scanned: further ones, in a separate part that is measured on request.
    judged: models whose adaptive scans are compared with exact ones, on request.
    foreign: (model, layer that is kept) of the comparison with Torch-Pruning.
    samples: of full evaluations; with fewer than the split has, time outside the forward passes counts
        more.
    pairs: for work that takes less than a second; for an exact scan, one batch each.
    long_pairs: for work that takes longer; six are the fewest that can decide anything.
    scan_points: of the plain loop that the adaptive scan is compared with.
    starts: of the server.
    large: a model whose repair is timed on request.
    task_pairs, task_samples: at most, for each of the samples with another task; None = all samples.
    """

    live: str = "shapes-resnet"
    small: str = "digits-cnn"
    scanned: str = "shapes-densenet"
    foreign: tuple[tuple[str, str], ...] = (
        ("torchvision:resnet50", "fc"),
        ("torchvision:densenet121", "classifier"),
    )
    samples: int = 2560
    pairs: int = 30
    long_pairs: int = 6
    scan_points: int = 18
    starts: int = 6
    also_scanned: tuple[str, ...] = ("shapes-mobilenet", "shapes-resnet")
    judged: tuple[str, ...] = ("shapes-densenet", "shapes-mobilenet", "shapes-vit")
    large: str = "torchvision:resnet50"
    task_pairs: int = 12
    task_samples: int | None = None


FULL = Effort()
QUICK = Effort(
    "digits-cnn",
    "digits-mlp",
    "digits-cnn",
    (("digits-cnn", "fc"),),
    450,
    6,
    6,
    6,
    0,
    judged=("digits-cnn",),
    large="digits-mlp",
    task_samples=128,
)


@cache
def opened(name: str) -> Analysed:
    """Return a model and its graph, opened once per run."""
    subject = load(name)
    return analyse(subject)
