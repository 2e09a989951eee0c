"""Score and cut: by hand-made numbers, by laws, and against torch.nn.utils.prune."""

import itertools
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from rows import some
from torch import nn
from torch.nn.utils import prune as torch_prune
from zoo import ZOO, odd

from explorer.errors import ExplorerError, RecipeError, UnknownNameError
from explorer.graph.analysed import Analysed, analyse
from explorer.graph.export import graph_of
from explorer.planning.allocate import allocate
from explorer.planning.allocation import Allocation
from explorer.pruning.checks import check_recipe
from explorer.pruning.cutting import _cut_free, _cut_pattern, _cut_rows, removal_count
from explorer.pruning.decision import decide, scores_for
from explorer.pruning.masks import positions
from explorer.pruning.scoring import reduce_units
from explorer.registry import CRITERIA
from explorer.values.choice import Choice
from explorer.values.identity import subject_id
from explorer.values.profile import Slot
from explorer.values.recipe import Recipe
from explorer.values.subject import Subject


def test_units_of_a_slot_sum_their_weights():
    saliency = torch.tensor([[3.0, 4.0], [1.0, 1.0], [5.0, 0.0], [2.0, 2.0]])
    assert reduce_units(saliency, Slot("w", 0, (0, 1, 0, 1)), 2).tolist() == [12.0, 6.0]
    assert reduce_units(saliency, Slot("w", 1, (0, -1)), 1).tolist() == [11.0]


def test_abs_sum_differs_from_sum_abs():
    saliency = torch.tensor([[3.0, -3.0], [1.0, 1.0]])
    slot = Slot("w", 0, (0, 1))
    assert reduce_units(saliency, slot, 2, "abs_sum").tolist() == [0.0, 2.0]
    assert reduce_units(saliency, slot, 2, "sum_abs").tolist() == [6.0, 2.0]
    assert reduce_units(saliency, slot, 2, "sum_sq").tolist() == [18.0, 2.0]


@pytest.mark.parametrize(
    ("ratio", "units", "removed"),
    [(0, 8, 0), (0.5, 8, 4), (0.95, 8, 7), (0.9999, 3, 2), (0.5, 1, 0), (0.04, 8, 0)],
)
def test_removal_count(ratio, units, removed):
    assert removal_count(ratio, units) == removed


@given(st.lists(st.integers(0, 5), min_size=1, max_size=40), st.floats(0, 0.9999))
def test_free_cut_is_the_stable_sort(values, ratio):
    scores = torch.tensor(values, dtype=torch.float32)
    removed = removal_count(ratio, len(values))
    by_sort = torch.ones(len(values), dtype=torch.bool)
    by_sort[torch.argsort(scores, stable=True)[:removed]] = False
    assert torch.equal(_cut_free(scores, ratio), by_sort)


@given(st.floats(0, 0.99), st.floats(0, 0.99))
def test_masks_nest_as_the_ratio_grows(a, b):
    scores = torch.rand(60, generator=torch.Generator().manual_seed(3)).round(decimals=1)
    small, large = sorted((a, b))
    assert not bool((_cut_free(scores, large) & ~_cut_free(scores, small)).any())


def test_pattern_keeps_n_of_each_m_inputs_at_one_kernel_position():
    scores = torch.tensor([[4.0, 1.0, 3.0, 2.0, 1.0, 1.0, 1.0, 1.0]])
    kept, reason = _cut_pattern(scores, 1, "2:4", 0.5)
    assert kept.tolist() == [[True, False, True, False, False, False, True, True]] and reason is None
    conv = torch.rand(5, 8, 3, 3, generator=torch.Generator().manual_seed(0))
    kept, _ = _cut_pattern(conv, 1, "2:4", 0.5)
    assert bool((kept.movedim(1, -1).reshape(-1, 4).sum(1) == 2).all())


def test_pattern_leaves_what_it_cannot_divide_and_says_so():
    kept, reason = _cut_pattern(torch.rand(4, 6), 1, "2:4", 0.5)
    assert bool(kept.all()) and "not divisible by 4" in reason


def test_pattern_ratio_is_a_switch():
    _, reason = _cut_pattern(torch.rand(4, 8), 1, "2:4", 0.9)
    assert "removes 50%" in reason


def test_rows_are_cut_alike():
    kept = _cut_rows(torch.rand(5, 10, generator=torch.Generator().manual_seed(0)), 0.3)
    assert kept.sum(1).tolist() == [7] * 5


@pytest.mark.parametrize("name", ["l1", "random"])
@pytest.mark.parametrize("ratio", [0.1, 0.5, 0.9])
def test_l1_masks_are_those_of_torch_and_random_ones_are_not(name, ratio):
    subject = odd("chain")
    recipe = Recipe(weights={"conv1": ratio}, criterion=Choice(name))
    ours = decide(analyse(subject), recipe).masks.weights["conv1"]
    layer = nn.Conv2d(3, 8, 3, padding=1, bias=False)
    layer.load_state_dict(subject.model.conv1.state_dict())
    torch_prune.l1_unstructured(layer, "weight", amount=ratio)
    assert torch.equal(ours, layer.weight_mask.bool()) == (name == "l1")


