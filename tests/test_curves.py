"""A family of recipes -> Reports, ends first."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from explorer.curves import STRENGTHS, spread_order, strength_curve, sweep
from explorer.engine import Conditions, prune
from explorer.graph.export import analyse
from explorer.loaders import load
from explorer.values import Recipe


@pytest.fixture(scope="module")
def digits():
    subject = load("digits-mlp")
    return subject, analyse(subject)


@given(st.lists(st.floats(0, 1), max_size=12, unique=True))
def test_spread_order_is_a_permutation_that_starts_with_the_ends(strengths):
    order = spread_order(strengths) if strengths else []
    assert sorted(order) == sorted(strengths)
    assert order[:2] == [min(strengths), max(strengths)][: len(order)] if strengths else order == []


def test_spread_order_by_hand():
    assert spread_order([0, 1, 2, 3, 8]) == [0, 8, 3, 1, 2]
    assert spread_order([5]) == [5]


def test_a_curve_comes_in_the_order_of_strength_and_ends_with_all(digits):
    recipe = Recipe(weights={"hidden1": 0.9, "hidden2": 0.8})
    steps = list(strength_curve(*digits, recipe, Conditions(samples=128), strengths=(0, 0.5, 1)))
    assert [len(reports) for reports in steps] == [1, 2, 3]
    assert [r.recipe.weights.get("hidden1", 0) for r in steps[1]] == [0, 0.9]
    assert [r.recipe.weights.get("hidden1", 0) for r in steps[-1]] == [0, 0.45, 0.9]
    nonzero = [r.pruned.nonzero_params for r in steps[-1]]
    assert nonzero == sorted(nonzero, reverse=True) and nonzero[0] > nonzero[-1]
    assert all(r.stage == "final" and r.pruned.samples == 128 and r.pruned.latency_ms is None for r in steps[-1])
    assert steps[-1][0].drop.estimate == 0


def test_each_report_is_that_of_prune(digits):
    recipes, conditions = [Recipe(), Recipe(channels={"hidden1": 0.5})], Conditions(samples=200, latency=False)
    *_, reports = sweep(*digits, recipes, conditions)
    assert [r.pruned.correct for r in reports] == [prune(*digits, recipe, conditions).pruned.correct for recipe in recipes]
    assert reports[0].pruned.correct != reports[1].pruned.correct


def test_the_default_curve_has_nine_points_from_dense_to_full():
    assert len(STRENGTHS) == 9 and (STRENGTHS[0], STRENGTHS[-1]) == (0, 1)
