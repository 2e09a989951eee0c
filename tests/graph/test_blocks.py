"""Residual branches: which there are, and what is left without one is what eager torch gives by hand."""

from dataclasses import replace
from importlib.util import find_spec

import pytest
import torch
from block_families import row_of
from torch import nn
from zoo import odd

import explorer
from explorer.audit.audit import audit
from explorer.compaction.compact import compact
from explorer.engine.conditions import Conditions
from explorer.engine.measure import prune
from explorer.errors import RecipeError, UnknownNameError
from explorer.graph.analysed import Analysed, analyse
from explorer.loaders.model_text import load
from explorer.values.profile import Masks
from explorer.values.recipe import Recipe


def names(model: Analysed, removable: bool = True) -> list[str]:
    return [block.name for block in model.profile.blocks if (block.reason is None) == removable]


def test_samples_have_the_blocks_that_they_are_built_from():
    resnet = analyse(load("shapes-resnet"))
    first = [f"layer1.{i}" for i in range(3)]
    assert names(resnet) == first + [f"layer{n}.{i}" for n in (2, 3) for i in (1, 2)]
    assert names(resnet, removable=False) == ["layer2.0", "layer3.0"]
    assert names(analyse(load("shapes-mobilenet"))) == [f"blocks.{i}" for i in (1, 3, 4, 6)]
    parts = ("attention", "fc1")
    assert names(analyse(load("shapes-vit"))) == [f"layers.{i}.{part}" for i in range(4) for part in parts]
    assert names(analyse(load("digits-cnn"))) == names(analyse(load("shapes-densenet"))) == []


