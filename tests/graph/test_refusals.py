"""Why a model has no graph: one sentence, with the line of the user's own file."""

import pytest

from explorer.engine.conditions import Conditions
from explorer.engine.measure import prune
from explorer.graph.analysed import analyse
from explorer.loaders.model_text import load
from explorer.values.recipe import Recipe

CODE = """
import torch
from torch import nn

input_shape = (6,)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(6, 8), nn.Linear(8, 3)

    def forward(self, x):
        x = torch.relu(self.a(x))
        {line}
        return self.b(x)


class Answer:
    def __init__(self, scores):
        self.scores = scores


def outputs(found):
    return getattr(found, "scores", found)
"""
NUMBERS = (
    "uses the values of a tensor as Python numbers (in an if, a loop, a size or .item()), which a graph "
    "cannot follow, so only unstructured pruning is possible; torch.where chooses without leaving tensors."
)
LINES = {
    "if x.sum() > 0: x = x * 2": f"net.py, line 15, {NUMBERS}",
    "while x.max() > 1: x = x / 2": f"net.py, line 15, {NUMBERS}",
    "x = x * int(x.sum())": f"net.py, line 15, {NUMBERS}",
    "x = x + sum(x.flatten().tolist())": f"The forward {NUMBERS}",
    "x = torch.cond(x.sum() > 0, lambda y: y * 2, lambda y: y + 1, (x,))": (
        "The forward uses torch's cond, whose inner functions cannot be cut, so only unstructured pruning is "
        "possible."
    ),
    "x = torch.from_numpy(x.detach().numpy())": (
        "torch.export cannot read this model (net.py, line 15: .numpy() is not supported for tensor "
        "subclasses.); only unstructured pruning is possible."
    ),
    "x = x + torch.rand(8, generator=torch.Generator().manual_seed(int(len(x) > 9)))": (
        "The forward uses an object that is no tensor, such as a torch.Generator of its own, which a graph "
        "cannot hold, so only unstructured pruning is possible."
    ),
    "return Answer(self.b(x))": (
        "The forward returns a Answer, in which torch.export finds no tensors, so only unstructured pruning "
        "is possible; a tuple, a dict or a NamedTuple can be followed."
    ),
    "x = torch.native_dropout(x, 0.3, True)[0]": None,
    "if len(x) > 1: x = torch.where(x.sum() > 0, x, x + 1)": None,
}


@pytest.mark.parametrize("line", LINES)
def test_a_model_without_a_graph_says_why_and_is_pruned_by_weights(line, tmp_path):
    (tmp_path / "net.py").write_text(CODE.format(line=line))
    model = analyse(load(f"{tmp_path / 'net.py'}:Net"))
    assert model.profile.error == LINES[line]
    report = prune(model, Recipe(weights={"a": 0.5}), Conditions(latency=False))
    assert report.pruned.nonzero_params == report.baseline.nonzero_params - 24
