"""Weights by kind and depth: hand-made blocks, gaps, and the figure."""

import json

import pytest
import torch

from explorer.figures.style import NOTHING
from explorer.figures.weight_depths import SHOWN
from explorer.figures.weight_depths import weight_depths as depths_figure
from explorer.inspection.weight_bands import weight_bands
from explorer.inspection.weight_depths import weight_depths
from explorer.values.profile import Masks


def weights(blocks: int = 3, kinds: tuple[str, ...] = ("q", "up")) -> dict[str, torch.Tensor]:
    """All weights of block n are n + 1, but those of "up", which are ten times as large."""
    return {
        "embedding": torch.ones(4),
        **{
            f"h.{n}.{kind}": torch.full((2, 4), (n + 1.0) * (10 if kind == "up" else 1))
            for n in range(blocks)
            for kind in kinds
        },
    }


def test_a_row_follows_one_kind_through_the_blocks():
    found = weight_depths(weight_bands(weights()))
    assert found.blocks == ("0", "1", "2") and found.outside == ("embedding",)
    assert [kind.kind for kind in found.kinds] == ["q", "up"]
    assert [[band.before[2] for band in kind.bands] for kind in found.kinds] == [[1, 2, 3], [10, 20, 30]]


def test_a_block_without_such_a_layer_or_with_zeros_only_is_a_gap():
    held = weights(5)
    del held["h.2.up"]
    held["h.3.up"] = torch.zeros(2, 4)
    found = weight_depths(weight_bands(held))
    assert [band is None for band in found.kinds[1].bands] == [False, False, True, True, False]
    outline = depths_figure(found).data[3]
    assert outline.x == (0, 1, 1, 0, None, 4, 4, None)


def test_a_model_without_blocks_has_none():
    assert weight_depths(weight_bands({"conv1": torch.ones(3), "fc": torch.ones(3)})) is None
    assert depths_figure(None).layout.annotations[0].text == NOTHING


def test_the_figure_has_a_picture_for_each_kind_and_says_what_a_cut_leaves():
    held = weights()
    held["h.1.q"] = torch.tensor([[1.0, 2.0, 3.0, 4.0]])
    dense = depths_figure(weight_depths(weight_bands(held)))
    assert {trace.name for trace in dense.data} == {"before"} and not dense.layout.showlegend
    assert [note.text for note in dense.layout.annotations] == ["q", "up"]
    masks = Masks({}, {"h.1.q": torch.tensor([[False, False, False, True]])})
    cut = depths_figure(weight_depths(weight_bands(held, masks)))
    after = next(trace for trace in cut.data if trace.name == "after")
    assert after.y == (1, 4, 3) and after.line.dash == "dash"


def test_foreign_names_are_escaped_and_many_kinds_are_cut_off():
    evil = "<img src=x>%{x}"
    kinds = (evil, *(f"k{n}" for n in range(SHOWN + 3)))
    found = weight_depths(weight_bands(weights(3, kinds)))
    drawn = depths_figure(found)
    assert "<img" not in json.dumps(drawn.to_plotly_json(), default=str)
    assert len(found.kinds) == SHOWN + 4 and len(drawn.layout.annotations) == SHOWN


@pytest.mark.parametrize("kinds", [2, 3, 4])
def test_the_lowest_picture_of_each_column_names_its_axis(kinds):
    found = weight_depths(weight_bands(weights(3, tuple(f"k{n}" for n in range(kinds)))))
    layout = depths_figure(found).to_plotly_json()["layout"]
    titled = [
        name
        for name, axis in layout.items()
        if name.startswith("xaxis") and axis.get("title", {}).get("text")
    ]
    assert len(titled) == min(3, kinds)
