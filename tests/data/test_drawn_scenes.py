"""Drawn masks and scenes of several shapes: the same everywhere, true by construction; and what the outputs
of a detector on them mean.
"""

import hashlib

import numpy as np
import pytest
import torch

from explorer.data import shapes, shapes_masks, shapes_scenes
from explorer.data.grid_boxes import SHOWN, assigned, boxes_of, centres, detection_loss, overlap
from explorer.data.scenes_drawing import draw_scene
from explorer.errors import UnknownNameError
from explorer.machine import paths
from explorer.machine.optional_packages import uses_torchvision
from explorer.measuring.judging import judge_for
from explorer.metrics.detection_f1 import detection_f1
from explorer.registry import DATA

ops = uses_torchvision("torchvision.ops")
MODULES = {"shapes-masks": (shapes_masks, 1000), "shapes-scenes": (shapes_scenes, 200)}


def digest(arrays):
    return hashlib.sha256(arrays["inputs"].tobytes() + arrays["targets"].tobytes()).hexdigest()[:16]


@pytest.mark.parametrize("name", MODULES)
def test_samples_are_those_that_the_fingerprint_names(name):
    module, samples = MODULES[name]
    assert digest(module.make_split("tuning", samples)) == module.FINGERPRINT == DATA[name]().fingerprint
    assert digest(module.make_split("held_out", 50)) != digest(module.make_split("tuning", 50))


@pytest.mark.parametrize("name", MODULES)
def test_a_split_is_drawn_once_and_read_from_the_cache(name, monkeypatch, tmp_path):
    module, _ = MODULES[name]
    monkeypatch.setenv(paths.CACHE_VARIABLE, str(tmp_path))
    monkeypatch.setattr(module, "SAMPLES", dict.fromkeys(module.SAMPLES, 60))
    first = DATA[name]().split("tuning")
    monkeypatch.setattr(module, "make_split", lambda *_: pytest.fail("drawn again"))
    assert torch.equal(DATA[name]().split("tuning").targets, first.targets) and len(first) == 60
    with pytest.raises(UnknownNameError, match="training, tuning, held_out"):
        module.load_split("test")


def test_masks_are_of_the_pictures_of_the_shapes():
    whole, masked = shapes.make_split("tuning", 100), shapes_masks.make_split("tuning", 100)
    assert (masked["inputs"] == whole[0]).all()
    for mask, number in zip(masked["targets"], whole[1], strict=True):
        assert set(np.unique(mask)) <= {0, number + 1}
    assert 0.05 < (masked["targets"] > 0).mean() < 0.3


def test_a_pixel_of_the_mask_is_lighter_than_its_background():
    masked = shapes_masks.make_split("tuning", 200)
    pictures, there = masked["inputs"].mean(1), masked["targets"] > 0
    lighter = [p[m].mean() > p[~m].mean() for p, m in zip(pictures, there, strict=True) if m.any()]
    assert np.mean(lighter) > 0.9


def test_boxes_are_around_the_shapes():
    pictures, boxes = draw_scene(60, (7, 0))
    there = boxes[..., 4] < 255
    assert there.sum(1).min() == 1 and there.sum(1).max() == 4
    sides = boxes[there][:, 2:4].astype(int) - boxes[there][:, :2]
    assert sides.min() >= 4 and sides.max() <= 34 and boxes[there][:, 2:4].max() <= 64
    assert (boxes[~there][:, :4] == 0).all()
    inside, outside = [], []
    for picture, own in zip(pictures.mean(1), boxes, strict=True):
        covered = np.zeros((64, 64), bool)
        for x1, y1, x2, y2, label in own:
            if label < 255:
                covered[y1:y2, x1:x2] = True
        inside.append(picture[covered].mean())
        outside.append(picture[~covered].mean())
    assert np.mean(np.array(inside) > np.array(outside)) > 0.9


# --------------------------------------------------------------------------- what outputs mean


def scene(samples=6):
    targets = torch.from_numpy(draw_scene(samples, (5, 1))[1].astype(np.float32))
    targets[..., 4][targets[..., 4] == 255] = -1
    return targets


