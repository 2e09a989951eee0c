"""Recovery where answers are masks, boxes or numbers: targets move with their pictures, and what is won back
is measured by the task's own metric.
"""

from dataclasses import replace

import pytest
import torch
from torch import nn

from explorer.engine.conditions import Conditions
from explorer.errors import ExplorerError
from explorer.figures.recovery_accuracy import recovery_accuracy
from explorer.figures.recovery_arms import recovery_arms
from explorer.figures.recovery_loss import recovery_loss
from explorer.graph.analysed import analyse
from explorer.recovery.controls import spread_of
from explorer.recovery.recover import recover
from explorer.recovery.training_plan import RecoveryPlan
from explorer.training.augmentation import AUGMENTATIONS, augmented
from explorer.values.metric import Scale
from explorer.values.progress import outcome
from explorer.values.recipe import Recipe
from explorer.values.report import Measurement
from explorer.values.subject import Subject, Task

SIDE, SAMPLES = 8, 64
PICTURES = torch.randn(SAMPLES, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
MASKS = (PICTURES[:, 0] > 0).long()  # the class of a pixel is the sign of its first colour
MEANS = PICTURES[:, 0].mean((1, 2))[:, None]
BOXES = torch.rand(SAMPLES, 2, 5)
PLAN = RecoveryPlan(epochs=6, batch_size=16, learning_rate=0.05, augmentation="turn_shift")


def sown():
    return torch.Generator().manual_seed(3)


# --------------------------------------------------------------------------- augmentation


@pytest.mark.parametrize("name", [name for name in AUGMENTATIONS if name != "none"])
@pytest.mark.parametrize("masks", [MASKS, MASKS[:, None].to(torch.uint8)], ids=["(n, h, w)", "(n, 1, h, w)"])
def test_masks_move_with_their_pictures(name, masks):
    inputs, moved = augmented(name, PICTURES, masks, sown())
    assert torch.equal(inputs, AUGMENTATIONS[name](PICTURES, sown()))
    assert moved.dtype == masks.dtype and moved.shape == masks.shape
    assert torch.equal(moved.reshape(MASKS.shape).bool(), inputs[:, 0] > 0)
    assert not torch.equal(
        masks.reshape(MASKS.shape).bool(), inputs[:, 0] > 0
    )  # as they were they do not fit


@pytest.mark.parametrize("targets", [BOXES, MEANS, {"mask": MASKS}, [1] * SAMPLES])
def test_where_targets_cannot_move_nothing_moves(targets):
    inputs, same = augmented("turn_shift", PICTURES, targets, sown())
    assert inputs is PICTURES and same is targets


def test_classes_of_pictures_stay_while_pictures_move():
    classes = torch.arange(SAMPLES)
    inputs, same = augmented("shift", PICTURES, classes, sown())
    assert same is classes and not torch.equal(inputs, PICTURES)


# --------------------------------------------------------------------------- what is won back


class Signs(nn.Module):
    """Four channels, of which the first two carry the answer and have the smaller weights."""

    def __init__(self, pooled: bool = False):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.head = nn.Conv2d(4, 1 if pooled else 2, 1)
        self.pooled = pooled
        with torch.no_grad():
            self.conv.weight.zero_()
            self.conv.bias.zero_()
            self.conv.weight[:2, 0, 1, 1] = torch.tensor([1.0, -1.0])
            self.conv.weight[2:, 1:] = 0.5
            self.head.weight.zero_()
            self.head.bias.zero_()
            self.head.weight[0, :2, 0, 0] = torch.tensor([1.0, -1.0]) if pooled else torch.tensor([-1.0, 1.0])
            if not pooled:
                self.head.weight[1, :2, 0, 0] = torch.tensor([1.0, -1.0])

    def forward(self, x):
        x = self.head(self.conv(x).relu())
        return x.mean((2, 3)) if self.pooled else x


def model(targets, metric, pooled=False):
    data = {"training": (PICTURES, targets), "tuning": (PICTURES, targets)}
    task = Task(metric, (3, SIDE, SIDE), data=data, metric=metric, fingerprint=metric)
    net = Signs(pooled).eval()
    return analyse(Subject(metric, metric, net, task, PICTURES[:2]))


def recovered(of, root, **changes):
    recipe = Recipe(channels={next(iter(of.profile.free_groups)): 0.5})
    return outcome(
        recover(of, recipe, replace(PLAN, **changes), Conditions(latency=False), root=root / of.subject.id)
    )


def test_a_segmenter_wins_back_what_it_lost(tmp_path):
    done = recovered(model(MASKS, "mean_iou"), tmp_path, epochs=20)
    assert done.baseline.value == 1.0 and done.scale == Scale("mean_iou", "%", "higher")
    after = done.recovered[0].measurement.value
    assert done.one_shot.measurement.value < 0.6 and after > done.one_shot.measurement.value + 0.15
    assert recovery_accuracy(done).layout.yaxis.title.text == "Mean IoU (%)"
    taught = recovered(
        model(MASKS, "mean_iou"),
        tmp_path,
        method="distill",
        distillation_weight=0.5,
        augmentation="none",
        epochs=20,
    )
    assert taught.recovered[0].measurement.value > done.one_shot.measurement.value


def test_a_regressor_is_measured_by_its_error(tmp_path):
    done = recovered(model(MEANS, "mae", pooled=True), tmp_path)
    dense, cut, after = (
        one.value for one in (done.baseline, done.one_shot.measurement, done.recovered[0].measurement)
    )
    assert dense < 1e-6 < after < cut and done.scale.better == "lower"
    assert all(point.accuracy is None for point in done.losses)
    assert "learning rate" in recovery_loss(done).data[0].hovertemplate
    assert recovery_arms(done).layout.xaxis.title.text == "Mean absolute error"
    assert list(recovery_arms(done).data[0].x) == pytest.approx([dense, cut, after])
    with pytest.raises(ExplorerError, match="teaches the probabilities of classes"):
        recovered(model(MEANS, "mae", pooled=True), tmp_path, method="distill", distillation_weight=0.5)


def test_a_spread_of_errors_may_exceed_one():
    errors = [Measurement(metric="mae", value=value, unit="m", samples=4) for value in (3.0, 5.0)]
    assert spread_of(errors).mean == 4.0 and spread_of(errors).high > 5
    shares = [Measurement(metric="mean_iou", value=value, unit="%", samples=4) for value in (0.2, 0.9)]
    assert (spread_of(shares).low, spread_of(shares).high) == (0.0, 1.0)
