"""The repaired number next to the one-shot number: after it, on the same samples, and only if asked for."""

from dataclasses import replace

import pytest
from zoo import odd

from explorer.commands.printing.report_text import report_text
from explorer.engine.conditions import Conditions
from explorer.engine.measure import prune, stream
from explorer.graph.analysed import analyse
from explorer.loaders.model_text import load
from explorer.planning.accuracy_budget import accuracy_budget
from explorer.planning.allocation import Allocation
from explorer.studies.accuracy_curves import curves, scaled
from explorer.ui.drawing.repaired_number import repaired_note
from explorer.values.choice import Choice
from explorer.values.progress import outcome, values_of
from explorer.values.recipe import Recipe
from explorer.values.report import Report

BOTH = Conditions(latency=False, repaired=True)
HALF = Recipe(channels={"conv2": 0.5, "conv3": 0.5})


def test_the_one_shot_number_comes_first_and_stays():
    model = analyse(load("digits-cnn"))
    reports = list(values_of(stream(model, HALF, BOTH)))
    first = next(at for at, report in enumerate(reports) if report.repaired)
    assert first > 0 and all(report.repaired for report in reports[first:])
    last, plain = reports[-1], prune(model, HALF, replace(BOTH, repaired=False))
    assert last.pruned == plain.pruned and last.drop == plain.drop and plain.repaired is None
    assert last.repaired.samples == last.pruned.samples and last.repaired.params == last.pruned.params
    assert last.repaired.accuracy > last.pruned.accuracy + 0.2
    assert last.repaired_drop.estimate == pytest.approx(last.baseline.accuracy - last.repaired.accuracy)


def test_it_is_the_number_of_the_recipe_that_asks_for_the_repair():
    model = analyse(load("digits-cnn"))
    asked = prune(model, replace(HALF, after="least_squares"), BOTH)
    assert asked.repaired is None
    assert prune(model, HALF, BOTH).repaired.correct == asked.pruned.correct


def test_a_report_with_both_numbers_survives_json_and_one_without_loads():
    report = prune(analyse(load("digits-cnn")), HALF, BOTH)
    data = report.to_json()
    assert Report.from_json(data) == report
    kept_before = {key: value for key, value in data.items() if not key.startswith("repaired")}
    assert Report.from_json(kept_before).repaired is None
    assert "repaired by least squares" in report_text(report)
    assert repaired_note(Report.from_json(kept_before)) == []
    (line,) = repaired_note(report)
    assert line.startswith(f"repaired: {report.repaired.accuracy:.1%}".replace("%", " %"))


def test_nothing_is_repaired_where_nothing_is_removed_or_nothing_can_be_read():
    assert prune(analyse(load("digits-cnn")), Recipe(), BOTH).repaired is None
    assert prune(analyse(odd("chain")), Recipe(channels={"conv1": 0.5}), BOTH).repaired is None


# --------------------------------------------------------------------------- every verb takes the repair

REPAIRED = replace(HALF, after="least_squares")
FEW = Conditions(samples=450, latency=False)


def test_a_curve_is_one_of_repaired_models():
    model = analyse(load("digits-cnn"))
    plain, mended = (
        next(iter(outcome(curves(model, [scaled(recipe, (0.5, 1.0))], FEW)).values()))
        for recipe in (HALF, REPAIRED)
    )
    assert [point.recipe.after for point in mended] == ["least_squares"] * len(mended)
    assert mended[-1].pruned.accuracy > plain[-1].pruned.accuracy + 0.2


def test_a_budget_goes_further_with_repaired_models():
    """The same accuracy that may be lost pays for a smaller model."""
    model = analyse(load("digits-cnn"))
    wish = Allocation(Choice("uniform"))
    plain, mended = (
        outcome(accuracy_budget(model, Recipe(after=after), 0.1, wish, conditions=FEW, looks=3))
        for after in ("none", "least_squares")
    )
    assert mended.best is not None and mended.best > (plain.best or 0.0)