def perfect(targets):
    """Outputs that say at each place what it has to say."""
    places = centres(64)
    which = assigned(places, targets)
    mine = targets.gather(1, which.clamp_min(0)[..., None].expand(-1, -1, 5))
    scores = torch.full((len(targets), len(places), 10), -9.0)
    has = which >= 0
    scores[has, mine[has][:, 4].long()] = 9.0
    return scores, torch.where(has[..., None], mine[..., :4], torch.tensor([0.0, 0.0, 4.0, 4.0]))


def noisy(seed=0):
    g = torch.Generator().manual_seed(seed)
    corner, side = torch.rand(5, 320, 2, generator=g) * 40, 4 + 20 * torch.rand(5, 320, 2, generator=g)
    return 3 * torch.randn(5, 320, 10, generator=g), torch.cat([corner, corner + side], -1)


def test_each_box_has_places_on_the_grid_of_its_size():
    targets = scene(40)
    which = assigned(centres(64), targets)
    for own, said in zip(targets, which, strict=True):
        assert set(said.tolist()) - {-1} == set((own[:, 4] >= 0).nonzero()[:, 0].tolist())
        for number in set(said.tolist()) - {-1}:
            longest = float((own[number, 2:4] - own[number, :2]).max())
            assert {int(s) for s in centres(64)[said == number, 2]} == {4 if longest <= 16 else 8}


def test_perfect_outputs_lose_nothing_and_find_every_box():
    targets = scene()
    outputs = perfect(targets)
    assert float(detection_loss(outputs, targets)) < 1e-4
    metric = detection_f1()
    assert float(metric.value(metric.statistics(boxes_of(outputs), targets).sum(0))) == 1.0
    other = scene(12)[6:]
    assert float(metric.value(metric.statistics(boxes_of(outputs), other).sum(0))) < 0.5
    assert float(detection_loss(outputs, other)) > 1


def test_the_loss_is_that_of_torchvision():
    (scores, boxes), targets = noisy(), scene(5)
    which = assigned(centres(64), targets)
    has = which >= 0
    wanted = torch.zeros_like(scores)
    for sample, place in has.nonzero().tolist():
        wanted[sample, place, int(targets[sample, which[sample, place], 4])] = 1
    mine = torch.stack([targets[s, which[s, p], :4] for s, p in has.nonzero().tolist()])
    classes = ops.sigmoid_focal_loss(scores, wanted, alpha=-1, gamma=2.0, reduction="sum")
    apart = ops.generalized_box_iou_loss(boxes[has], mine, reduction="sum")
    expected = (classes + apart) / has.sum()
    assert float(detection_loss((scores, boxes), targets)) == pytest.approx(float(expected), rel=1e-5)
    assert torch.allclose(
        overlap(boxes[0, :9, None], boxes[0, None, :7])[0], ops.box_iou(boxes[0, :9], boxes[0, :7])
    )


def plain_boxes(scores, boxes):
    """One picture, one box after the other."""
    best, labels = scores.max(1)
    kept = []
    for place in best.argsort(descending=True)[:24].tolist():
        rivals = [k for k in kept if labels[k] == labels[place]]
        hidden = any(ops.box_iou(boxes[[place]], boxes[[k]]) > 0.5 for k in rivals)
        if not hidden and best[place].sigmoid() > 0.05:
            kept.append(place)
    return [(*boxes[k].tolist(), float(best[k].sigmoid()), float(labels[k])) for k in kept[:SHOWN]]


@pytest.mark.parametrize("seed", range(3))
def test_shown_boxes_are_those_of_a_plain_loop(seed):
    scores, boxes = noisy(seed)
    for found, own_scores, own_boxes in zip(boxes_of((scores, boxes)), scores, boxes, strict=True):
        expected = plain_boxes(own_scores, own_boxes)
        assert found[found[:, 5] >= 0].numpy() == pytest.approx(np.array(expected), rel=1e-5)


def test_a_loss_of_ones_own_reads_the_models_outputs_as_they_are():
    targets, outputs = scene(), perfect(scene())
    judge = judge_for(DATA["shapes-scenes"]())
    tally = judge(outputs, targets)
    assert float(tally.losses.mean()) == pytest.approx(float(detection_loss(outputs, targets)))
    assert tally.measurement().value == 1.0
