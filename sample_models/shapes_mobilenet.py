"""A small MobileNetV3 (Howard et al. 2019, arXiv:1905.02244): depthwise convolutions, squeeze and excite,
hardswish.
"""

from torch import Tensor, nn
from torch.nn.functional import hardsigmoid, hardswish

from explorer.registry import SAMPLES


class SqueezeExcite(nn.Module):
    """Scales each channel by a number from 0 to 1, computed from all channels' means."""

    def __init__(self, width: int, squeezed: int) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(width, squeezed, 1)
        self.expand = nn.Conv2d(squeezed, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        gate = self.reduce(x.mean((2, 3), keepdim=True)).relu()
        return x * hardsigmoid(self.expand(gate))


class InvertedResidual(nn.Module):
    """Widen by a 1x1 convolution, filter each channel by itself, narrow again; added to the input where
    shapes agree.
    """

    def __init__(self, width_in: int, expanded: int, width: int, stride: int) -> None:
        super().__init__()
        self.expand = nn.Conv2d(width_in, expanded, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(expanded)
        self.depthwise = nn.Conv2d(
            expanded, expanded, 3, stride=stride, padding=1, groups=expanded, bias=False
        )
        self.bn2 = nn.BatchNorm2d(expanded)
        self.se = SqueezeExcite(expanded, expanded // 4)
        self.project = nn.Conv2d(expanded, width, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(width)
        self.adds = stride == 1 and width_in == width

    def forward(self, x: Tensor) -> Tensor:
        y = hardswish(self.bn1(self.expand(x)))
        y = hardswish(self.bn2(self.depthwise(y)))
        y = self.bn3(self.project(self.se(y)))
        return x + y if self.adds else y


class MobileNet(nn.Module):
    """(n, 3, 32, 32) -> (n, 10)."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(16)
        self.blocks = nn.Sequential(
            InvertedResidual(16, 32, 24, stride=2),
            InvertedResidual(24, 72, 24, stride=1),
            InvertedResidual(24, 96, 40, stride=2),
            InvertedResidual(40, 120, 40, stride=1),
            InvertedResidual(40, 120, 40, stride=1),
            InvertedResidual(40, 160, 64, stride=2),
            InvertedResidual(64, 192, 64, stride=1),
        )
        self.head = nn.Conv2d(64, 160, 1, bias=False)
        self.bn_head = nn.BatchNorm2d(160)
        self.fc = nn.Linear(160, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = hardswish(self.bn(self.stem(x)))
        x = hardswish(self.bn_head(self.head(self.blocks(x))))
        return self.fc(x.mean((2, 3)))


@SAMPLES.register(
    "shapes-mobilenet",
    data="shapes",
    rank=4,
    epochs=10,
    batch_size=128,
    optimiser="adamw",
    learning_rate=0.006,
    weight_decay=0.02,
    augmentation="turn_shift",
)
def shapes_mobilenet() -> nn.Module:
    """A small MobileNetV3 on 32x32 shapes: depthwise, squeeze and excite, hardswish."""
    return MobileNet()
