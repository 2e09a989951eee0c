"""ResNet-20 (He et al. 2016, arXiv:1512.03385, section 4.2): residual additions tie the channels of a whole
stage.
"""

from torch import Tensor, nn

from explorer.registry import SAMPLES


class Block(nn.Module):
    """Two convolutions next to a shortcut, which is a 1x1 projection if the shape changes."""

    def __init__(self, width_in: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width_in, width, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.shortcut: nn.Module = nn.Identity()
        if stride > 1 or width_in != width:
            self.shortcut = nn.Sequential(
                nn.Conv2d(width_in, width, 1, stride=stride, bias=False), nn.BatchNorm2d(width)
            )

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn1(self.conv1(x)).relu()
        y = self.bn2(self.conv2(y))
        return (y + self.shortcut(x)).relu()


def _stage(width_in: int, width: int, stride: int, blocks: int = 3) -> nn.Sequential:
    rest = [Block(width, width, 1) for _ in range(blocks - 1)]
    return nn.Sequential(Block(width_in, width, stride), *rest)


class ResNet(nn.Module):
    """(n, 3, 32, 32) -> (n, 10)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.layer1 = _stage(16, 16, 1)
        self.layer2 = _stage(16, 32, 2)
        self.layer3 = _stage(32, 64, 2)
        self.fc = nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.bn1(self.conv1(x)).relu()
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.fc(x.mean((2, 3)))


@SAMPLES.register(
    "shapes-resnet",
    data="shapes",
    rank=3,
    epochs=8,
    batch_size=128,
    optimiser="sgd",
    learning_rate=0.1,
    augmentation="turn_shift",
)
def shapes_resnet() -> nn.Module:
    """ResNet-20 on 32x32 shapes: residual additions tie channels into groups."""
    return ResNet()
