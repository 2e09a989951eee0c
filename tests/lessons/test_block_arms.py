"""Arms of blocks in a lesson, and arms that match another one by parameters or by the clock."""

import json
from dataclasses import replace

import pytest
from residual_digits import residual_digits

from explorer.lessons import recipes, wording
from explorer.lessons.evidence_files import from_json, to_json
from explorer.lessons.experiment import run
from explorer.lessons.lesson_files import lesson
from explorer.lessons.recipes import fits, recipe_for
from explorer.lessons.toml_table import LessonError
from explorer.lessons.verdicts import judge
from explorer.planning.recipe_costs import CostModel
from explorer.values.progress import outcome
from explorer.values.recipe import Recipe

EXPERIMENT = lesson("depth_or_width").experiment
AS_FAST = EXPERIMENT.arm("as_fast")


@pytest.fixture(scope="module")
def model():
    return residual_digits()


class Clock:
    """A clock that goes by what is left: each block that is gone saves a tenth, each channel a thousandth."""

    def share(self, widths):
        gone = sum(name.startswith("block: ") for name, _ in widths)
        left = {name: units for name, units in widths if not name.startswith("block: ")}
        return 1 - 0.1 * gone - 0.001 * sum(UNITS[name] - units for name, units in left.items())


UNITS: dict[str, int] = {}


def test_blocks_go_by_influence_and_channels_follow_by_parameters(model):
    costs = CostModel.of(model)
    for x, count in ((0.25, 1), (0.5, 2)):
        blocks, channels = (
            recipe_for(model, EXPERIMENT, EXPERIMENT.arm(n), x) for n in ("blocks", "channels")
        )
        assert len(blocks.blocks) == count and "blocks.2" in blocks.blocks and not blocks.channels
        assert channels.channels and not channels.blocks
        assert blocks.after == channels.after == "least_squares"
        left = [
            costs.cost(recipe, "params") / costs.cost(Recipe(), "params") for recipe in (blocks, channels)
        ]
        assert left[1] == pytest.approx(left[0], abs=0.03)


def test_channels_are_cut_until_they_are_as_fast(model, monkeypatch):
    UNITS.update({name: group.units for name, group in model.profile.free_groups.items()})
    monkeypatch.setattr(recipes, "timed_widths", lambda subject, device: Clock())
    fast = recipe_for(model, EXPERIMENT, AS_FAST, 0.25)
    assert Clock().share(recipes.widths_of(model.profile, fast)) <= 0.9
    less = Recipe(channels={name: ratio * 0.8 for name, ratio in fast.channels.items()})
    assert Clock().share(recipes.widths_of(model.profile, less)) > 0.9  # no more is cut than that takes


class OnlyBlocks(Clock):
    """Channels save no time."""

    def share(self, widths):
        return 1 - 0.1 * sum(name.startswith("block: ") for name, _ in widths)


def test_if_no_width_is_as_fast_nothing_is_compared(model, monkeypatch):
    monkeypatch.setattr(recipes, "timed_widths", lambda subject, device: OnlyBlocks())
    with pytest.raises(LessonError, match="still slower"):
        recipe_for(model, EXPERIMENT, AS_FAST, 0.25)


def test_a_model_without_blocks_does_not_fit(model):
    from explorer.graph.analysed import analyse
    from explorer.loaders.model_text import load

    assert fits(model.graph, EXPERIMENT) is None
    assert "no residual block" in (fits(analyse(load("digits-mlp")).graph, EXPERIMENT) or "")


def test_the_lesson_goes_on_where_no_width_is_as_fast_and_says_why(model, monkeypatch):
    """What is left is judged; the comparison at equal latency stays open, so the claim as a whole cannot
    hold.
    """
    UNITS.update({name: group.units for name, group in model.profile.free_groups.items()})
    claim = lesson("depth_or_width")
    quick = replace(claim.experiment, points=(0.25,), timed_at=(0.25,), samples=64)
    own = replace(claim, experiment=quick)
    for clock, reached in ((Clock(), True), (OnlyBlocks(), False)):
        monkeypatch.setattr(recipes, "timed_widths", lambda subject, device, clock=clock: clock)
        evidence = outcome(run(quick, "residual", lambda _: model))
        again = from_json(json.loads(json.dumps(to_json(evidence))))
        assert evidence.finished and again.missing == evidence.missing
        assert (("as_fast", 0.25) in evidence.points) == reached == (not evidence.missing)
        finding = judge(own, evidence)
        last = finding.comparisons[-1]
        assert last.case.against == "as_fast" and (last.why == "") == reached
        if not reached:
            assert last.said == "open" and finding.verdict not in ("holds", "fails")
            assert "still slower than one without these blocks" in wording.value(last)
            assert all(not one.why for one in finding.comparisons[:-1])


def test_the_device_whose_latency_counts_is_the_one_that_is_timed(model, monkeypatch):
    UNITS.update({name: group.units for name, group in model.profile.free_groups.items()})
    asked = []
    monkeypatch.setattr(recipes, "timed_widths", lambda subject, device: asked.append(device) or Clock())
    recipe_for(model, EXPERIMENT, AS_FAST, 0.25, "cuda")
    assert set(asked) == {"cuda"}
