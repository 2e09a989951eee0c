"""Distributions: bins, quantiles and pictures of hand-made weights."""

import pytest
import torch

from explorer.inspection.distributions import (
    channel_importance,
    weight_histogram,
    weight_image,
)
from explorer.values.profile import Masks

WEIGHTS = {"a": torch.tensor([[0.0, -0.1, 0.3], [0.9, -1.0, 0.0]]), "b": torch.tensor([0.05, 0.5])}


def test_all_layers_share_one_scale():
    found = weight_histogram(WEIGHTS, bins=4)
    assert found.edges == (0.0, 0.25, 0.5, 0.75, 1.0) and found.scale == "linear"
    a, b = found.layers
    assert (a.counts, a.weights, a.zeros, a.sparsity) == ((1, 1, 0, 2), 6, 2, 2 / 6)
    assert b.counts == (1, 0, 1, 0) and b.zeros == 0
    assert a.threshold is None and a.removed_counts == (0, 0, 0, 0)


def test_quantiles_are_of_the_magnitudes_that_are_not_zero():
    weight = torch.cat([torch.arange(1, 102), torch.zeros(50)]) / 100 * -1
    (layer,) = weight_histogram({"a": weight}).layers
    assert layer.quantiles == pytest.approx((0.06, 0.26, 0.51, 0.76, 0.96))


def test_the_logarithmic_scale_has_five_decades_and_loses_nothing():
    found = weight_histogram({"a": torch.tensor([10.0, 1.0, 0.1, 1e-3, 1e-9])}, bins=5, scale="log")
    assert found.edges == pytest.approx((1e-4, 1e-3, 1e-2, 1e-1, 1, 10))
    assert sum(found.layers[0].counts) == 5 and found.layers[0].counts[0] == 1


def test_masks_give_what_goes_and_the_largest_that_goes():
    mask = torch.tensor([[True, False, False], [True, True, True]])
    a, b = weight_histogram(WEIGHTS, bins=4, masks=Masks({}, {"a": mask})).layers
    assert a.removed_counts == (1, 1, 0, 0) and a.threshold == pytest.approx(0.3)
    assert a.sparsity == pytest.approx(4 / 6)
    assert b.threshold is None and b.sparsity == 0


def test_a_removed_channel_does_not_set_the_threshold():
    weight = torch.tensor([[5.0, 6.0, 7.0], [0.1, 4.0, 2.0], [0.3, 4.0, 2.0]])
    mask = torch.tensor([[False, False, False], [False, False, True], [True, False, True]])
    (layer,) = weight_histogram({"a": weight}, masks=Masks({}, {"a": mask})).layers
    assert layer.threshold == pytest.approx(0.1)
    mask[1, 0] = True
    (layer,) = weight_histogram({"a": weight}, masks=Masks({}, {"a": mask})).layers
    assert layer.threshold is None


def test_only_keeps_the_scale():
    found = weight_histogram(WEIGHTS, bins=4)
    assert found.only("b").edges == found.edges and [h.layer for h in found.only("b").layers] == ["b"]
    assert found.only("none").layers == ()


def test_nothing_and_all_zeros_make_empty_bins():
    assert weight_histogram({}).layers == ()
    (layer,) = weight_histogram({"a": torch.zeros(3, 3)}, bins=4).layers
    assert (sum(layer.counts), layer.quantiles, layer.sparsity) == (0, (), 1)


@pytest.mark.parametrize("scale", ["linear", "log"])
def test_every_weight_is_counted_once(scale):
    weight = torch.randn(300, 70, generator=torch.Generator().manual_seed(0))
    (layer,) = weight_histogram({"a": weight}, scale=scale).layers
    assert sum(layer.counts) + layer.zeros == layer.weights == weight.numel()


def test_the_weights_are_left_as_they_were():
    before = {name: weight.clone() for name, weight in WEIGHTS.items()}
    weight_histogram(WEIGHTS, scale="log")
    weight_image(WEIGHTS["a"])
    assert all(torch.equal(before[name], WEIGHTS[name]) for name in WEIGHTS)


@pytest.mark.filterwarnings("error")
def test_parameters_that_train_are_read_like_plain_tensors():
    weight = torch.nn.Parameter(torch.tensor([[1.0, -2.0]]))
    assert (
        weight_histogram({"a": weight}, bins=2).layers
        == weight_histogram({"a": weight.detach()}, bins=2).layers
    )
    assert not weight_image(weight).values.requires_grad


def test_units_are_sorted_with_their_flags():
    scores = {"g": torch.tensor([3.0, 1.0, 2.0]), "h": torch.tensor([1.0, 1.0])}
    g, h = channel_importance(scores, {"g": torch.tensor([True, False, True])})
    assert (g.group, g.units, g.values, g.kept) == ("g", (0, 2, 1), (3.0, 2.0, 1.0), (True, True, False))
    assert h.kept == (True, True) and h.units == (1, 0)
    assert channel_importance({}, {}) == ()


def test_a_small_weight_is_shown_weight_by_weight():
    found = weight_image(torch.tensor([[[-1.0, 2.0]], [[3.0, -4.0]]]))
    assert found.values.tolist() == [[1, 2], [3, 4]]
    assert (found.block, found.shape) == ((1, 1), (2, 1, 2))


def test_a_large_weight_is_averaged_in_blocks_also_at_the_edge():
    weight = torch.arange(15.0).view(3, 5)
    mean = weight_image(weight, max_side=2)
    assert mean.block == (2, 3)
    assert mean.values.tolist() == [[(0 + 1 + 2 + 5 + 6 + 7) / 6, (3 + 4 + 8 + 9) / 4], [11, 13.5]]
    assert weight_image(weight, max_side=2, reduction="max").values.tolist() == [[7, 9], [12, 14]]


def test_the_picture_fits():
    assert max(weight_image(torch.randn(1000, 3, 7, 7)).values.shape) <= 256
    assert weight_image(torch.randn(5)).values.shape == (5, 1)
