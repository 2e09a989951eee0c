"""A residual network on digits that is quick to measure: four blocks, of which one does nothing."""

from dataclasses import replace

import torch
from torch import Tensor, nn

from explorer.graph.analysed import Analysed, analyse
from explorer.loaders.model_text import load

WIDTH, BLOCKS = 24, 4


class ResidualDigits(nn.Module):
    def __init__(self):
        super().__init__()
        self.enter = nn.Linear(64, WIDTH)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.Linear(WIDTH, 16 + 8 * n), nn.ReLU(), nn.Linear(16 + 8 * n, WIDTH))
            for n in range(BLOCKS)
        )
        self.fc = nn.Linear(WIDTH, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.enter(x.flatten(1)))
        for block in self.blocks:
            x = x + block(x)
        return self.fc(x)


def residual_digits() -> Analysed:
    """The network, trained for a second; its third block is zero."""
    subject = load("digits-mlp")
    task = subject.task
    training = task.split("training")
    torch.manual_seed(0)
    network = ResidualDigits()
    x, y = task.normalisation(training.inputs), training.targets
    optimiser = torch.optim.Adam(network.parameters(), 0.01)
    for _ in range(60):
        optimiser.zero_grad()
        nn.functional.cross_entropy(network(x), y).backward()
        optimiser.step()
    with torch.no_grad():
        for parameter in network.blocks[2][2].parameters():
            parameter.zero_()
    return analyse(replace(subject, id="residual digits", model=network.eval()))