@pytest.mark.parametrize(("criterion", "order"), [("l1", 1), ("l2", 2)])
def test_channel_masks_of_single_producers_are_those_of_ln_structured(criterion, order):
    subject = odd("chain")
    recipe = Recipe(channels={"conv1": 0.5}, criterion=Choice(criterion), reduction="first")
    ours = decide(analyse(subject), recipe).masks.channels["conv1"]
    layer = nn.Conv2d(3, 8, 3, padding=1, bias=False)
    layer.load_state_dict(subject.model.conv1.state_dict())
    torch_prune.ln_structured(layer, "weight", amount=0.5, n=order, dim=0)
    assert torch.equal(ours, layer.weight_mask.bool().flatten(1).any(1))


# zoo models have no data; what needs some is covered by the samples
@pytest.mark.parametrize(
    "criterion", [name for name, plugin in CRITERIA.items() if not plugin.traits["needs"]]
)
@pytest.mark.parametrize("name", ["residual", "grouped", "concat", "fused_qkv"])
def test_every_criterion_rates_every_part(name, criterion):
    subject = odd(name)
    graph = graph_of(subject)
    scores = scores_for(Analysed(subject, graph), Recipe(criterion=Choice(criterion)))
    assert set(scores.channels) == set(graph.profile.free_groups)
    assert all(
        bool(torch.isfinite(s).all()) for family in (scores.channels, scores.weights) for s in family.values()
    )


@pytest.mark.parametrize("name", some(ZOO, 3))
@pytest.mark.parametrize("ratio", [0.3, 0.5, 0.99])
def test_each_group_loses_what_was_asked_for(name, ratio):
    subject = odd(name)
    graph = graph_of(subject)
    decided = decide(
        Analysed(subject, graph),
        allocate(Analysed(subject, graph), Recipe(), Allocation(Choice("uniform"), ratio)),
    )
    for outcome in decided.outcomes:
        group = graph.profile.free_groups[outcome.name]
        assert outcome.removed == min(round(ratio * group.units), group.units - 1)
        assert outcome.reason or abs(outcome.achieved - ratio) < 1e-4


def test_masks_reach_every_slot():
    subject = odd("residual")
    graph = graph_of(subject)
    masks = decide(Analysed(subject, graph), Recipe(remove={"stem": (2,)})).masks
    reached = {
        (t, d)
        for t, dims in positions(graph.profile, masks.channels).items()
        for d, kept in dims.items()
        if not kept[2]
    }
    assert {
        ("stem.weight", 0),
        ("stem.bias", 0),
        ("norm.weight", 0),
        ("norm.bias", 0),
        ("b.weight", 0),
        ("a.weight", 1),
        ("fc.weight", 1),
        ("norm.running_mean", 0),
        ("norm.running_var", 0),
    } == reached


def test_channels_by_hand():
    subject = odd("chain")
    graph = graph_of(subject)
    decided = decide(
        Analysed(subject, graph),
        Recipe(channels={"conv1": 0.25}, keep={"conv1": (0, 1)}, remove={"conv1": (2, 3, 4)}),
    )
    assert decided.masks.channels["conv1"].tolist() == [True, True, False, False, False, True, True, True]
    assert "removed by hand" in decided.outcomes[0].reason


@pytest.mark.parametrize("step", [1, 2, 8])
def test_of_a_group_that_is_removed_whole_by_hand_the_best_unit_stays_and_that_is_said(step):
    subject = odd("chain")
    with torch.no_grad():
        subject.model.conv1.weight[2] *= 100
    model = analyse(replace(subject, id=f"strong {step}"))
    units = model.profile.free_groups["conv1"].units
    whole = Recipe(remove={"conv1": tuple(range(units))}, round_to=step)
    decided = decide(model, whole)
    assert decided.masks.channels["conv1"].nonzero().flatten().tolist() == [2]
    assert "at least one unit stays" in decided.outcomes[0].reason
    some = decide(model, replace(whole, remove={"conv1": (0, 2)}, round_to=1))
    assert not some.masks.channels["conv1"][2] and some.outcomes[0].reason == "2 removed by hand"


def test_keep_wins_over_the_ratio_and_says_so():
    subject = odd("chain")
    decided = decide(analyse(subject), Recipe(channels={"conv1": 0.9}, keep={"conv1": (0, 1, 2)}))
    assert decided.masks.channels["conv1"].sum() == 3 and "kept by hand" in decided.outcomes[0].reason


