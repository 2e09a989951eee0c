"""Query heads inside key-value heads: a unit of their own in every form in which keys are shared."""

import pytest
import torch
from torch import nn

from explorer.audit.audit import audit
from explorer.compaction.compact import compact
from explorer.graph.analysed import analyse
from explorer.lessons.experiment import masked_by_hand
from explorer.planning.recipe_costs import CostModel
from explorer.pruning.decision import decide
from explorer.ui.prune.console.cost import cost_table
from explorer.values.profile import HEAD, KEY_VALUE_HEAD, QUERY_HEAD
from explorer.values.recipe import Recipe
from explorer.values.subject import Subject

HEADS, PAIRS, WIDTH, EACH = 6, 2, 12, 4
FORMS = "repeat_interleave", "expand", "operator", "fused", "heads outside", "alone"


class Shared(nn.Module):
    """Attention whose queries share keys, written in one of several ways."""

    def __init__(self, form: str):
        super().__init__()
        self.form, self.pairs = form, HEADS if form == "alone" else PAIRS
        self.before = nn.Linear(WIDTH, WIDTH)
        if form == "fused":
            self.qkv = nn.Linear(WIDTH, (HEADS + 2 * self.pairs) * EACH)
        else:
            self.q, self.o = nn.Linear(WIDTH, HEADS * EACH), nn.Linear(HEADS * EACH, WIDTH)
            self.k, self.v = (nn.Linear(WIDTH, self.pairs * EACH) for _ in range(2))
        self.o = nn.Linear(HEADS * EACH, WIDTH)

    def projected(self, x):
        if self.form != "fused":
            return self.q(x), self.k(x), self.v(x)
        return self.qkv(x).split([HEADS * EACH, self.pairs * EACH, self.pairs * EACH], dim=-1)

    def copied(self, x):
        n, pairs, tokens, each = x.shape
        if self.form == "expand":
            repeated = x[:, :, None].expand(n, pairs, HEADS // pairs, tokens, each)
            return repeated.reshape(n, HEADS, tokens, each)
        return x if self.form == "operator" else x.repeat_interleave(HEADS // self.pairs, dim=1)

    def forward(self, x):
        x = self.before(x)
        n, tokens, _ = x.shape
        q, k, v = (part.view(n, tokens, -1, EACH).transpose(1, 2) for part in self.projected(x))
        k, v = self.copied(k), self.copied(v)
        if self.form == "heads outside":
            mixed = ((q @ k.transpose(-1, -2)) / EACH**0.5).softmax(-1) @ v
        else:
            mixed = nn.functional.scaled_dot_product_attention(q, k, v, enable_gqa=self.form == "operator")
        return self.o(mixed.transpose(1, 2).flatten(2))


def shared(form: str):
    torch.manual_seed(0)
    return analyse(Subject(form, form, Shared(form).eval(), None, torch.randn(3, 5, WIDTH)))


def groups_of(model, unit):
    return [group for group in model.profile.free_groups.values() if group.unit == unit]


@pytest.mark.parametrize("form", [form for form in FORMS if form != "alone"])
@pytest.mark.parametrize("queries, pairs", [(1 / 3, 0), (2 / 3, 0), (1 / 3, 0.5), (2 / 3, 0.5)])
def test_both_kinds_of_heads_can_be_cut_together(form, queries, pairs):
    model = shared(form)
    (outer,), (inner,) = groups_of(model, KEY_VALUE_HEAD), groups_of(model, QUERY_HEAD)
    assert (outer.units, inner.units, inner.inside) == (PAIRS, HEADS // PAIRS, outer.name)
    recipe = Recipe(channels={outer.name: pairs, inner.name: queries})
    small = compact(model, decide(model, recipe).masks)
    left = round(PAIRS * (1 - pairs)) * round(HEADS // PAIRS * (1 - queries))
    assert small.o.in_features == left * EACH
    x = torch.randn(4, 5, WIDTH)
    with torch.no_grad():
        wanted = masked_by_hand(model, recipe, everywhere=True)(x)
        assert torch.allclose(small(x), wanted, atol=1e-6)
        assert not torch.allclose(model.subject.model(x), wanted, atol=1e-3)
    costs = CostModel.of(model)
    assert costs.cost(recipe, "params") == sum(p.numel() for p in small.parameters())
    fewer = analyse(
        Subject(f"small {form} {recipe.channels}", "small", small, None, model.subject.example)
    ).profile.macs
    assert costs.cost(recipe, "macs") == pytest.approx(fewer)


@pytest.mark.parametrize("form", FORMS)
def test_an_audit_proves_every_kind_of_head(form):
    model = shared(form)
    found = audit(model, ratio=0.5)
    assert found.reason is None and found.max_rel_diff < 1e-10


def test_a_unit_is_one_query_of_every_key_value_head():
    model = shared("expand")
    (inner,) = groups_of(model, QUERY_HEAD)
    made = next(slot for slot in inner.slots if slot.tensor == "q.weight")
    assert made.unit_of == tuple(head % 3 for head in range(HEADS) for _ in range(EACH))


def test_heads_of_their_own_keys_are_plain_heads():
    model = shared("alone")
    assert [group.units for group in groups_of(model, HEAD)] == [HEADS]
    assert not groups_of(model, QUERY_HEAD) and not groups_of(model, KEY_VALUE_HEAD)


def test_the_estimate_knows_what_is_inside():
    model = shared("expand")
    (outer,), (inner,) = groups_of(model, KEY_VALUE_HEAD), groups_of(model, QUERY_HEAD)
    rows = {entry.layer: entry for entry in cost_table(model.profile)}
    assert rows["o"].inputs == {outer.name: 1.0, inner.name: 1.0}
    assert rows["o"].inside == rows[""].inside == {inner.name: outer.name} and rows["k"].inside == {}
