"""LeNet-5 in the form that the papers on pruning use: 20 and 50 filters, 500 hidden units."""

from torch import Tensor, nn
from torch.nn.functional import max_pool2d

from explorer.registry import SAMPLES


class LeNet5(nn.Module):
    """(n, 1, 28, 28) -> (n, 10)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 20, 5)
        self.conv2 = nn.Conv2d(20, 50, 5)
        self.fc1 = nn.Linear(800, 500)
        self.fc2 = nn.Linear(500, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = max_pool2d(self.conv1(x), 2)
        x = max_pool2d(self.conv2(x), 2)
        return self.fc2(self.fc1(x.flatten(1)).relu())


@SAMPLES.register(
    "mnist-lenet",
    data="mnist",
    rank=8,
    epochs=5,
    batch_size=128,
    optimiser="sgd",
    learning_rate=0.05,
)
def mnist_lenet() -> nn.Module:
    """LeNet-5 on the real MNIST: two convolutions and two linear layers, 431,000 parameters."""
    return LeNet5()
