"""Another number format: a choice that says what it does itself, and that no cache mixes up with float32."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from explorer.engine import measure
from explorer.engine.candidate import prepare
from explorer.engine.conditions import Conditions
from explorer.engine.dense_model import baseline
from explorer.engine.measure import prune
from explorer.errors import ExplorerError, UnknownNameError
from explorer.graph.analysed import Analysed
from explorer.graph.export import graph_of
from explorer.loaders.model_text import load
from explorer.measuring.evaluation import evaluate
from explorer.measuring.precision import in_dtype
from explorer.measuring.tally import drop_between
from explorer.runs.stored_run import RunKey
from explorer.values.progress import Step
from explorer.values.recipe import Recipe
from explorer.values.report import Report

EXACT = Conditions(latency=False)
LOW = replace(EXACT, dtype="bfloat16")
RECIPE = Recipe(channels={"conv2": 0.25})


def opened(name: str = "digits-cnn"):
    subject = load(name)
    return subject, graph_of(subject)


def test_its_own_effect_is_the_paired_difference_of_the_same_model():
    subject, graph = opened()
    exact, low = (prune(Analysed(subject, graph), RECIPE, how) for how in (EXACT, LOW))
    split, model = subject.task.split("tuning"), prepare(Analysed(subject, graph), RECIPE).model
    models = [in_dtype(model, dtype) for dtype in ("float32", "bfloat16")]
    tallies = [list(evaluate(model, split, subject.task.normalisation, [450]))[-1] for model in models]
    assert [t.measurement().correct for t in tallies] == [exact.pruned.correct, low.pruned.correct]
    assert low.dtype_effect == drop_between(*tallies) and exact.dtype_effect is None
    assert any(note.startswith("bfloat16 against float32") and "450 samples" in note for note in low.notes)
    assert not torch.equal(
        tallies[0].losses, tallies[1].losses
    )  # the negative control: it was another arithmetic


def test_files_stay_as_they_are_and_the_dense_model_computes_alike():
    subject, graph = opened()
    exact, low = (prune(Analysed(subject, graph), RECIPE, how) for how in (EXACT, LOW))
    assert low.pruned.size_bytes == exact.pruned.size_bytes and low.pruned.macs == exact.pruned.macs
    dense = list(
        evaluate(
            in_dtype(prepare(Analysed(subject, graph), Recipe()).model, "bfloat16"),
            subject.task.split("tuning"),
            subject.task.normalisation,
            [450],
        )
    )[-1]
    assert low.baseline.loss == dense.measurement().loss != exact.baseline.loss
    assert Report.from_json(low.to_json()) == low and RunKey.of(low) != RunKey.of(exact)


def test_caches_do_not_mix_formats():
    subject, graph = opened()
    exact = prune(Analysed(subject, graph), RECIPE, EXACT)
    prune(Analysed(subject, graph), RECIPE, LOW)
    assert prune(Analysed(subject, graph), RECIPE, EXACT) == exact
    *_, base = baseline(
        Analysed(subject, graph), LOW, 450
    )  # what scans compare with is float32 whatever was chosen
    assert base.measurement().loss == exact.baseline.loss


def test_latency_follows_the_choice(monkeypatch):
    seen = []

    def rounds(models, *args, **how):
        return seen.append(models) or iter([Step(dict.fromkeys(models, 1.0))] * 6)

    monkeypatch.setattr(measure, "rounds", rounds)
    subject, graph = opened()
    for how in (EXACT, LOW):
        prune(
            Analysed(subject, graph),
            Recipe(channels={"conv2": 0.375}),
            replace(how, samples=32, latency=True),
        )
    formats = [{next(model.parameters()).dtype for model in models.values()} for models in seen]
    assert formats == [{torch.float32}, {torch.bfloat16}]


@pytest.mark.parametrize(
    "name", ["digits-mlp", "shapes-mobilenet", "shapes-vit", "shapes-densenet", "shapes-resnet"]
)
def test_the_samples_run_in_it(name):
    subject, graph = opened(name)
    report = prune(Analysed(subject, graph), Recipe(), replace(LOW, samples=64))
    assert report.pruned.samples == 64 and report.dtype_effect.low < 0.1


def test_a_model_that_insists_on_float32_says_so_and_stays_itself():
    class Insists(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(2, 2)

        def forward(self, x):
            return self.layer(x.float())

    model = Insists()
    assert in_dtype(model, "float32") is model
    with pytest.raises(ExplorerError, match=r"does not run in bfloat16 .*; measure it in float32"):
        in_dtype(model, "bfloat16")(torch.zeros(1, 2))
    assert model.layer.weight.dtype == torch.float32 and model(torch.zeros(1, 2)).dtype == torch.float32


def test_other_formats_are_refused():
    with pytest.raises(UnknownNameError, match="float32, bfloat16"):
        Conditions(dtype="int3")
