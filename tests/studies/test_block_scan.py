"""Blocks measured alone, rated by a criterion, and planned together with channels and weights."""

import itertools
import json
from dataclasses import replace

import pytest
import torch
from residual_digits import BLOCKS, residual_digits

from explorer.allocators.context import TargetError
from explorer.commands.main import main
from explorer.engine.conditions import Conditions
from explorer.engine.measure import prune
from explorer.errors import ExplorerError, RecipeError
from explorer.graph.analysed import analyse
from explorer.loaders.model_text import load
from explorer.measuring.statistics import looks_level
from explorer.planning.joint_plan import JointWish, joint_plan, joint_reach, predicted_loss
from explorer.planning.recipe_costs import CostModel
from explorer.pruning.block_scores import block_scores, lowest_blocks
from explorer.registry import BLOCK_CRITERIA
from explorer.signals.calibration import training_data
from explorer.studies.block_scan import block_scan
from explorer.studies.joint_losses import joint_losses, kinds_of
from explorer.studies.sensitivity.scan import scan
from explorer.studies.sensitivity.values import ScanPlan
from explorer.values.choice import Choice
from explorer.values.progress import as_work, outcome
from explorer.values.recipe import Recipe

QUICK = Conditions(latency=False)
NAMES = [f"blocks.{n}" for n in range(BLOCKS)]


@pytest.fixture(scope="module")
def model():
    return residual_digits()


@pytest.fixture(scope="module")
def blocks(model):
    return outcome(block_scan(model, QUICK))


def test_influence_is_that_of_a_loop_by_hand(model):
    scores = outcome(block_scores(model, Choice("block_influence")))
    assert list(scores) == NAMES
    task, network = model.subject.task, model.subject.model
    inputs = task.normalisation(training_data(model.subject).first(256).inputs)
    with torch.no_grad():
        x = torch.relu(network.enter(inputs.flatten(1))).double()
        for name, block in zip(NAMES, network.blocks, strict=True):
            y = x + block(x.float()).double()
            by_hand = 1 - (x * y).sum(1) / (x.norm(dim=1) * y.norm(dim=1))
            assert scores[name] == pytest.approx(float(by_hand.mean()), abs=1e-5)
            x = y
    assert scores["blocks.2"] == pytest.approx(0, abs=1e-6)  # it does nothing


@pytest.mark.parametrize("name", list(BLOCK_CRITERIA))
def test_each_criterion_of_blocks_is_repeatable_and_finite(name, model):
    one, other = (outcome(block_scores(model, Choice(name), seed=3)) for _ in range(2))
    assert one == other and len(set(one.values())) == BLOCKS
    assert BLOCK_CRITERIA[name].tooltip and BLOCK_CRITERIA[name].traits["trap"]


def test_the_lowest_blocks_are_taken_first(model):
    assert outcome(as_work(lowest_blocks(model, 1, Choice("block_influence")))) == ("blocks.2",)
    with pytest.raises(RecipeError, match="4 removable blocks"):
        outcome(as_work(lowest_blocks(model, 5, Choice("random"))))


def test_a_scan_measures_each_block_as_prune_does(model, blocks):
    assert blocks.finished and list(blocks.reports) == NAMES
    alone = prune(model, Recipe(blocks=("blocks.1",)), QUICK)
    assert blocks.reports["blocks.1"].pruned.correct == alone.pruned.correct
    assert blocks.losses()["blocks.2"] == [(1.0, pytest.approx(0, abs=1e-6))]
    assert blocks.to_json()["points"][1]["influence"] == blocks.influence["blocks.1"]


def test_a_model_without_blocks_says_so():
    with pytest.raises(ExplorerError, match="no residual block"):
        outcome(block_scan(analyse(load("digits-mlp")), QUICK))


def test_a_plan_over_blocks_alone_is_the_best_of_all_sets(model, blocks):
    """The oracle tries every set."""
    costs, losses = CostModel.of(model), blocks.losses()
    dense = costs.cost(Recipe(), "params")
    for target in (0.1, 0.3, 0.55):
        plan = joint_plan(model, Recipe(), JointWish({"block": losses}, target))
        assert costs.cost(plan, "params") <= (1 - target) * dense
        sets = (c for n in range(BLOCKS + 1) for c in itertools.combinations(NAMES, n))
        enough = [s for s in sets if costs.cost(Recipe(blocks=s), "params") <= (1 - target) * dense]
        best = min(sum(losses[name][0][1] for name in s) for s in enough)
        assert predicted_loss(plan, {"block": losses}) == pytest.approx(best, abs=1e-3)


