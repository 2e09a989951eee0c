"""A captured forward answers as the eager one; where there is nothing to capture it is left alone."""

import pytest
import torch
from torch import nn

from explorer.engine.candidate import prepare
from explorer.graph.analysed import analyse
from explorer.loaders.model_text import load
from explorer.measuring.cuda_graphs import WORTH, captured
from explorer.measuring.evaluation import Execution, evaluate
from explorer.values.recipe import Recipe
from explorer.values.samples import Split
from explorer.values.subject import Normalisation

on_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


def test_only_cuda_and_only_where_it_pays():
    model = nn.Linear(2, 2)
    assert captured(model, "cpu", 4, 10**6) is None
    assert (
        captured(model, "cuda", 4, 4 * WORTH - 1) is None
        and captured(model, "cuda", 4, 4 * WORTH) is not None
    )


def test_batches_that_are_not_full_run_as_they_are():
    model, inputs = nn.Linear(2, 2), torch.ones(3, 2)
    assert torch.equal(captured(model, "cuda", 4, 4 * WORTH)(0, 3, lambda: inputs), model(inputs))


@on_cuda
@pytest.mark.parametrize(
    "recipe", [Recipe(channels={"conv2": 0.5}), Recipe(weights={"conv2": 0.5})], ids=["channels", "weights"]
)
def test_counts_are_those_of_the_eager_forward(recipe):
    subject = load("digits-cnn")
    model, split = prepare(analyse(subject), recipe, "cuda").model, subject.task.split("tuning")
    forward = captured(model, "cuda", 32, len(split))
    plain, replayed = (
        list(
            evaluate(
                model,
                split,
                subject.task.normalisation,
                [len(split)],
                Execution("cuda", batch=32, forward=how),
            )
        )[-1]
        for how in (None, forward)
    )
    assert forward._graph is not None
    assert torch.equal(plain.correct, replayed.correct) and torch.equal(
        plain.predictions, replayed.predictions
    )


@on_cuda
def test_what_cannot_be_captured_runs_as_it_is():
    class Looks(nn.Module):
        def forward(self, x):
            return x if float(x.sum()) > -1 else -x

    split = Split(torch.rand(100, 2), torch.zeros(100, dtype=torch.long))
    model = Looks().cuda()
    forward = captured(model, "cuda", 4, 100)
    *_, found = evaluate(model, split, Normalisation(), [100], Execution("cuda", batch=4, forward=forward))
    assert forward._failed and len(found) == 100
