"""The loss beside the accuracy: what was measured of its change, and what gradients predict to
first order.
"""

import math
from dataclasses import replace

import pytest
import torch
from torch.nn import functional

from explorer.commands.printing.report_text import report_text
from explorer.compaction.compact import compact
from explorer.engine.conditions import Conditions
from explorer.engine.measure import prune, stream
from explorer.exporters.html_report import quantities
from explorer.graph.analysed import Analysed
from explorer.graph.export import graph_of
from explorer.loaders.model_text import load
from explorer.measuring.predicted_loss import gradient_samples, loss_words, predicted_change
from explorer.pruning.decision import masks_for
from explorer.signals.calibration import training_data
from explorer.tables import quantities as table_of
from explorer.ui.drawing.measurement_cards import cards
from explorer.values.profile import Masks
from explorer.values.progress import values_of
from explorer.values.recipe import Recipe
from explorer.values.report import Report

SUBJECTS = {name: load(name) for name in ("digits-mlp", "digits-cnn")}
GRAPHS = {name: graph_of(subject) for name, subject in SUBJECTS.items()}
RECIPES = {
    "channels": ("digits-cnn", Recipe(channels={"conv1": 0.25, "conv3": 0.5})),
    "weights": ("digits-mlp", Recipe(weights={"hidden1": 0.5, "hidden2": 0.3})),
    "both": ("digits-cnn", Recipe(channels={"conv2": 0.25}, weights={"conv2": 0.5, "conv3": 0.2})),
}


def predicted(name: str, masks: Masks) -> float | None:
    return next(values_of(predicted_change(Analysed(SUBJECTS[name], GRAPHS[name]), masks)), None)


def gated_loss(name: str, masks: Masks, amount: torch.Tensor) -> torch.Tensor:
    """Loss on the samples whose gradients are taken, with removed weights scaled by 1 - amount; channels at
    what reads them.
    """
    subject, profile = SUBJECTS[name], GRAPHS[name].profile
    scales: dict[str, torch.Tensor] = {}
    for group in profile.groups:
        if group.name in masks.channels:
            for slot in group.slots:
                own = [layer for layer in profile.prunable_layers.values() if layer.weight == slot.tensor]
                if own and not slot.producer:
                    weight = subject.model.get_parameter(slot.tensor)
                    kept = torch.where(
                        slot.units >= 0, masks.channels[group.name][slot.units.clamp(min=0)], True
                    )
                    line = torch.where(kept, torch.ones(()), 1 - amount)
                    shape = [-1 if d == slot.dim else 1 for d in range(weight.dim())]
                    scales[slot.tensor] = scales.get(slot.tensor, torch.ones_like(weight)) * line.view(shape)
    for layer, mask in masks.weights.items():
        tensor = profile.prunable_layers[layer].weight
        own = torch.where(mask, torch.ones(()), 1 - amount)
        scales[tensor] = torch.minimum(scales[tensor], own) if tensor in scales else own
    split = training_data(subject).first(gradient_samples(profile))
    state = dict(subject.model.named_parameters()) | {
        n: subject.model.get_parameter(n) * s for n, s in scales.items()
    }
    logits = torch.func.functional_call(subject.model, state, (subject.task.normalisation(split.inputs),))
    return functional.cross_entropy(logits, split.targets)


@pytest.mark.parametrize("case", ["channels", "weights"])
def test_the_prediction_is_the_slope_of_the_loss_as_the_part_begins_to_go(case):
    name, recipe = RECIPES[case]
    masks = masks_for(Analysed(SUBJECTS[name], GRAPHS[name]), recipe)
    amount = torch.zeros((), requires_grad=True)
    (slope,) = torch.autograd.grad(gated_loss(name, masks, amount), amount)
    assert predicted(name, masks) == pytest.approx(float(slope), rel=1e-3, abs=1e-6)


