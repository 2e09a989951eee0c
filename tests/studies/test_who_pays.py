"""Who pays for a cut: groups of pixels, boxes, numbers and tokens, by hand-made rows and on real models."""

import math
from dataclasses import replace

import pytest
import torch

from explorer.engine.conditions import Conditions
from explorer.engine.measure import prune
from explorer.errors import ExplorerError
from explorer.graph.analysed import analyse
from explorer.loaders.model_text import load
from explorer.loaders.own_task import with_task
from explorer.registry import METRICS
from explorer.studies.partings import KINDS, partings_of
from explorer.studies.who_pays import grouped, who_pays
from explorer.values.progress import outcome
from explorer.values.recipe import Recipe
from explorer.values.samples import Split
from explorer.values.subject import Subject, Task

BOXES = torch.tensor(
    [
        [[0, 0, 4, 4, 0], [10, 10, 30, 30, 1], [0, 0, 0, 0, -1]],
        [[0, 0, 4, 4, 0], [20, 0, 30, 10, 1], [40, 40, 60, 60, 2]],
    ]
).float()


def parted(metric: str, targets, **more):
    return partings_of(
        Task("t", data=(torch.zeros(len(targets), 1), targets), metric=metric, **more),
        Split(targets, targets),
    )


def test_pixels_are_counted_class_by_class():
    targets = torch.tensor([[[0, 0], [1, 2]], [[0, 1], [1, 255]]])
    said = torch.tensor([[[0, 1], [1, 1]], [[0, 1], [1, 2]]])
    outputs = torch.nn.functional.one_hot(said, 3).permute(0, 3, 1, 2).float()
    (parting,) = parted("mean_iou", targets, class_names=("sky", "tree", "car"))
    # both, said, there; the ignored pixel counts nowhere
    assert parting.rows(outputs, targets).tolist() == [
        [[1, 1, 2], [1, 3, 1], [0, 0, 1]],
        [[1, 1, 1], [2, 2, 2], [0, 0, 0]],
    ]
    assert [parting.name(n) for n in range(4)] == ["sky", "tree", "car", "class 3"]
    mean = METRICS["mean_iou"]()
    each = parting.metric.value(parting.rows(outputs, targets).sum(0))
    assert float(each.mean()) == pytest.approx(float(mean.value(mean.statistics(outputs, targets).sum(0))))


def test_boxes_are_found_or_not_size_by_size():
    (parting,) = parted("detection_f1", BOXES)
    sure = torch.tensor([0.9, 0.9, 0.2])  # the third is too unsure to count
    found = torch.cat([BOXES[..., :4], sure.expand(2, 3)[..., None], BOXES[..., 4:]], -1)
    found[0, 0, :4] += 30  # the first small one is somewhere else
    rows = parting.rows(found, BOXES)
    assert rows.shape[1:] == (3, 2) and rows[..., 1].sum() == 5
    assert rows.sum(0).tolist() == [[1, 2], [1, 1], [1, 2]]
    assert [parting.name(n) for n in range(3)] == [
        "small (up to 6 pixels)",
        "medium (6 to 16.7 pixels)",
        "large (above 16.7 pixels)",
    ]


def test_numbers_are_divided_by_ranges_of_the_target():
    targets = torch.arange(10.0)[:, None]
    (parting,) = parted("mae", targets)
    rows = parting.rows(targets + torch.tensor([1.0] * 5 + [3.0] * 5)[:, None], targets)
    assert rows.sum(0).tolist() == [[2, 2], [2, 2], [4, 2], [6, 2], [6, 2]]
    assert parting.name(0) == "up to 1.8" and parting.name(4) == "above 7.2"
    (parting,) = parted("r2", torch.zeros(10, 3))
    assert parting.rows(torch.ones(10, 3), torch.zeros(10, 3)).sum(0).tolist() == [[10, 10]] * 3
    (parting,) = parted("mae", torch.ones(10, 1))  # a target that never changes has one range
    assert parting.rows(torch.ones(10, 1), torch.ones(10, 1)).shape == (10, 1, 2)


def test_tokens_are_divided_by_place_and_by_how_often_they_occur():
    tokens = torch.tensor([[0, 0, 1, 2], [0, 0, 1, 3], [0, 1, 1, -100]])
    places, often = parted("perplexity", tokens)
    outputs = torch.zeros(3, 4, 5)
    assert places.rows(outputs, tokens)[..., 1].sum(0).tolist() == [3, 3, 3, 2]
    assert often.rows(outputs, tokens)[..., 1].sum(0).tolist() == [5, 4, 2]  # 0, then 1, then 2 and 3
    nats = places.rows(outputs, tokens)[..., 0].sum(0)
    assert torch.allclose(nats, math.log(5) * torch.tensor([3.0, 3, 3, 2]).double())
    assert [often.name(n) for n in range(3)] == [
        "frequent tokens (1)",
        "tokens in between (1)",
        "rare tokens (2)",
    ]
    assert [places.name(n) for n in (0, 3)] == ["tokens 1 to 1", "tokens 4 to 4"]


