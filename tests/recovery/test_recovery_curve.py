"""The curve over strengths: one-shot, recalibrated and recovered on the same samples; it goes on where it was
stopped.
"""

import json

import pytest

from explorer.commands.main import main
from explorer.engine.conditions import Conditions
from explorer.engine.measure import prune
from explorer.errors import RecipeError
from explorer.figures.recovery_curve import recovery_curve as drawn
from explorer.graph.analysed import Analysed
from explorer.graph.export import graph_of
from explorer.loaders.model_text import load
from explorer.machine import paths
from explorer.recovery.recovery_curve import checked_strengths, curve_cost, recovery_curve
from explorer.recovery.training_plan import RecoveryPlan
from explorer.runs.store import Store
from explorer.values.progress import Step, outcome, progress_of, values_of
from explorer.values.recipe import Recipe

pytestmark = pytest.mark.usefixtures("own_cache", "one_thread")

SUBJECT = load("digits-cnn")
GRAPH = graph_of(SUBJECT)
RECIPE = Recipe(channels={"conv1": 0.5, "conv2": 0.5})
FEW = Conditions(samples=100, latency=False)
SHORT = RecoveryPlan(epochs=1, batch_size=256)


def steps(strengths, plan=SHORT):
    return list(recovery_curve(Analysed(SUBJECT, GRAPH), RECIPE, plan, strengths, FEW))


def test_each_point_is_the_scaled_recipe_measured_on_the_same_samples():
    done = steps((1.0, 0.5))
    curves = list(values_of(done))
    assert [len(curve.points) for curve in curves] == [1, 2] and curves[-1].planned == 2
    for point in curves[-1].points:
        cut = prune(Analysed(SUBJECT, GRAPH), RECIPE.scaled(point.strength), FEW)
        lines = point.lines()
        assert (
            lines["one-shot"].correct == cut.pruned.correct
            and lines["recovered"].samples == cut.pruned.samples == 100
        )
        assert (
            lines["recovered"].macs == point.macs == cut.pruned.macs
            and lines["recovered"].params == cut.pruned.params
        )
        assert list(lines) == ["one-shot", "recalibrated", "recovered"]
    base = curves[-1].baseline
    assert (base.macs, base.params, base.samples) == (GRAPH.profile.macs, GRAPH.profile.params, 100)
    progress = list(progress_of(done))
    assert (
        progress == sorted(progress, key=lambda step: step.done) and progress[-1].done == progress[-1].total
    )
    json.dumps(curves[-1].to_json())


def test_a_curve_that_was_stopped_goes_on_where_it_was():
    running = recovery_curve(Analysed(SUBJECT, GRAPH), RECIPE, SHORT, (0.5, 1.0), FEW)
    first = next(values_of(running))
    running.close()
    again = steps((0.5, 1.0))
    before = [now for now in progress_of(again[: again.index(Step(first))]) if now.label == "Point 1 of 2"]
    assert len(before) < 10  # nothing was trained again


def test_the_mean_of_several_seeds_has_the_spread_of_the_seeds():
    found = outcome(iter(steps((1.0,), RecoveryPlan(epochs=1, batch_size=256, seeds=(0, 1)))))
    (point,) = found.points
    first, second = (arm.measurement.accuracy for arm in point.recovery.recovered)
    line = point.lines()["recovered"]
    assert (
        line.accuracy == pytest.approx((first + second) / 2)
        and line.accuracy_low <= line.accuracy <= line.accuracy_high
    )


def test_the_figure_has_a_line_for_each_kind_and_moves_with_its_axis():
    found = outcome(iter(steps((0.5, 1.0))))
    traces = {trace.name: trace for trace in drawn(found, "macs").data}
    assert list(traces) == ["recovered", "recalibrated", "one-shot", "dense model"]
    left = [100 * point.macs / GRAPH.profile.macs for point in reversed(found.points)]
    assert list(traces["one-shot"].x) == pytest.approx(left) and traces["dense model"].x == (100,)
    assert not drawn(None).data and drawn(None).layout.annotations


def test_the_cost_is_that_of_all_points():
    cost = curve_cost(SUBJECT, SHORT, 3)
    assert (cost.epochs, cost.samples) == (3, 3 * 768)  # of 897 samples three batches of 256 an epoch


@pytest.mark.parametrize("given", [(), (0.0, 1.0), (1.5,), tuple(i / 20 for i in range(1, 12))])
def test_strengths_that_make_no_curve_are_refused(given):
    with pytest.raises(RecipeError, match="strengths above 0"):
        checked_strengths(given)


def test_the_command_draws_a_curve_and_keeps_and_exports_a_result(tmp_path, capsys):
    words = [
        "recover",
        "digits-cnn",
        "--channels",
        "0.5",
        "--epochs",
        "1",
        "--samples",
        "100",
        "--device",
        "cpu",
    ]
    assert main([*words, "--curve", "0.5,1", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert [point["strength"] for point in answer["points"]] == [0.5, 1.0]
    assert main([*words, "--curve", "0.5,1"]) == 0
    assert capsys.readouterr().out.count("recalibrated") == 2
    assert main([*words, "--curve", "two"]) == main([*words, "--curve", "--controls"]) == 2
    assert main([*words, "--keep", "by command"]) == 0
    (run,) = (run for run in Store(paths.cache()).runs() if run.recovery)
    assert run.note == "by command" and run.name in capsys.readouterr().err
    path = tmp_path / "model.zip"
    assert (
        main(["export", "digits-cnn", "--run", run.name, "-o", str(path)]) == 0 and path.stat().st_size > 1000
    )
    assert main(["export", "digits-cnn", "--run", run.parent, "-o", str(path)]) == 2
    assert main(["export", "digits-mlp", "--run", run.name, "-o", str(path)]) == 2