def test_weights_of_channels_that_go_are_not_counted_twice():
    name, recipe = RECIPES["both"]
    masks = masks_for(Analysed(SUBJECTS[name], GRAPHS[name]), recipe)
    channels, none = predicted(name, Masks(masks.channels, {})), predicted(name, Masks({}, {}))
    everything = {layer: torch.ones_like(mask) for layer, mask in masks.weights.items()}
    small = compact(Analysed(SUBJECTS[name], GRAPHS[name]), Masks(masks.channels, {}))
    assert small is not None and none == 0.0
    alone = {"conv2": torch.zeros_like(masks.weights["conv2"]), "conv3": everything["conv3"]}
    gone = {"conv2": masks.channels["conv2"].view(-1, 1, 1, 1) & alone["conv2"], "conv3": everything["conv3"]}
    dead = {"conv2": masks.channels["conv2"].view(-1, 1, 1, 1) | torch.zeros_like(masks.weights["conv2"])}
    assert predicted(name, Masks(masks.channels, dead)) == pytest.approx(
        channels
    )  # only weights of removed channels go
    assert predicted(name, Masks(masks.channels, gone)) != pytest.approx(channels)


def test_a_report_holds_both_and_every_view_shows_them():
    name, recipe = RECIPES["both"]
    report = prune(Analysed(SUBJECTS[name], GRAPHS[name]), recipe, Conditions(samples=100))
    predicted = report.predicted_loss_change
    assert predicted is not None and math.isfinite(predicted)
    words = loss_words(report)
    assert (
        words.change == f"{report.pruned.loss - report.baseline.loss:+.3f}"
        and words.predicted == f"{predicted:+.3f}"
    )
    shown = f"{words.change}; first order {words.predicted}"
    assert shown in report_text(report)
    notes = (f"loss {words.pruned}, change {words.change}", f"first order predicted {words.predicted}")
    assert cards(report)[0].notes[-2:] == notes
    assert any(words.pruned in row and words.predicted in row[3] for row in quantities(report))
    assert table_of(report).set_index("quantity").loc["predicted_loss_change", "pruned"] == predicted
    assert Report.from_json(report.to_json()) == report
    older = {key: value for key, value in report.to_json().items() if key != "predicted_loss_change"}
    assert Report.from_json(older) == replace(report, predicted_loss_change=None)


def test_it_comes_last_and_only_where_everything_is_asked_for():
    name, recipe = RECIPES["channels"]
    steps = stream(Analysed(SUBJECTS[name], GRAPHS[name]), recipe, Conditions(samples=100))
    reports = list(values_of(steps))
    assert reports[-1].predicted_loss_change is not None and reports[-1].pruned.latency_ms
    assert all(report.predicted_loss_change is None for report in reports if report.pruned.latency_ms is None)
    assert (
        prune(
            Analysed(SUBJECTS[name], GRAPHS[name]), recipe, Conditions(samples=100, latency=False)
        ).predicted_loss_change
        is None
    )
    assert (
        prune(Analysed(SUBJECTS[name], GRAPHS[name]), Recipe(), Conditions(samples=100)).predicted_loss_change
        is None
    )


def test_without_training_data_there_is_no_prediction():
    name, recipe = RECIPES["weights"]
    subject = SUBJECTS[name]
    task = replace(
        subject.task, load_split=lambda split: None if split == "training" else subject.task.split(split)
    )
    masks = masks_for(Analysed(subject, GRAPHS[name]), recipe)
    assert list(predicted_change(Analysed(replace(subject, task=task), GRAPHS[name]), masks)) == []


def test_where_nothing_was_measured_nothing_is_said():
    name, recipe = RECIPES["weights"]
    report = prune(Analysed(SUBJECTS[name], GRAPHS[name]), recipe, Conditions(samples=50, latency=False))
    assert loss_words(report).predicted == "" and "first order" not in report_text(report)
    baseline, pruned = (replace(one, loss=None) for one in (report.baseline, report.pruned))
    silent = replace(report, baseline=baseline, pruned=pruned)
    assert loss_words(silent).pruned == "" and "loss (nats)" not in report_text(silent)