def test_round_to_is_stated():
    subject = odd("chain")
    outcome = decide(analyse(subject), Recipe(channels={"conv1": 0.3, "conv2": 0.5}, round_to=4)).outcomes
    assert (outcome[0].units - outcome[0].removed) == 4 + 0 or "rounded" in outcome[0].reason
    assert all((o.units - o.removed) % 4 == 0 for o in outcome)


def by_hand_recipes():
    """Every mix of a few units removed by hand, kept by hand, a ratio, and a rounding, on 6 units."""
    for removed, kept, ratio, step in itertools.product(range(6), range(4), (0.0, 0.3, 0.6), (2, 3, 4)):
        if removed + kept <= 6:
            given = {"remove": {"conv2": tuple(range(removed))}, "keep": {"conv2": tuple(range(6 - kept, 6))}}
            yield Recipe(channels={"conv2": ratio}, round_to=step, **given)


def breaks_what_was_said_by_hand(recipe, kept):
    """Whether a mask keeps a unit that was removed by hand, or the other way round."""
    return bool(kept[list(recipe.remove.get("conv2", ()))].any()) or not bool(
        kept[list(recipe.keep.get("conv2", ()))].all()
    )


def multiples_allowed(recipe):
    """The multiples of `round_to` between what is kept by hand and what is left by hand, found by trying."""
    fewest, most = len(recipe.keep.get("conv2", ())), 6 - len(recipe.remove.get("conv2", ()))
    return [n for n in range(max(1, fewest), most + 1) if n % recipe.round_to == 0]


def test_rounding_obeys_what_was_said_by_hand():
    subject = odd("chain")
    graph = graph_of(subject)
    assert graph.profile.free_groups["conv2"].units == 6
    for recipe in by_hand_recipes():
        if recipe.is_empty:
            continue
        decided = decide(Analysed(subject, graph), recipe)
        kept = decided.masks.channels.get("conv2", torch.ones(6, dtype=torch.bool))
        assert not breaks_what_was_said_by_hand(recipe, kept), recipe
        allowed, count = multiples_allowed(recipe), int(kept.sum())
        unrounded = int(
            decide(Analysed(subject, graph), replace(recipe, round_to=1)).masks.channels["conv2"].sum()
        )
        stays_whole = count == 6 and not recipe.remove
        if allowed and not stays_whole:
            assert abs(count - unrounded) == min(abs(n - unrounded) for n in allowed), recipe
        elif not allowed:
            assert count == unrounded and "no multiple" in decided.outcomes[0].reason


def test_rounding_without_bounds_would_be_seen():
    """What rounds to the nearest multiple alone brings units back, and the law above notices."""
    recipe = Recipe(remove={"conv2": (0,)}, round_to=3)
    nearest = round(5 / 3) * 3  # all six
    kept = torch.arange(6) >= 6 - nearest
    assert breaks_what_was_said_by_hand(recipe, kept)
    assert not breaks_what_was_said_by_hand(recipe, torch.arange(6) >= 3)


def test_weights_are_cut_among_those_that_survive():
    subject = odd("chain")
    graph = graph_of(subject)
    decided = decide(Analysed(subject, graph), Recipe(channels={"conv1": 0.5}, weights={"conv2": 0.5}))
    conv2 = decided.outcomes[1]
    assert conv2.units == 6 * 4 * 9 and conv2.removed == 108
    gone = ~decided.masks.channels["conv1"]
    assert not bool(decided.masks.weights["conv2"][:, gone].any())


STRANGE = [
    Recipe(channels={"nope": 0.5}),
    Recipe(weights={"norm": 0.5}),
    Recipe(remove={"conv1": (99,)}),
    Recipe(weights={"conv1": 0.5}, criterion=Choice("l3")),
    Recipe(criterion=Choice("l1", {"p": 3})),
]


@pytest.mark.parametrize("recipe", STRANGE)
def test_recipes_of_another_model_are_refused_in_one_sentence(recipe):
    with pytest.raises((UnknownNameError, RecipeError)) as caught:
        check_recipe(analyse(odd("chain")).profile, recipe)
    assert "\n" not in str(caught.value) and len(str(caught.value)) > 20


def test_frozen_groups_are_stated_not_refused():
    subject = odd("chain")
    outcome = decide(analyse(subject), Recipe(channels={"fc": 0.5})).outcomes[0]
    assert outcome.achieved == 0 and "output" in outcome.reason


def test_weights_that_are_not_finite_are_refused():
    model = nn.Sequential(nn.Linear(7, 5), nn.Linear(5, 4)).eval()
    model[0].weight.data[0, 0] = float("nan")
    subject = Subject(subject_id(model), "nan", model, None, torch.randn(2, 7))
    with pytest.raises(ExplorerError, match="NaN"):
        decide(analyse(subject), Recipe(weights={"0": 0.5}))
