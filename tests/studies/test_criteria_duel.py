"""What criteria claim is measured: random is the control, intervals pay for the number of criteria."""

from types import SimpleNamespace

import pytest
from zoo import odd

from explorer.engine.conditions import Conditions
from explorer.engine.measure import prune
from explorer.errors import ExplorerError, RecipeError, UnknownNameError
from explorer.graph.analysed import Analysed, analyse
from explorer.graph.export import graph_of
from explorer.loaders.model_text import load
from explorer.measuring.statistics import looks_level
from explorer.studies.criteria_agreement import ALL
from explorer.studies.criteria_duel import CONTROL, Duel, DuelPlan, duel
from explorer.values.progress import outcome
from explorer.values.recipe import Recipe
from explorer.values.report import Drop

FEW = Conditions(samples=200, latency=False)


@pytest.fixture(scope="module")
def mlp():
    subject = load("digits-mlp")
    return subject, graph_of(subject)


def lost(*estimates, better="higher"):
    """Reports whose models lose this much, each with an interval of 0.05 on both sides."""
    sign = 1 if better == "higher" else -1
    ends = [(sign * e, *sorted((sign * (e - 0.05), sign * (e + 0.05)))) for e in estimates]
    return tuple(SimpleNamespace(drop=Drop(*of, "undecided", better=better)) for of in ends)


@pytest.mark.parametrize("better", ["higher", "lower"])
def test_who_loses_least_and_who_beats_chance_by_hand(better):
    drops = {CONTROL: (0.3, 0.2), "a": (0.18,), "b": (0.1,), "c": (0.4,)}
    found = Duel("g", 0.5, {name: lost(*of, better=better) for name, of in drops.items()}, {}, 0.95, 5)
    assert found.order == ("b", "a", "c", CONTROL) and found.chance == (0.2, 0.3) and found.finished
    assert found.beats_chance == ("b",)  # a is below as well, but not with the whole of its interval
    nothing = Duel("g", 0.5, {}, {}, 0.95, 5)
    assert (
        nothing.order == () and nothing.chance is None and nothing.beats_chance == () and not nothing.finished
    )


def test_every_report_is_the_one_of_pruning_that_group_by_that_criterion(mlp):
    group = next(iter(mlp[1].profile.free_groups))
    given = Recipe(channels=dict.fromkeys(mlp[1].profile.free_groups, 0.9), weights={})
    steps = list(duel(Analysed(*mlp), given, DuelPlan(group, 0.5, criteria=["l1", "l2"], seeds=2), FEW))
    last = steps[-1].value
    assert isinstance(last, Duel) and last.finished and any(step.progress for step in steps)
    assert [len(last.reports[name]) for name in (CONTROL, "l1", "l2")] == [2, 1, 1]
    assert [report.recipe.seed for report in last.reports[CONTROL]] == [0, 1]
    report = last.reports["l1"][0]
    assert report.recipe == Recipe(channels={group: 0.5})
    assert report.pruned.correct == prune(Analysed(*mlp), report.recipe, FEW).pruned.correct
    assert report.drop.level == looks_level(3) == last.level


def test_all_groups_go_at_the_same_ratio(mlp):
    last = outcome(duel(Analysed(*mlp), Recipe(), DuelPlan(ALL, 0.25, criteria=["l1"], seeds=1), FEW))
    assert set(last.reports["l1"][0].recipe.channels) == set(mlp[1].profile.free_groups)


def test_criteria_that_cannot_rate_the_model_are_left_out(mlp):
    last = outcome(
        duel(Analysed(*mlp), Recipe(), DuelPlan(ALL, 0.25, criteria=["bn_scale", "l1"], seeds=1), FEW)
    )
    assert "norms" in last.left_out["bn_scale"] and "bn_scale" not in last.reports and last.finished


def test_bad_input_is_refused_before_any_work(mlp):
    with pytest.raises(UnknownNameError):
        next(duel(Analysed(*mlp), Recipe(), DuelPlan(ALL, 0.5, criteria=["l3"]), FEW))
    with pytest.raises(RecipeError):
        next(duel(Analysed(*mlp), Recipe(), DuelPlan(ALL, 1.0), FEW))
    subject = odd("chain")
    with pytest.raises(ExplorerError, match="no data"):
        next(duel(analyse(subject), Recipe(), DuelPlan(ALL, 0.5)))
