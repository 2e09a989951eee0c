"""Three convolutions with batch norm: the plain chain of the textbooks."""

from torch import Tensor, nn

from explorer.registry import SAMPLES


class CNN(nn.Module):
    """(n, 1, 8, 8) -> (n, 10)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.conv2 = nn.Conv2d(16, 32, 3, stride=2, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(32)
        self.conv3 = nn.Conv2d(32, 32, 3, padding=1, bias=False)
        self.bn3 = nn.BatchNorm2d(32)
        self.fc = nn.Linear(32, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.bn1(self.conv1(x)).relu()
        x = self.bn2(self.conv2(x)).relu()
        x = self.bn3(self.conv3(x)).relu()
        return self.fc(x.mean((2, 3)))


@SAMPLES.register(
    "digits-cnn",
    data="digits",
    rank=2,
    epochs=40,
    batch_size=64,
    optimiser="adamw",
    learning_rate=0.01,
    augmentation="shift",
)
def digits_cnn() -> nn.Module:
    """Three convolutions with batch norm on 8x8 digits."""
    return CNN()
