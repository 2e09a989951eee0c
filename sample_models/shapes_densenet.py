"""A small DenseNet (Huang et al. 2017, arXiv:1608.06993): each layer reads the concatenated outputs of all
before it.
"""

import torch
from torch import Tensor, nn

from explorer.registry import SAMPLES

GROWTH = 12  # channels that a layer adds


class DenseLayer(nn.Module):
    """Norm, ReLU, convolution; the result is appended to the input."""

    def __init__(self, width_in: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(width_in)
        self.conv = nn.Conv2d(width_in, GROWTH, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x, self.conv(self.norm(x).relu())], dim=1)


class Transition(nn.Module):
    """Halves the channels by a 1x1 convolution and the sides by mean pooling."""

    def __init__(self, width_in: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(width_in)
        self.conv = nn.Conv2d(width_in, width_in // 2, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.avg_pool2d(self.conv(self.norm(x).relu()), 2)


def _block(width_in: int, layers: int) -> nn.Sequential:
    return nn.Sequential(*(DenseLayer(width_in + i * GROWTH) for i in range(layers)))


class DenseNet(nn.Module):
    """(n, 3, 32, 32) -> (n, 10)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv0 = nn.Conv2d(3, 16, 3, stride=2, padding=1, bias=False)
        self.block1, self.transition1 = _block(16, 3), Transition(52)
        self.block2, self.transition2 = _block(26, 5), Transition(86)
        self.block3, self.norm = _block(43, 6), nn.BatchNorm2d(115)
        self.fc = nn.Linear(115, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.transition1(self.block1(self.conv0(x)))
        x = self.transition2(self.block2(x))
        x = self.norm(self.block3(x)).relu()
        return self.fc(x.mean((2, 3)))


@SAMPLES.register(
    "shapes-densenet",
    data="shapes",
    rank=6,
    epochs=8,
    batch_size=128,
    optimiser="sgd",
    learning_rate=0.1,
    augmentation="turn_shift",
)
def shapes_densenet() -> nn.Module:
    """A small DenseNet on 32x32 shapes: concatenation, each layer read by all later ones."""
    return DenseNet()
