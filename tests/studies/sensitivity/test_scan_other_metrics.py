"""A scan of a metric that right and wrong do not determine is kept on disk like one of accuracy."""

import json
from dataclasses import replace

import pytest
import torch
from torch import nn

from explorer.engine.conditions import Conditions
from explorer.engine.measure import prune
from explorer.graph.analysed import Analysed
from explorer.graph.export import graph_of
from explorer.loaders.model_text import load
from explorer.loaders.own_task import with_metrics
from explorer.studies.sensitivity import scan_run
from explorer.studies.sensitivity.batch_counter import BatchCounter
from explorer.studies.sensitivity.scan import scan
from explorer.studies.sensitivity.values import Scan, ScanPlan
from explorer.values.progress import Step, outcome
from explorer.values.recipe import Recipe

SUBJECT = with_metrics(load("digits-mlp"), ["macro_f1"])
MODEL = Analysed(SUBJECT, graph_of(SUBJECT))
EXACT = ScanPlan("channel", (0.2, 0.5), tolerance=None)


def run(plan, folder, samples=None) -> Scan:
    return outcome(scan(MODEL, plan, Conditions(samples=samples), folder=folder))


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kept")
    return folder, run(EXACT, folder)


def test_what_was_measured_is_never_measured_again(kept, monkeypatch):
    folder, first = kept
    monkeypatch.setattr(BatchCounter, "gains", lambda *args: pytest.fail("ran again"))
    monkeypatch.setattr(scan_run, "baseline", lambda *args: pytest.fail("the dense model ran again"))
    assert list(scan(MODEL, EXACT, folder=folder)) == [Step(first)] and first.finished
    assert first.baseline.metric == "macro_f1" and 0.9 < first.baseline.value < 1


def test_points_on_disk_have_the_value_of_a_pruned_model(kept):
    folder, _ = kept
    again = outcome(scan(MODEL, EXACT, folder=folder))
    point = again.points[-1]
    report = prune(MODEL, Recipe(channels={point.part: point.ratio}), Conditions(latency=False))
    assert point.value == pytest.approx(report.pruned.value)
    assert point.drop.estimate == pytest.approx(report.baseline.value - report.pruned.value)


def test_a_point_that_is_not_known_well_enough_starts_again(tmp_path):
    rough = run(replace(EXACT, tolerance=0.2), tmp_path)
    assert {point.samples for point in rough.points} != {450}
    exact = run(EXACT, tmp_path)
    assert exact.finished and {point.samples for point in exact.points} == {450}
    assert run(EXACT, tmp_path) == exact


def test_a_damaged_result_is_left_out(kept, tmp_path):
    folder, first = kept
    (path,) = folder.iterdir()
    damaged = tmp_path / path.name
    lines = path.read_text().splitlines()
    broken = json.loads(lines[-1]) | {"result": {"value": 0.5}}
    damaged.write_text("\n".join([*lines[:-1], json.dumps(broken)]) + "\n")
    assert run(EXACT, tmp_path) == first
    assert len(damaged.read_text().splitlines()) > len(lines), "the damaged point was measured again"


def test_two_metrics_of_a_model_are_two_scans(kept, tmp_path):
    run(replace(EXACT, ratios=(0.5,)), tmp_path)
    other = with_metrics(load("digits-mlp"), ["balanced_accuracy"])
    outcome(scan(Analysed(other, MODEL.graph), replace(EXACT, ratios=(0.5,)), folder=tmp_path))
    assert len(list(tmp_path.iterdir())) == 2


class Two(nn.Module):
    """Two numbers and scores, of which the task picks the second."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.a, self.b, self.c = nn.Linear(64, 8), nn.Linear(8, 10), nn.Linear(8, 2)

    def forward(self, x):
        features = self.a(x.flatten(1)).relu()
        return self.c(features), self.b(features)


def test_a_model_with_several_outputs_is_scanned_as_it_is_pruned(tmp_path):
    digits = load("digits-mlp")
    task = replace(digits.task, metric="macro_f1", answer=lambda outputs: outputs[1])
    two = Two().eval()
    subject = replace(digits, id="two", name="two", model=two, task=task)
    model = Analysed(subject, graph_of(subject))
    points = outcome(scan(model, EXACT, Conditions(samples=200), folder=tmp_path)).points
    assert {point.part for point in points} == {"a"} and len(points) == 2
    for point in points:
        report = prune(model, Recipe(channels={"a": point.ratio}), Conditions(samples=200, latency=False))
        assert point.value == pytest.approx(report.pruned.value)
        assert point.value != pytest.approx(report.baseline.value)
