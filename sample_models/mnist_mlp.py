"""LeNet-300-100: the perceptron on which pruning was tried first."""

from torch import Tensor, nn

from explorer.registry import SAMPLES


class LeNet300(nn.Module):
    """(n, 1, 28, 28) -> (n, 10)."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1 = nn.Linear(784, 300)
        self.fc2 = nn.Linear(300, 100)
        self.fc3 = nn.Linear(100, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.fc1(x.flatten(1)).relu()
        x = self.fc2(x).relu()
        return self.fc3(x)


@SAMPLES.register(
    "mnist-mlp",
    data="mnist",
    rank=7,
    epochs=15,
    batch_size=128,
    optimiser="adamw",
    learning_rate=0.002,
    weight_decay=0.01,
)
def mnist_mlp() -> nn.Module:
    """LeNet-300-100 on the real MNIST: the perceptron of the first papers on pruning."""
    return LeNet300()
