"""Families of recipes -> lines of Reports, ends first, each recipe measured once."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from explorer.commands.main import main
from explorer.engine.conditions import Conditions
from explorer.engine.measure import prune
from explorer.engine.point_order import spread_order
from explorer.graph.analysed import Analysed
from explorer.graph.export import graph_of
from explorer.loaders.model_text import load
from explorer.studies import accuracy_curves as module
from explorer.studies.accuracy_curves import (
    STRENGTHS,
    Family,
    by_chance,
    curves,
    measured,
    scaled,
    strength_curve,
    structured_and_unstructured,
    swept,
    timed,
)
from explorer.values.choice import Choice
from explorer.values.progress import outcome, values_of
from explorer.values.recipe import Recipe
from explorer.values.report import Report

FEW = Conditions(samples=128)
TARGETS = (0.0, 0.5, 0.9)


@pytest.fixture(scope="module")
def digits():
    subject = load("digits-mlp")
    return subject, graph_of(subject)


@given(st.lists(st.floats(0, 1), max_size=12, unique=True))
def test_spread_order_is_a_permutation_that_starts_with_the_ends(strengths):
    order = spread_order(strengths) if strengths else []
    assert sorted(order) == sorted(strengths)
    assert order[:2] == [min(strengths), max(strengths)][: len(order)] if strengths else order == []


def test_spread_order_by_hand():
    assert spread_order([0, 1, 2, 3, 8]) == [0, 8, 3, 1, 2]
    assert spread_order([5]) == [5]


# --------------------------------------------------------------------------- one line


def test_a_curve_comes_in_the_order_of_strength_and_ends_with_all(digits):
    recipe = Recipe(weights={"hidden1": 0.9, "hidden2": 0.8})
    steps = list(values_of(strength_curve(Analysed(*digits), recipe, FEW, strengths=(0, 0.5, 1))))
    assert [len(reports) for reports in steps] == [1, 2, 3]
    assert [r.recipe.weights.get("hidden1", 0) for r in steps[1]] == [0, 0.9]
    assert [r.recipe.weights.get("hidden1", 0) for r in steps[-1]] == [0, 0.45, 0.9]
    nonzero = [r.pruned.nonzero_params for r in steps[-1]]
    assert nonzero == sorted(nonzero, reverse=True) and nonzero[0] > nonzero[-1]
    assert all(
        r.stage == "final" and r.pruned.samples == 128 and r.pruned.latency_ms is None for r in steps[-1]
    )
    assert steps[-1][0].drop.estimate == 0


def test_a_point_can_be_stopped_within_it(digits):
    everything = Conditions(latency=False)
    steps = list(curves(Analysed(*digits), [scaled(Recipe(weights={"hidden1": 0.31}), (0, 1))], everything))
    places = [i for i, step in enumerate(steps) if step.value is not None]
    assert (
        len(places) == 2 and places[0] >= 2 and places[1] - places[0] > 2
    )  # looks at 256 and 450 samples, then the sizes
    done = [step.progress.done for step in steps if step.progress]
    assert done == [0] * places[0] + [1] * (places[1] - places[0] - 1)


def test_each_report_is_that_of_prune(digits):
    recipe, conditions = Recipe(channels={"hidden1": 0.5}), Conditions(samples=200, latency=False)
    report = outcome(measured(Analysed(*digits), recipe, conditions))
    dense = prune(Analysed(*digits), Recipe(), conditions)
    assert (
        report.pruned.correct
        == prune(Analysed(*digits), recipe, conditions).pruned.correct
        != dense.pruned.correct
    )
    assert (
        report.pruned.size_bytes["deflate"]
        == prune(Analysed(*digits), recipe, conditions).pruned.size_bytes["deflate"]
    )


def test_a_recipe_is_measured_once_for_the_same_conditions(digits, monkeypatch):
    asked = []
    real = module.stream
    monkeypatch.setattr(module, "stream", lambda *words: asked.append(words[1].fingerprint) or real(*words))
    recipe = Recipe(weights={"hidden2": 0.123})
    first = outcome(measured(Analysed(*digits), recipe, FEW))
    (second,) = values_of(measured(Analysed(*digits), recipe, FEW))
    assert asked == [recipe.fingerprint] and first is second
    list(measured(Analysed(*digits), recipe, Conditions(samples=129)))  # the negative control
    assert len(asked) == 2


def test_the_default_curve_has_nine_points_from_dense_to_full():
    assert len(STRENGTHS) == 9 and (STRENGTHS[0], STRENGTHS[-1]) == (0, 1)
    assert scaled(Recipe()).steps == STRENGTHS


# --------------------------------------------------------------------------- several lines


def test_an_allocators_target_is_swept(digits):
    family = swept(
        Analysed(*digits), Recipe(channels={"hidden1": 0.7}), "global_threshold", "weight", TARGETS
    )
    assert (
        family.steps == TARGETS and family.recipes[0].is_empty and not any(r.channels for r in family.recipes)
    )
    assert family.name == "single weights, l1, global_threshold"
    removed = [sum(r.weights.values()) for r in family.recipes]
    assert removed == sorted(removed) and removed[-1] > removed[1] > 0


def test_targets_out_of_reach_are_left_out(digits):
    subject, graph = digits
    reached = swept(
        Analysed(subject, graph), Recipe(), "uniform_plus", "weight", (0.0, 0.2, 0.9)
    )  # its first layer stays dense
    assert reached.steps == (0.0, 0.2) and len(reached.recipes) == 2


def test_structured_and_unstructured_are_rated_alike_or_say_so(digits):
    channels, weights = structured_and_unstructured(
        Analysed(*digits), Recipe(criterion=Choice("l2")), targets=TARGETS
    )
    assert all(not recipe.weights for recipe in channels.recipes) and all(
        not recipe.channels for recipe in weights.recipes
    )
    assert channels.name == "channels, l2, uniform" and weights.name == "single weights, l2, uniform"
    _, replaced = structured_and_unstructured(
        Analysed(*digits), Recipe(criterion=Choice("fpgm")), targets=TARGETS
    )
    assert replaced.recipes[1].criterion.name == "l1" and "l1" in replaced.name


def test_lines_grow_in_turns_and_share_the_dense_point(digits):
    families = structured_and_unstructured(Analysed(*digits), Recipe(), targets=TARGETS)
    steps = list(values_of(curves(Analysed(*digits), families, FEW)))
    sizes = [tuple(map(len, lines.values())) for lines in steps]
    assert sizes == [(1, 0), (1, 1), (2, 1), (2, 2), (3, 2), (3, 3)]
    channels, weights = steps[-1].values()
    assert channels[0] is weights[0]
    assert channels[-1].pruned.params < weights[-1].pruned.params == channels[0].pruned.params
    assert weights[-1].pruned.nonzero_params < channels[0].pruned.nonzero_params


def test_chance_removes_as_much_and_other_units(digits):
    family = scaled(Recipe(weights={"hidden1": 0.9, "hidden2": 0.9}), (0, 1))
    control = by_chance(family)
    assert control.name.endswith("at random") and control.steps == family.steps
    lines = outcome(curves(Analysed(*digits), [family, control], FEW))
    own, random = lines.values()
    assert own[-1].pruned.nonzero_params == random[-1].pruned.nonzero_params
    assert own[-1].pruned.accuracy > random[-1].pruned.accuracy + 0.1
    assert own[-1].recipe.criterion.name == "l1" and random[-1].recipe.criterion.name == "random"


def test_no_families_are_no_points(digits):
    assert list(curves(Analysed(*digits), [Family("nothing", (), ())], FEW)) == []


def test_latency_comes_afterwards_and_zeros_keep_the_dense_models(digits):
    subject, graph = digits
    families = [
        scaled(Recipe(channels={"hidden1": 0.9}), (0, 1)),
        scaled(Recipe(weights={"hidden1": 0.9}), (1,), "zeros"),
    ]
    lines = outcome(curves(Analysed(subject, graph), families, FEW))
    timed_lines = outcome(timed(Analysed(subject, graph), lines))
    assert [*map(len, timed_lines.values())] == [*map(len, lines.values())] and [*timed_lines] == [*lines]
    flat: list[Report] = [report for reports in timed_lines.values() for report in reports]
    assert all(report.pruned.latency_ms["median"] > 0 and report.baseline.latency_ms for report in flat)
    zeros = timed_lines["zeros"][0]
    assert (
        zeros.pruned.latency_ms
        == zeros.baseline.latency_ms
        != timed_lines[next(iter(lines))][1].pruned.latency_ms
    )
    assert lines["zeros"][0].pruned.latency_ms is None  # what was given stays as it is


# --------------------------------------------------------------------------- on the command line


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (["--along", "granularity", "--control"], ["channels, l1, uniform", "single weights, l1, uniform"]),
        (["--along", "target", "--weights", "0.9", "--allocator", "lamp"], ["single weights, l1, lamp"]),
        (["--along", "target"], ["channels, l1, uniform"]),
        (["--weights", "0.5"], ["this recipe, weaker and stronger"]),
    ],
)
def test_the_command_draws_the_lines_that_are_asked_for(words, names, capsys):
    assert main(["curve", "digits-mlp", "--points", "2", "--samples", "60", "--json", *words]) == 0
    found = json.loads(capsys.readouterr().out)
    control = [f"{name}: at random" for name in names] if "--control" in words else []
    assert [line["name"] for line in found["lines"]] == [*names, *control]
    assert found["points"] == found["lines"][0]["points"] and len(found["points"]) == 2
    assert found["points"][0]["report"]["drop"]["estimate"] == 0


def test_the_command_times_the_points_if_asked(capsys):
    assert main(["curve", "digits-mlp", "--points", "2", "--samples", "60", "--latency", "--control"]) == 0
    out = capsys.readouterr().out
    assert out.count("latency, ms") == 2 and "at random" in out