def test_a_plan_over_all_kinds_meets_its_target_and_is_no_worse_than_one_kind(model, blocks):
    recipe = Recipe()
    channels = outcome(scan(model, ScanPlan("channel", (0.25, 0.5, 0.75), recipe=recipe), QUICK)).losses()
    weights = outcome(scan(model, ScanPlan("weight", (0.5, 0.8), recipe=recipe), QUICK)).losses()
    every = {"block": blocks.losses(), "channel": channels, "weight": weights}
    both = joint_plan(model, recipe, JointWish(every, 0.5))
    costs = CostModel.of(model)
    assert costs.cost(both, "params") <= 0.5 * costs.cost(recipe, "params")
    assert "blocks.2" in both.blocks and both.weights
    assert not any(name.startswith("blocks.2.") for name in (*both.channels, *both.weights))
    report = prune(model, both, QUICK)
    assert report.pruned.nonzero_params <= costs.cost(both, "params")
    alone = joint_plan(model, recipe, JointWish({"channel": channels}, 0.5))
    assert predicted_loss(both, every) <= predicted_loss(alone, every) + 1e-9


def test_what_is_locked_stays_and_what_cannot_be_reached_is_refused(model, blocks):
    losses = {"block": blocks.losses()}
    locked = frozenset({("block", "blocks.2")})
    assert "blocks.2" not in joint_plan(model, Recipe(), JointWish(losses, 0.1, locked=locked)).blocks
    with pytest.raises(TargetError):
        joint_plan(model, Recipe(), JointWish(losses, 0.99))
    with pytest.raises(RecipeError, match="block, channel, weight"):
        JointWish({"layer": {}}, 0.5)


def test_the_verb_plans_over_all_kinds_to_its_end(model, own_cache, monkeypatch, capsys):
    monkeypatch.setattr("explorer.commands.plan.opened", lambda _: model)
    words = "plan residual --target 0.4 --cost macs --over blocks,channel,weights --samples 100"
    assert main([*words.split(), "--json"]) == 0
    plan = json.loads(capsys.readouterr().out)
    recipe, report = Recipe.from_json(plan["recipe"]), plan["report"]
    costs = CostModel.of(model)
    assert costs.cost(recipe, "macs") <= 0.6 * costs.cost(Recipe(), "macs")
    assert ("zero weights as saved" in plan["note"]) == bool(recipe.weights)
    assert report["pruned"]["correct"] == prune(model, recipe, Conditions(100, latency=False)).pruned.correct
    assert plan["over"] == ["block", "channel", "weight"]
    assert main(words.split()) == 0, "the scans are on disk now"
    text = capsys.readouterr().out
    assert f"add up to {plan['predicted_loss_growth']:+.3f} nats" in text
    assert main(words.replace("weights", "layer").split()) == 2
    assert "No granularity named 'layer'. Available: block, channel, weight." in capsys.readouterr().err


def test_a_budget_is_spent_over_blocks_and_channels(model, own_cache, monkeypatch, capsys):
    monkeypatch.setattr("explorer.commands.budget.opened", lambda _: model)
    words = "budget residual --largest-drop 0.1 --over block,channel --samples 200 --looks 4 --json".split()
    assert main(words) == 0
    budget = json.loads(capsys.readouterr().out)
    best = next(one["report"] for one in budget["tried"] if one["target"] == budget["best"])
    assert "blocks.2" in best["recipe"]["blocks"], "the block that does nothing goes first"
    assert best["drop"]["high"] <= 0.1 and best["drop"]["level"] == looks_level(4)
    assert len(budget["tried"]) == 4
    assert main([*words, "--allocator", "lamp"]) == 2
    assert "either --over or --allocator" in capsys.readouterr().err


def test_a_plan_reaches_as_far_as_its_scans(model, blocks):
    wish = JointWish({"block": blocks.losses()})
    low, high = joint_reach(model, Recipe(), wish)
    costs = CostModel.of(model)
    bare = costs.cost(Recipe(blocks=tuple(NAMES)), "params") / costs.cost(Recipe(), "params")
    assert low == 0 and high == pytest.approx(1 - bare)
    locked = replace(wish, locked=frozenset({("block", name) for name in NAMES[1:]}))
    assert joint_reach(model, Recipe(), locked)[1] < high


def test_scans_that_come_with_a_sample_are_not_measured_again(own_cache, monkeypatch):
    sample = analyse(load("digits-mlp"))
    assert kinds_of(sample) == ("channel", "weight")

    def refused(*_, **__):
        raise AssertionError("measured again")

    monkeypatch.setattr("explorer.studies.joint_losses.scan", refused)
    found = outcome(as_work(joint_losses(sample, Recipe(), ("block", "channel", "weight"), QUICK)))
    assert found["block"] == {} and set(found["channel"]) == set(sample.profile.free_groups)
    with pytest.raises(AssertionError, match="measured again"):  # by another criterion
        other = Recipe(criterion=Choice("l2"))
        outcome(as_work(joint_losses(sample, other, ("channel",), QUICK)))
    with pytest.raises(ExplorerError, match="some of block, channel, weight, got 'layer'"):
        outcome(as_work(joint_losses(sample, Recipe(), ("layer",), QUICK)))
