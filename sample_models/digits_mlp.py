"""A perceptron with two hidden layers: the smallest model whose faders have a visible effect."""

from torch import Tensor, nn

from explorer.registry import SAMPLES


class MLP(nn.Module):
    """(n, 1, 8, 8) -> (n, 10)."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden1 = nn.Linear(64, 64)
        self.hidden2 = nn.Linear(64, 32)
        self.output = nn.Linear(32, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.hidden1(x.flatten(1)).relu()
        x = self.hidden2(x).relu()
        return self.output(x)


@SAMPLES.register(
    "digits-mlp", data="digits", rank=1, epochs=60, batch_size=64, optimiser="adamw", learning_rate=0.01
)
def digits_mlp() -> nn.Module:
    """Two hidden layers on 8x8 digits: answers at once, good for a first look."""
    return MLP()