def test_what_is_read_elsewhere_is_no_block():
    class Read(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b, self.fc = nn.Linear(6, 6), nn.Linear(6, 6), nn.Linear(6, 4)

        def forward(self, x):
            inner = torch.relu(self.a(x))
            return self.fc(x + self.b(inner)) + self.fc(inner)

    model = analyse(replace(odd("no_bias"), id="read", model=Read().eval(), example=torch.randn(2, 6)))
    block = model.profile.blocks[0]
    assert block.name == "a" and block.reason == "a part of it is also read elsewhere"


class Parallel(nn.Module):
    """Two branches behind one norm, a third that reads an earlier value too, and an operator that writes."""

    def __init__(self):
        super().__init__()
        self.enter, self.norm, self.fc = nn.Linear(6, 8), nn.LayerNorm(8), nn.Linear(8, 4)
        self.a, self.b, self.c = nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(16, 8)

    def forward(self, x, without: str = ""):
        x = self.enter(x)
        kept = {name: float(name not in without) for name in "abc"}
        h = self.norm(x)
        y = x + self.a(h) * kept["a"] + self.b(h) * kept["b"]
        z = torch.relu_(y + self.c(torch.cat([y, x], 1)) * kept["c"])
        return self.fc(z) + self.fc(y)


@pytest.mark.parametrize("chosen", ["a", "b", "c", "ab", "bc", "abc"])
def test_branches_side_by_side_and_values_that_are_written_over(chosen):
    network = Parallel().eval()
    x = torch.randn(5, 6)
    model = analyse(replace(odd("no_bias"), id="parallel", model=network, example=x[:2]))
    assert names(model) == ["a", "b", "c"]
    small = compact(model, Masks({}, {}, tuple(chosen)))
    with torch.no_grad():
        assert torch.allclose(small(x), network(x, chosen), atol=1e-6)
        assert not torch.allclose(small(x), network(x), atol=1e-3)
    assert ("norm.weight" in small.state_dict()) == ({"a", "b"} - set(chosen) != set())
    assert audit(model, Recipe(blocks=tuple(chosen))).verified


@pytest.mark.parametrize("name", ["shapes-vit", "shapes-mobilenet", "torchvision:resnet18"])
def test_families_without_their_blocks_are_what_eager_torch_gives(name):
    if ":" in name and find_spec(name.split(":")[0]) is None:
        pytest.skip("a package of the extra 'zoo' is not installed")
    row = row_of(name)
    assert len(row.removable) in (4, 5, 8) and row.error < 1e-4 < row.moved


@pytest.mark.parametrize("chosen", [("layer1.1",), ("layer1.0", "layer1.1", "layer3.2")])
def test_a_residual_network_without_blocks_is_what_eager_torch_gives(chosen):
    model = analyse(load("shapes-resnet"))
    small = compact(model, Masks({}, {}, chosen))
    by_hand = load("shapes-resnet").model
    for name in chosen:
        by_hand.get_submodule(name).bn2.weight.data.zero_()
        by_hand.get_submodule(name).bn2.bias.data.zero_()
    x = torch.randn(4, *model.subject.example.shape[1:])
    with torch.no_grad():
        assert torch.allclose(small(x), by_hand(x), atol=1e-5)
        assert not torch.allclose(small(x), model.subject.model(x), atol=1e-3)  # the negative control
    assert not any(key.startswith(name + ".") for name in chosen for key in small.state_dict())


def test_a_transformer_without_a_branch_is_what_eager_torch_gives():
    model, by_hand = analyse(load("shapes-vit")), load("shapes-vit").model
    small = compact(model, Masks({}, {}, ("layers.1.attention", "layers.2.fc1")))
    by_hand.layers[1].attention.proj.weight.data.zero_()
    by_hand.layers[1].attention.proj.bias.data.zero_()
    by_hand.layers[2].fc2.weight.data.zero_()
    by_hand.layers[2].fc2.bias.data.zero_()
    x = torch.randn(4, *model.subject.example.shape[1:])
    with torch.no_grad():
        assert torch.allclose(small(x), by_hand(x), atol=1e-5)


def test_a_report_counts_what_goes():
    model = analyse(load("shapes-resnet"))
    block = next(one for one in model.profile.blocks if one.name == "layer3.2")
    recipe = Recipe(blocks=("layer3.2",), channels={"layer1.0.conv1": 0.5})
    report = prune(model, recipe, Conditions(samples=200, latency=False))
    alone = prune(model, replace(recipe, channels={}), Conditions(samples=200, latency=False))
    assert alone.baseline.params - alone.pruned.params == block.params
    assert alone.baseline.macs - alone.pruned.macs == block.macs
    assert report.pruned.params < alone.pruned.params
    assert [part.name for part in report.parts if part.granularity == "block"] == ["layer3.2"]
    assert {layer.pruned_params for layer in report.layers if layer.name.startswith("layer3.2")} == {0}


def test_the_audit_covers_blocks_and_rejects_wrong_edges(monkeypatch):
    model = analyse(load("shapes-resnet"))
    recipe = Recipe(blocks=("layer2.1",), channels={"layer2.0.conv2": 0.25, "layer1.0.conv1": 0.5})
    assert audit(model, recipe).verified
    # the smaller model goes on with what the block before this one read, the reference does not
    earlier = next(one.start for one in model.graph.branches if one.block.name == "layer2.1")
    wrong = tuple(
        replace(one, start=earlier) if one.block.name == "layer2.2" else one for one in model.graph.branches
    )

    def wrongly(model, masks, **how):
        return compact(Analysed(model.subject, replace(model.graph, branches=wrong)), masks, **how)

    monkeypatch.setattr("explorer.audit.audit.compact", wrongly)
    assert not audit(model, Recipe(blocks=("layer2.2",))).verified


@pytest.mark.parametrize("edge", ["total", "start", "nodes"])
def test_the_audit_rejects_wrong_edges_that_the_whole_graph_believes(edge):
    model = analyse(load("shapes-resnet"))
    assert audit(model, Recipe(blocks=("layer2.1",))).verified
    by_name = {one.block.name: one for one in model.graph.branches}
    right, next_one = by_name["layer2.1"], by_name["layer2.2"]
    other = {"total": next_one.total, "start": by_name["layer1.2"].start, "nodes": right.nodes[:-1]}
    wrong = replace(right, **{edge: other[edge]})
    planted = tuple(wrong if one is right else one for one in model.graph.branches)
    believed = Analysed(model.subject, replace(model.graph, branches=planted))
    report = audit(believed, Recipe(blocks=("layer2.1",)))
    assert report.verified == (edge == "nodes")  # which nodes go follows from the sum alone


def test_a_block_that_cannot_go_or_is_not_there_is_refused():
    model = analyse(load("shapes-resnet"))
    with pytest.raises(RecipeError, match=r"'layer2\.0' cannot be removed: its shortcut"):
        explorer.prune(model, Recipe(blocks=("layer2.0",)))
    with pytest.raises(UnknownNameError, match=r"layer1\.0, layer1\.1"):
        explorer.prune(model, Recipe(blocks=("layer9",)))
    with pytest.raises(RecipeError, match="'blocks' must list names"):
        Recipe.from_json({"blocks": "layer1.0"})


def test_recipes_without_blocks_are_what_they_were():
    assert "blocks" not in Recipe(channels={"a": 0.5}).to_json()
    recipe = Recipe(blocks=("b", "a"))
    assert Recipe.from_json(recipe.to_json()) == Recipe.from_url(recipe.to_url()) == recipe
    assert recipe.blocks == ("a", "b") and recipe.fingerprint != Recipe().fingerprint and not recipe.is_empty
