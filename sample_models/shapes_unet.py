"""A small U-Net (Ronneberger et al. 2015, arXiv:1505.04597): skip connections join fine and coarse channels,
and transposed convolutions go back to the picture's size.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import max_pool2d

from explorer.registry import SAMPLES


class Pair(nn.Module):
    """Two convolutions, each with its norm."""

    def __init__(self, width_in: int, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width_in, width, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        x = self.bn1(self.conv1(x)).relu()
        return self.bn2(self.conv2(x)).relu()


class UNet(nn.Module):
    """(n, 3, 32, 32) -> (n, 11, 32, 32): scores of the background and of ten shapes at each pixel."""

    def __init__(self) -> None:
        super().__init__()
        self.down1, self.down2, self.down3 = Pair(3, 8), Pair(8, 16), Pair(16, 32)
        self.bottom = Pair(32, 64)
        self.rise3 = nn.ConvTranspose2d(64, 32, 2, stride=2)
        self.up3 = Pair(64, 32)
        self.rise2 = nn.ConvTranspose2d(32, 16, 2, stride=2)
        self.up2 = Pair(32, 16)
        self.rise1 = nn.ConvTranspose2d(16, 8, 2, stride=2)
        self.up1 = Pair(16, 8)
        self.head = nn.Conv2d(8, 11, 1)

    def forward(self, x: Tensor) -> Tensor:
        fine = self.down1(x)
        middle = self.down2(max_pool2d(fine, 2))
        coarse = self.down3(max_pool2d(middle, 2))
        x = self.rise3(self.bottom(max_pool2d(coarse, 2)))
        x = self.rise2(self.up3(torch.cat([coarse, x], 1)))
        x = self.rise1(self.up2(torch.cat([middle, x], 1)))
        return self.head(self.up1(torch.cat([fine, x], 1)))


@SAMPLES.register(
    "shapes-unet",
    data="shapes-masks",
    rank=9,
    epochs=30,
    batch_size=64,
    optimiser="adamw",
    learning_rate=0.004,
    augmentation="turn_shift",
    weight_decay=0.01,
)
def shapes_unet() -> nn.Module:
    """U-Net on 32x32 shapes: the class of each pixel, with skip connections and transposed convolutions."""
    return UNet()
