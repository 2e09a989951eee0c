"""A small single-shot detector: a feature pyramid (Lin et al. 2017, arXiv:1612.03144) and one head for
both of its levels, without anchors (Tian et al. 2019, arXiv:1904.01355).
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from explorer.data.grid_boxes import centres
from explorer.registry import SAMPLES

SIDE, CLASSES, WIDTH = 64, 10, 24


def _convolution(width_in: int, width: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(width_in, width, 3, stride=stride, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()
    )


class Residue(nn.Module):
    """Two convolutions next to a shortcut."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = _convolution(width, width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        return (x + self.bn2(self.conv2(self.first(x)))).relu()


class Detector(nn.Module):
    """(n, 3, 64, 64) -> scores (n, 320, 10) before the sigmoid, and boxes (n, 320, 4) of x1, y1, x2, y2 in
    pixels, at 16 x 16 and 8 x 8 places.
    """

    places: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(_convolution(3, 8, 2), _convolution(8, 16))
        self.level4 = nn.Sequential(_convolution(16, 24, 2), Residue(24))
        self.level8 = nn.Sequential(_convolution(24, 48, 2), Residue(48))
        self.lateral4, self.lateral8 = nn.Conv2d(24, WIDTH, 1), nn.Conv2d(48, WIDTH, 1)
        self.smooth = _convolution(WIDTH, WIDTH)
        self.classes = nn.Sequential(_convolution(WIDTH, WIDTH), nn.Conv2d(WIDTH, CLASSES, 1))
        self.sides = nn.Sequential(_convolution(WIDTH, WIDTH), nn.Conv2d(WIDTH, 4, 1))
        nn.init.constant_(self.classes[1].bias, -4.0)  # at first almost no place shows a shape
        self.register_buffer("places", centres(SIDE), persistent=False)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        fine = self.level4(self.stem(x))
        coarse = self.lateral8(self.level8(fine))
        levels = self.smooth(self.lateral4(fine) + interpolate(coarse, scale_factor=2.0)), coarse
        scores = torch.cat([self.classes(level).flatten(2) for level in levels], 2).transpose(1, 2)
        sides = torch.cat([self.sides(level).flatten(2) for level in levels], 2).transpose(1, 2)
        far = sides.clamp(-4, 3).exp() * self.places[:, 2:]  # from the place to the box's four sides
        middle = self.places[:, :2]
        return scores, torch.cat([middle - far[..., :2], middle + far[..., 2:]], 2)


@SAMPLES.register(
    "shapes-detector",
    data="shapes-scenes",
    rank=10,
    epochs=10,
    batch_size=64,
    optimiser="adamw",
    learning_rate=0.004,
    weight_decay=0.01,
    metrics=("mean_average_precision",),
)
def shapes_detector() -> nn.Module:
    """Single-shot detector on scenes of shapes: a feature pyramid and two outputs, scores and boxes."""
    return Detector()
