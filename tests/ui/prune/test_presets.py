"""What the presets cost, measured: none ends at chance without saying so, and a repair wins it back."""

from dataclasses import replace

import pytest

from explorer.engine.conditions import Conditions
from explorer.engine.measure import stream
from explorer.graph.analysed import Analysed, analyse
from explorer.loaders.model_text import load
from explorer.ui.prune.presets import GENTLE, GENTLE_CARD, PRESETS, available, best_repair, follow
from explorer.ui.prune.results import TRAIN, WIN_BACK, rescue
from explorer.values.recipe import Recipe
from explorer.values.report import Report

SOFT = [preset for preset in PRESETS if "Hard" not in preset.name]
HARD = [preset for preset in PRESETS if "Hard" in preset.name]


@pytest.fixture(scope="module")
def digits() -> Analysed:
    return analyse(load("digits-cnn"))


def measured(model: Analysed, recipe: Recipe) -> Report:
    """The last Report of a recipe."""
    *_, last = (step.value for step in stream(model, recipe, Conditions(latency=False)) if step.value)
    return last


def gentle(model: Analysed):
    (found,) = (preset for preset in available(model) if preset.key == "gentle")
    return found


@pytest.mark.parametrize("preset", SOFT, ids=lambda preset: preset.key)
def test_a_preset_keeps_the_accuracy_within_a_point(preset, digits):
    preset = gentle(digits) if preset.key == "gentle" else preset
    report = measured(digits, follow(digits, Recipe(), preset, ()))
    assert report.drop is not None and report.drop.estimate <= 0.01
    assert rescue(report, digits.subject) is None


@pytest.mark.parametrize("preset", HARD, ids=lambda preset: preset.key)
def test_a_hard_preset_says_so_and_a_repair_wins_most_of_it_back(preset, digits):
    assert "breaks it, then win it back" in preset.name
    recipe = follow(digits, Recipe(), preset, ())
    broken = measured(digits, recipe)
    assert broken.drop is not None and broken.drop.estimate > 0.5
    assert rescue(broken, digits.subject) == WIN_BACK
    repaired = measured(digits, replace(recipe, after=best_repair(digits.subject)))
    assert repaired.drop is not None and repaired.drop.estimate < 0.1
    assert rescue(repaired, digits.subject) == TRAIN


def test_a_model_without_data_is_not_offered_a_repair_that_needs_it(digits):
    bare = replace(digits.subject, task=None)
    assert best_repair(bare) == "none"
    assert rescue(measured(digits, Recipe(channels={"conv1": 0.9})), bare) is None


def test_the_gentle_preset_removes_a_third_of_the_parameters(digits):
    report = measured(digits, follow(digits, Recipe(), gentle(digits), ()))
    assert report.pruned.params is not None and report.baseline.params is not None
    assert 0.6 < report.pruned.params / report.baseline.params < 0.7


def test_the_gentle_preset_takes_what_was_measured_to_be_gentle_and_little_of_an_unknown_model(digits):
    def of(card):
        return gentle(replace(digits, subject=replace(digits.subject, card=card)))

    known, unknown = of({GENTLE_CARD: 0.3}), of({})
    assert known.targets == {"channel": ("uniform", 0.3)} and known.name.startswith("Gentle: 30 % ")
    assert unknown.targets == {"channel": ("uniform", GENTLE)} and "Small enough" in unknown.tooltip
    for odd in ("a lot", 7.0, None, float("nan")):
        assert of({GENTLE_CARD: odd}).targets == unknown.targets
