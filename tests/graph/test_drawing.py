"""The architecture as a graph: what flows where, what is folded, how it is drawn, and that names
stay names.
"""

import re

import pytest
import torch
from torch import Tensor, nn
from zoo import ZOO, odd

from explorer.graph.drawing import CUT, FROZEN, STRIPE, draw, quoted
from explorer.graph.export import graph_of
from explorer.graph.folding import fold, modules, suggested, with_surroundings
from explorer.graph.wiring import INPUT, OUTPUT, Place, Wiring, wiring
from explorer.loaders.model_text import load
from explorer.pruning.cutting import cut
from explorer.pruning.widths import units_left
from explorer.values.profile import Saliencies
from explorer.values.recipe import Recipe
from explorer.values.subject import Subject


def wired(name: str):
    return wiring(graph_of(odd(name)))


@pytest.fixture(scope="module")
def resnet():
    return graph_of(load("shapes-resnet"))


# --------------------------------------------------------------------------- wiring


def test_a_chain_is_a_chain_and_its_norm_is_drawn_with_its_convolution():
    found = wired("chain")
    assert [place.name for place in found.places] == [INPUT, "conv1", "conv2", "fc", OUTPUT]
    assert found.ways == ((INPUT, "conv1"), ("conv1", "conv2"), ("conv2", "fc"), ("fc", OUTPUT))
    assert [norm.name for norm in found.places[1].also] == ["norm"]


def test_a_residual_addition_is_a_join_of_two_ways():
    found = wired("residual")
    (join,) = [place for place in found.places if place.label == "+"]
    assert {a for a, b in found.ways if b == join.name} == {"stem", "b"}
    assert [b for a, b in found.ways if a == join.name] == ["fc"]


def test_the_size_of_a_batch_is_no_way_for_data():
    found = wiring(graph_of(load("shapes-vit")))
    assert [b for a, b in found.ways if a == INPUT] == ["patches.conv1"]
    assert [b for a, b in found.ways if a == "class_token"] == [
        b for a, b in found.ways if a == "patches.conv4"
    ]


@pytest.mark.parametrize("name", list(ZOO))
def test_every_layer_has_a_place_and_the_input_reaches_the_output(name):
    graph = graph_of(odd(name))
    wired = wiring(graph)
    if graph.program is None:
        assert wired == Wiring((), ()) and draw(graph) == ""
        return
    drawn = {layer.name for place in wired.places if place.layer for layer in (place.layer, *place.also)}
    assert drawn == {layer.name for layer in graph.profile.layers}
    reached = {INPUT}
    for _ in wired.ways:
        reached |= {b for a, b in wired.ways if a in reached}
    assert OUTPUT in reached


# --------------------------------------------------------------------------- folding


def test_a_folded_module_is_one_box_with_the_ways_of_what_it_holds(resnet):
    wired = wiring(resnet)
    boxes, ways = fold(wired, ())
    assert [box.name for box in boxes] == [INPUT, "conv1", "layer1", "layer2", "layer3", "fc", OUTPUT]
    assert ways == tuple(zip([b.name for b in boxes], [b.name for b in boxes][1:], strict=False))
    inner, _ = fold(wired, {"layer1"})
    assert [box.name for box in inner if box.module == "layer1"] == ["layer1.0", "layer1.1", "layer1.2"]
    assert sum(len(box.places) for box in inner) == len(wired.places)


def test_as_much_is_unfolded_as_is_readable(resnet):
    found = wiring(resnet)
    assert suggested(found, room=200) == set(modules(found))
    assert suggested(found, room=20) == {"layer1", "layer2", "layer3"}
    assert suggested(found, room=5) == frozenset()


def test_where_one_depth_is_too_much_and_the_page_is_empty_the_smaller_modules_are_unfolded():
    small = [Place(f"a.{k}", "a", str(k)) for k in range(3)]
    large = [Place(f"b.{k}", "b", str(k)) for k in range(50)]
    found = Wiring((*small, *large), ())
    assert suggested(found, room=20) == {"a"} and suggested(found, room=3) == frozenset()
    assert suggested(found, room=60) == {"a", "b"}
    assert with_surroundings(["layer1.0"]) == {"layer1", "layer1.0"}


def test_a_module_of_one_layer_is_that_layer():
    found = Wiring((Place("a.b.c", "a.b", "c"), Place("d", "", "d")), (("a.b.c", "d"),))
    assert modules(found) == () and [box.name for box in fold(found, ())[0]] == ["a.b.c", "d"]


# --------------------------------------------------------------------------- drawing


def line(dot: str, name: str) -> str:
    (found,) = [row for row in dot.splitlines() if row.strip().startswith(f'"{name}" [')]
    return found


