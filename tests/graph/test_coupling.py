"""Coupled groups of tiny odd models are those that a reader of their code expects."""

import pytest
import torch
from nasty import NASTY, TOKENS, BakedBatch
from rows import some
from torch import nn
from zoo import IMAGE, ZOO, odd

from explorer.audit.audit import audit
from explorer.audit.comparison import flat
from explorer.engine.candidate import prepare
from explorer.graph.analysed import Analysed, analyse
from explorer.graph.export import graph_of
from explorer.values.identity import subject_id
from explorer.values.recipe import Recipe
from explorer.values.subject import Subject


@pytest.mark.parametrize("name", ZOO)
def test_free_groups_are_the_expected_ones(name):
    profile = graph_of(odd(name)).profile
    assert {group.name: group.units for group in profile.free_groups.values()} == ZOO[name][2]


@pytest.mark.parametrize("name", ZOO)
def test_every_frozen_group_says_why(name):
    frozen = [g for g in graph_of(odd(name)).profile.groups if g.frozen]
    assert frozen and all(len(g.frozen) > 10 for g in frozen)


def test_residual_is_tied_and_says_where():
    group = graph_of(odd("residual")).profile.free_groups["stem"]
    assert any("added together" in text for text in group.tied_by)
    assert {"stem", "b", "norm"} <= set(group.members)


def test_what_is_added_to_the_input_is_frozen():
    groups = {g.name: g for g in graph_of(odd("input_skip")).profile.groups}
    assert "added together" in groups["b"].frozen


def test_heads_go_whole():
    group = graph_of(odd("fused_qkv")).profile.free_groups["qkv"]
    assert group.unit == "head"
    rows = next(slot for slot in group.slots if slot.tensor == "qkv.weight" and slot.producer)
    assert [rows.unit_of.count(head) for head in range(3)] == [12, 12, 12]
    assert rows.unit_of[:12] == (0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2)


@pytest.mark.parametrize("name", ZOO)
def test_compact_equals_masked_and_a_wrong_wiring_is_rejected(name):
    report = audit(analyse(odd(name)))
    assert report.verified, report.reason
    assert report.max_rel_diff < 1e-8 < 1e-4 < report.negative_control
    assert report.params_after < report.params_before


def test_an_op_without_a_rule_freezes_and_never_crashes():
    class Sorted(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.fc = nn.Conv2d(3, 8, 1), nn.Linear(8, 4)

        def forward(self, x):
            return self.fc(torch.sort(self.conv(x).mean((2, 3)), 1).values)

    model = Sorted().eval()
    profile = graph_of(Subject(subject_id(model), "sorted", model, None, torch.randn(2, *IMAGE))).profile
    assert "sort" in profile.groups[0].frozen


def test_a_model_that_cannot_be_exported_says_why_and_keeps_its_layers():
    class Branching(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(7, 4)

        def forward(self, x):
            return self.fc(x) if float(x.sum()) > 0 else self.fc(-x)

    model = Branching().eval()
    profile = graph_of(Subject(subject_id(model), "branching", model, None, torch.randn(2, 7))).profile
    assert profile.error and "unstructured" in profile.error
    assert list(profile.prunable_layers) == ["fc"] and profile.groups == ()


def test_a_batch_baked_into_the_graph_is_analysed_or_explained():
    class Baked(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(7, 6), nn.Linear(6, 4)

        def forward(self, x):
            return self.b(torch.relu(self.a(x)).reshape(2, 6))

    model = Baked().eval()
    profile = graph_of(Subject(subject_id(model), "baked", model, None, torch.randn(2, 7))).profile
    assert profile.error is None and {g.name: g.units for g in profile.free_groups.values()} == {"a": 6}
    assert profile.macs == 7 * 6 + 6 * 4


@pytest.mark.parametrize("name", some(NASTY, 3))
def test_nasty_models_are_pruned_and_proven_or_say_why_not(name):
    make, shape, expected = NASTY[name]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = make().eval()
        example = torch.randint(20, (2, *shape)) if name == "tied_embedding" else torch.randn(2, *shape)
    subject = Subject(subject_id(model), name, model, None, example)
    graph = graph_of(subject)
    assert {group.name: group.units for group in graph.profile.free_groups.values()} == expected
    report = audit(Analysed(subject, graph))
    assert report.verified or not expected, report.reason
    assert all(item["reason"] for item in report.frozen)
    small = prepare(Analysed(subject, graph), Recipe(channels=dict.fromkeys(expected, 0.5))).model
    assert set(small.state_dict()) == set(model.state_dict())
    three = example[:1].expand(3, *shape)
    assert flat(small(three)).shape == flat(model(three)).shape


def test_a_graph_written_for_one_batch_runs_on_any():
    model = BakedBatch().eval()
    subject = Subject(subject_id(model), "baked", model, None, torch.randn(2, *TOKENS))
    graph = graph_of(subject)
    candidate = prepare(Analysed(subject, graph), Recipe(channels={"a": 0.5}))
    dense = prepare(Analysed(subject, graph), Recipe())
    x = torch.randn(5, *TOKENS)
    whole = torch.cat([model(torch.cat([part, part])[:2])[: len(part)] for part in x.split(2)])
    assert torch.allclose(dense.model(x), whole, atol=1e-6) and candidate.model(x).shape == (5, 4)
    assert candidate.static.macs < dense.static.macs == graph.profile.macs
    assert audit(Analysed(subject, graph)).verified
