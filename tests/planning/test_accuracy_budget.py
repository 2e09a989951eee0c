"""The smallest model within an allowed drop: measured, paid for, and honest when nothing can be shown."""

import json

import pytest
from zoo import odd

from explorer.commands.arguments import recipe as module
from explorer.commands.main import main
from explorer.engine.conditions import Conditions
from explorer.errors import ExplorerError
from explorer.graph.analysed import Analysed, analyse
from explorer.graph.export import graph_of
from explorer.loaders.model_text import load
from explorer.measuring.statistics import looks_level
from explorer.planning.accuracy_budget import LOOKS, accuracy_budget
from explorer.planning.allocation import Allocation
from explorer.studies.sensitivity.scan import scan
from explorer.values.choice import Choice
from explorer.values.progress import values_of
from explorer.values.recipe import Recipe

WEIGHTS = Allocation(Choice("global_threshold"), granularity="weight")


@pytest.fixture(scope="module")
def mlp():
    subject = load("digits-mlp")
    return subject, graph_of(subject)


def searched(mlp, allowed, *wish, **options):
    steps = list(accuracy_budget(Analysed(*mlp), Recipe(), allowed, *wish, **options))
    return steps, list(values_of(steps))


def test_the_answer_was_measured_within_the_allowed_drop_at_the_level_of_all_looks(mlp):
    steps, budgets = searched(mlp, 0.05, WEIGHTS, looks=5)
    last = budgets[-1]
    assert len(budgets) == len(last.tried) == 5 and last.level == looks_level(5)
    assert last.report.drop.high <= 0.05 and last.report.drop.level == looks_level(5)
    assert all(report.drop.high > 0.05 for target, report in last.tried.items() if target > last.best)
    assert any(step.progress for step in steps) and f"{100 * last.best:.1f} %" in last.summary


def test_a_larger_drop_allows_a_smaller_model(mlp):
    strict, loose = (searched(mlp, allowed, WEIGHTS, looks=4)[1][-1] for allowed in (0.03, 0.3))
    assert strict.best is not None and strict.best < loose.best


def test_too_few_samples_accept_nothing_and_say_so(mlp):
    _, budgets = searched(mlp, 0.01, WEIGHTS, looks=3, conditions=Conditions(samples=20))
    assert budgets[-1].best is None and budgets[-1].report is None
    assert "more samples" in budgets[-1].summary


def test_channels_are_searched_within_what_the_allocator_reaches(mlp):
    _, budgets = searched(mlp, 0.5, looks=3)
    assert max(budgets[-1].tried) < 1 and budgets[-1].best is not None


@pytest.mark.parametrize(("allowed", "looks"), [(0.0, 5), (1.0, 5), (-0.1, 5), (0.1, 0), (0.1, 21)])
def test_what_is_out_of_range_is_refused_before_any_work(mlp, allowed, looks):
    with pytest.raises(ExplorerError, match="must be"):
        next(accuracy_budget(Analysed(*mlp), Recipe(), allowed, looks=looks))


def test_without_data_there_is_no_drop():
    subject = odd("chain")
    with pytest.raises(ExplorerError, match="no data"):
        next(accuracy_budget(analyse(subject), Recipe(), 0.05))


def test_an_allocator_that_cannot_start_at_nothing_is_searched_from_what_it_reaches(mlp, monkeypatch):
    """Locked parts save something already, so a knapsack of the whole model's cost cannot reach a target of
    0.
    """
    group = next(iter(mlp[1].profile.free_groups))
    losses = dict.fromkeys(mlp[1].profile.free_groups, ((0.25, 0.1), (0.5, 0.3), (0.75, 0.9)))
    wish = Allocation(Choice("sensitivity_budget"), locked=frozenset([group]), losses=losses)
    start, few = Recipe(channels={group: 0.75}), Conditions(samples=100)
    steps = list(accuracy_budget(Analysed(*mlp), start, 0.9, wish, looks=3, conditions=few))
    last = steps[-1].value
    assert min(last.tried) > 0.1 and all(
        report.recipe.channels[group] == 0.75 for report in last.tried.values()
    )


# --------------------------------------------------------------------------- the command


@pytest.fixture()
def said(tmp_path, monkeypatch, capsys):
    """Words -> (exit code, stdout, stderr), with a cache of its own."""
    monkeypatch.setenv("PRUNING_EXPLORER_CACHE", str(tmp_path / "cache"))

    def run(*words):
        code = main([*words, "--device", "cpu"])
        return code, *capsys.readouterr()

    return run


def test_the_command_writes_what_it_found(said, tmp_path):
    target = tmp_path / "found.json"
    words = (
        "budget",
        "digits-mlp",
        "--largest-drop",
        "0.05",
        "--granularity",
        "weight",
        "--json",
        "--save-recipe",
        str(target),
    )
    code, out, _ = said(*words)
    answer = json.loads(out)
    assert code == 0 and answer["largest_drop"] == 0.05 and len(answer["tried"]) == LOOKS
    (best,) = (look["report"] for look in answer["tried"] if look["target"] == answer["best"])
    assert best["drop"]["high"] <= 0.05 and json.loads(target.read_text()) == best["recipe"]


def test_the_command_says_what_it_tried_and_when_nothing_fits(said):
    code, out, _ = said("budget", "digits-mlp", "--largest-drop", "0.3", "--looks", "3", "--samples", "200")
    assert code == 0 and "within" in out and "At " in out.splitlines()[-1]
    code, _, err = said("budget", "digits-mlp", "--largest-drop", "0.001", "--looks", "2", "--samples", "50")
    assert code == 2 and "Of no pruned model it could be shown that" in err
    code, _, err = said("budget", "digits-mlp", "--largest-drop", "0.1", "--saves", "macs")
    assert code == 2 and "saves" in err


@pytest.mark.parametrize("criterion, scans", [("l2", 1), ("l1", 0)])  # one by l1 comes with the sample
def test_an_allocator_that_plans_with_a_scan_runs_it_once_at_most(criterion, scans, said, monkeypatch):
    started = []
    monkeypatch.setattr(module, "scan", lambda *asked: started.append(asked) or scan(*asked))
    words = (
        *("prune", "digits-mlp", "--channels", "0.4", "--allocator", "sensitivity_budget"),
        *("--criterion", criterion, "--no-latency", "--json"),
    )
    code, first, err = said(*words)
    assert code == 0 and "plans with a scan of" in err and len(started) == scans
    report = json.loads(first)
    assert report["pruned"]["params"] <= 0.61 * report["baseline"]["params"]
    again = json.loads(said(*words)[1])
    assert again["recipe"] == report["recipe"] and len(started) == scans
