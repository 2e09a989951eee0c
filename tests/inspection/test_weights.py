"""Bands, patterns and norms of hand-made weights, and their figures."""

import json

import numpy as np
import pytest
import torch

from explorer.figures.style import NOTHING
from explorer.figures.weight_bands import weight_bands as bands_figure
from explorer.figures.weight_pattern import filter_norms as norms_figure
from explorer.figures.weight_pattern import weight_pattern
from explorer.inspection import weight_bands as banded
from explorer.inspection.weight_bands import weight_bands
from explorer.inspection.weight_patterns import corner, filter_norms, pattern
from explorer.pruning.cutting import _cut_pattern
from explorer.values.profile import Masks

WEIGHT = torch.tensor([[0.0, -0.1, 0.3, 0.5], [0.9, -1.0, 0.2, 0.7]])
MASK = torch.tensor([[False, False, True, True], [True, True, False, True]])


def test_quantiles_are_of_what_is_not_zero_before_and_after():
    weight = torch.cat([torch.arange(1, 102), torch.zeros(50)]) / 100 * -1
    (band,) = weight_bands({"a": weight})
    assert band.before == pytest.approx((0.06, 0.26, 0.51, 0.76, 0.96)) and band.after == band.before
    assert (band.weights, band.read, band.threshold) == (151, 151, None) and band.sparsity == pytest.approx(
        50 / 151
    )
    (cut,) = weight_bands({"a": weight}, Masks({}, {"a": weight.abs() > 0.5}))
    assert cut.before == band.before and cut.after == pytest.approx((0.54, 0.63, 0.76, 0.88, 0.98), abs=0.02)


def test_the_threshold_is_the_largest_single_weight_that_goes():
    a, b = weight_bands({"a": WEIGHT, "b": WEIGHT}, Masks({}, {"a": MASK}))
    assert a.threshold == pytest.approx(0.2) and a.sparsity == 3 / 8
    assert b.threshold is None and b.sparsity == 1 / 8
    (channel,) = weight_bands({"a": WEIGHT}, Masks({}, {"a": torch.tensor([[False] * 4, [True] * 4])}))
    assert channel.threshold is None and channel.after[-1] == 1


def test_a_large_layer_is_read_in_part_and_says_so(monkeypatch):
    weight = torch.randn(40_000, generator=torch.Generator().manual_seed(0))
    (whole,) = weight_bands({"a": weight})
    monkeypatch.setattr(banded, "READ", 10_000)
    (part,) = weight_bands({"a": weight})
    assert (whole.read, part.read) == (40_000, 10_000)
    assert part.before == pytest.approx(whole.before, rel=0.1) and part.before != whole.before


def test_nothing_and_all_zeros():
    assert weight_bands({}) == () and weight_bands({"a": torch.zeros(3)})[0].before == ()


def test_a_small_pattern_is_shown_weight_by_weight_with_inputs_side_by_side():
    weight = torch.zeros(2, 3, 2)  # two outputs, three inputs, two kernel positions
    weight[0, 2, 0] = weight[1, 0, 1] = 1
    found = pattern(weight)
    assert found.density.tolist() == [[0, 0, 1, 0, 0, 0], [0, 0, 0, 1, 0, 0]]
    assert (found.block, found.shape, found.sparsity) == ((1, 1), (2, 2, 3), pytest.approx(10 / 12))
    turned = pattern(weight.transpose(0, 1), input_dim=0)
    assert torch.equal(turned.density, found.density)


def test_a_large_pattern_is_the_density_of_its_blocks_also_at_the_edge():
    weight = torch.ones(3, 5)
    weight[0, :3] = 0
    found = pattern(weight, max_side=2)
    assert found.block == (2, 3) and found.density.tolist() == [[0.5, 1], [1, 1]]


def test_two_of_four_is_visible_weight_by_weight_in_every_block():
    weight = torch.randn(8, 16, 3, 3, generator=torch.Generator().manual_seed(0))
    kept, _ = _cut_pattern(weight.abs(), 1, "2:4", 0.5)
    rows = corner(weight * kept, size=(8, 144)).density
    assert set(rows.view(8, -1, 4).sum(2).flatten().tolist()) == {2.0}
    free = corner(weight * (weight.abs() > weight.abs().median())).density
    assert set(free.view(8, -1, 4).sum(2).flatten().tolist()) != {2.0}


def test_norms_of_filters():
    found = filter_norms(WEIGHT, WEIGHT * MASK)
    assert found.before == pytest.approx((np.sqrt(0.35), np.sqrt(0.81 + 1 + 0.04 + 0.49)))
    assert found.after == pytest.approx((np.sqrt(0.34), np.sqrt(0.81 + 1 + 0.49)))
    assert filter_norms(WEIGHT, WEIGHT, output_dim=1).before[0] == pytest.approx(0.9)


# --------------------------------------------------------------------------- figures


def test_bands_are_drawn_before_and_after_with_thresholds():
    bands = weight_bands({"a": WEIGHT, "b": WEIGHT}, Masks({}, {"a": MASK}))
    names = [trace.name for trace in bands_figure(bands).data if trace.showlegend is not False]
    assert names == ["before", "after", "largest weight removed"]
    strong = next(t for t in bands_figure(bands).data if t.name == "before" and t.showlegend)
    assert [base + y for base, y in zip(strong.base, strong.y, strict=True)] == pytest.approx(
        [band.before[3] for band in bands]
    )
    dense = bands_figure(weight_bands({"a": WEIGHT}))
    assert {trace.name for trace in dense.data} == {"before", None}


def test_two_hundred_layers_stay_on_one_page_and_small():
    weights = {f"features.block{k}.layer{k}.conv": torch.randn(64) for k in range(200)}
    figure = bands_figure(weight_bands(weights))
    assert figure.layout.height < 600 and len(figure.layout.xaxis.ticktext) == 40
    assert max(map(len, figure.layout.xaxis.ticktext)) <= 24
    assert len(json.dumps(json.loads(figure.to_json()))) < 120_000


def test_patterns_and_norms_are_drawn():
    figure = weight_pattern(pattern(WEIGHT * MASK), "fc")
    assert figure.data[0].z.tolist() == [[0, 0, 1, 1], [1, 1, 0, 1]]
    assert "each cell is one weight" in figure.layout.title.subtitle.text
    assert (
        "density of 1 x 2 weights"
        in weight_pattern(pattern(WEIGHT, max_side=2), "fc").layout.title.subtitle.text
    )
    gone = norms_figure(filter_norms(WEIGHT, WEIGHT * torch.tensor([[0.0], [1.0]])), "fc")
    assert [trace.name for trace in gone.data] == ["before", "after", "removed whole"] and list(
        gone.data[2].x
    ) == [0]
    assert [trace.name for trace in norms_figure(filter_norms(WEIGHT, WEIGHT), "fc").data] == ["before"]


@pytest.mark.parametrize("empty", [bands_figure(()), weight_pattern(None, "a"), norms_figure(None, "a")])
def test_nothing_to_show_is_said(empty):
    assert not empty.data and empty.layout.annotations[0].text == NOTHING and empty.layout.xaxis.title.text


def test_names_are_no_markup_and_text_has_the_colour_of_the_page():
    evil = "<b>%{x}</b>"
    norms = norms_figure(filter_norms(WEIGHT, WEIGHT), evil)
    for figure in (bands_figure(weight_bands({evil: WEIGHT})), weight_pattern(pattern(WEIGHT), evil), norms):
        written = figure.to_json()
        assert '"font"' not in written and "<b>" not in written and "%{x}</" not in written