def test_a_planted_victim_is_the_one_that_is_named():
    targets = torch.rand(400, 1, generator=torch.Generator().manual_seed(0))
    (parting,) = parted("mae", targets)
    noise = 0.1 * torch.randn(400, 1, generator=torch.Generator().manual_seed(1))
    low = targets < 0.2
    base = parting.rows(targets + noise, targets)
    shown = grouped(parting, base, parting.rows(targets + noise + 0.5 * low, targets))
    assert [group.hurt for group in shown.groups] == [True, False, False, False, False]
    assert sum(group.samples for group in shown.groups) == 400
    same = grouped(parting, base, base)
    assert not any(group.hurt for group in same.groups) and same.groups[0].drop.estimate == 0


def test_a_group_with_one_sample_is_left_out():
    (parting,) = parted("mean_iou", torch.zeros(4, 2, 2, dtype=torch.long))
    rows = torch.zeros(4, 2, 3).double()
    rows[:, 0], rows[0, 1] = 4, 1
    shown = grouped(parting, rows, rows)
    assert [group.name for group in shown.groups] == ["class 0"] and shown.left_out == 1


# --------------------------------------------------------------------------- models


def regressor() -> Subject:
    subject = load("digits-cnn")
    inputs = subject.task.normalisation(subject.task.split("tuning").inputs)[:120]
    with torch.inference_mode():
        targets = subject.model(inputs)[:, :1] / 2
    task = Task(
        "angles", data={"tuning": (inputs, targets)}, metric="mae", answer=lambda outputs: outputs[:, :1]
    )
    return replace(subject, id="angles of a cnn", name="angles", task=task)


def segmenter() -> Subject:
    torch.manual_seed(0)
    layers = [torch.nn.Conv2d(1, 8, 3, padding=1), torch.nn.ReLU(), torch.nn.Conv2d(8, 2, 3, padding=1)]
    model, subject = torch.nn.Sequential(*layers).eval(), load("digits-mlp")
    pictures = subject.task.normalisation(subject.task.split("tuning").inputs)[:100]
    bare = replace(subject, id="halves", name="halves", model=model, task=None, card={})
    return with_task(
        bare, Task("halves", data={"tuning": (pictures, (pictures[:, 0] > 0).long())}, metric="mean_iou")
    )


MODELS = {
    "mae": (regressor, Recipe(channels={"conv2": 0.5})),
    "mean_iou": (segmenter, Recipe(channels={"0": 0.5})),
    "detection_f1": (lambda: load("shapes-detector"), None),
}


@pytest.mark.parametrize("name", MODELS)
def test_all_groups_together_are_what_prune_measures(name):
    make, recipe = MODELS[name]
    samples = 40 if recipe is None else 100
    model, conditions = analyse(make()), Conditions(samples, latency=False)
    recipe = recipe or Recipe(weights={next(iter(model.profile.prunable_layers)): 0.5})
    whole, report = outcome(who_pays(model, recipe, conditions)), prune(model, recipe, conditions)
    assert whole.finished and whole.samples == samples and whole.kinds[0].groups
    assert (whole.before.value, whole.after.value) == (report.baseline.value, report.pruned.value)
    assert whole.drop.estimate == report.drop.estimate
    numbers = {change.sample for change in (*whole.worse, *whole.better)}
    assert set(whole.answers) == numbers != set()
    split = model.subject.task.split("tuning")
    for number, answer in list(whole.answers.items())[:3]:
        truth = split.targets_at(number, number + 1)[0]
        truth = truth[truth[:, 4] >= 0] if name == "detection_f1" else truth
        assert torch.equal(answer.truth.double(), truth.double())
        assert answer.before.shape[1:] == answer.after.shape[1:] == answer.truth.shape[1:]
    if name == "mae":
        for change in whole.worse:
            answer = whole.answers[change.sample]
            assert float((answer.after - answer.truth).abs()) == pytest.approx(change.after, abs=1e-6)
        total = sum(group.amount * group.after for group in whole.kinds[0].groups)
        assert total / 100 == pytest.approx(report.pruned.value)
        assert whole.changed[0] + whole.changed[1] == 100 and len(whole.worse) <= 12
        assert all(change.after > change.before for change in whole.worse)
    same = outcome(who_pays(model, Recipe(), conditions))
    assert same.drop.estimate == 0 and same.changed == (0, 0) and same.worse == ()


def test_classes_are_compared_elsewhere():
    subject = load("digits-mlp")
    with pytest.raises(ExplorerError, match="its classes and confusions are compared instead"):
        next(iter(who_pays(analyse(subject), Recipe(), Conditions())))
    assert "accuracy" not in KINDS and set(KINDS) <= set(METRICS)