def test_what_is_cut_is_narrower_and_framed_and_what_is_frozen_says_why(resnet):
    dense, cut_dot = draw(resnet), draw(resnet, {"layer1.0.conv1": 4})

    def width(dot):
        return float(re.search(r"width=([\d.]+)", line(dot, "layer1.0.conv1"))[1])

    assert width(cut_dot) < width(dense) and CUT in line(cut_dot, "layer1.0.conv1") and CUT not in dense
    assert "4 of 16 channels" in line(cut_dot, "layer1.0.conv1")
    assert line(cut_dot, "layer1.1.conv1") == line(dense, "layer1.1.conv1")
    assert FROZEN in line(dense, "fc") and "stays whole: is an output of the model" in line(dense, "fc")


def test_layers_of_one_group_share_a_colour_and_others_do_not(resnet):
    def colour(name):
        return re.search(r'fillcolor="(#\w+)"', line(draw(resnet), name))[1]

    assert colour("conv1") == colour("layer1.0.conv2") == colour("layer1.1.conv2")
    assert len({colour("layer1.0.conv2"), colour("layer2.0.conv2"), colour("layer1.0.conv1")}) == 3
    assert "added together in layer1.0" in line(draw(resnet), "layer1.0.conv2")


def test_a_folded_box_counts_what_it_holds(resnet):
    row = line(draw(resnet, {"layer1.0.conv1": 8}, ()), "layer1")
    assert "12 layers" in row and "units left" in row and "peripheries=2" in row
    groups = [
        g
        for g in resnet.profile.groups
        if g.name in ("conv1", "layer1.0.conv1", "layer1.1.conv1", "layer1.2.conv1")
    ]
    assert f"{1 - 8 / sum(g.units for g in groups):.0%} of units left" in row


def test_a_folded_box_has_a_stripe_of_each_coupled_group_in_it(resnet):
    colour = re.search(r'fillcolor="(#\w+)"', line(draw(resnet), "conv1"))[1]
    row = line(draw(resnet, None, ()), "layer1")
    assert f'fillcolor="{colour};{STRIPE}:#' in row and "coupled group conv1: 16 of 16 channels left" in row


def test_what_makes_no_channels_is_as_wide_as_what_passes_through_it():
    vit = graph_of(load("shapes-vit"))
    dot = draw(vit, {"patches.conv4": 72})

    def colour(name):
        return re.search(r'fillcolor="(#\w+)"', line(dot, name))[1]

    assert all("72 of 96 channels" in line(dot, name) for name in ("norm", "positions", "class_token"))
    assert colour("norm") == colour("patches.conv4") != colour("patches.conv3")


def test_braces_and_quotes_are_balanced(resnet):
    for unfolded in (None, (), ("layer1", "layer3.1")):
        dot = draw(resnet, None, unfolded)
        bare = re.sub(r'"[^"]*"', "", dot)
        assert bare.count("{") == bare.count("}") and '"' not in bare and dot.startswith("digraph {")


@pytest.mark.parametrize(
    "evil", ['a"];b', "a\\", "<b>x</b>", "a\nb", "a&lt;b", 'x" URL="javascript:1', "\\N", "a\u2028b"]
)
def test_a_foreign_name_is_one_quoted_word(evil):
    found = quoted(evil)
    assert found[0] == found[-1] == '"' and not set(found[1:-1]) & set('"\\<>&\n\r\u2028')


class Evil(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.ModuleDict(
            {"x URL=javascript:alert(1) &lt;": nn.Linear(4, 6), "</title>": nn.Linear(6, 2)}
        )

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.body.values():
            x = layer(x)
        return x


def test_a_hostile_module_name_adds_nothing_to_the_drawing():
    dot = draw(graph_of(Subject("evil", "evil", Evil().eval(), None, torch.randn(2, 4))))
    bare = re.sub(r'"[^"]*"', '""', dot)
    assert "URL" not in bare and "javascript" not in bare and "</title>" not in dot and "&" not in dot
    assert dot.count(" [label=") == 4 and dot.count("->") == 3


# --------------------------------------------------------------------------- widths


def test_counts_are_those_of_the_cut(resnet):
    profile = resnet.profile
    recipe = Recipe(
        channels={"conv1": 0.3, "layer2.0.conv1": 0.5}, weights={"fc": 0.5}, keep={"conv1": (0,)}, round_to=4
    )
    scores = {name: torch.rand(g.units) for name, g in profile.free_groups.items()}
    weights = {"fc": torch.rand(10, 64)}
    masks = cut(Saliencies(scores, weights), profile, recipe).masks.channels
    assert units_left(profile, recipe) == {name: int(mask.sum()) for name, mask in masks.items()}
    assert units_left(profile, Recipe()) == {}
