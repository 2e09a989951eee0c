"""The scans that come with the sample models: finished, theirs alone, and what a measurement finds."""

from dataclasses import replace
from functools import cache

import pytest
from rows import some

from explorer.engine.conditions import Conditions
from explorer.engine.measure import prune
from explorer.graph.analysed import Analysed
from explorer.graph.export import graph_of
from explorer.loaders.model_text import load
from explorer.registry import SAMPLES
from explorer.studies.sensitivity.scan import known, scan
from explorer.studies.sensitivity.scan_log import ScanLog
from explorer.studies.sensitivity.scan_run import log_of
from explorer.studies.sensitivity.shipped_scans import deliver, delivered
from explorer.studies.sensitivity.values import Scan, ScanPlan
from explorer.values.choice import Choice
from explorer.values.progress import outcome
from explorer.values.recipe import Recipe

GRANULARITIES = ("channel", "weight")
DIGITS = Conditions(device="cpu", latency=False)


@cache
def opened(name: str):
    subject = load(name)
    return subject, graph_of(subject)


@pytest.mark.parametrize("name, granularity", some([(n, g) for n in SAMPLES for g in GRANULARITIES], 3))
def test_every_sample_comes_with_finished_scans(name, granularity):
    """After a sample was trained anew: `pruning-explorer train-sample NAME --sensitivity`."""
    subject, graph = opened(name)
    found = delivered(Analysed(subject, graph), ScanPlan(granularity), DIGITS)
    assert found is not None and found.finished and found.subject["id"] == subject.id
    parts = graph.profile.free_groups if granularity == "channel" else graph.profile.prunable_layers
    assert set(found.by_part) == set(parts)


@pytest.mark.parametrize("granularity", GRANULARITIES)
def test_a_delivered_point_is_what_pruning_that_part_alone_measures(granularity):
    subject, graph = opened("digits-cnn")
    points = delivered(Analysed(subject, graph), ScanPlan(granularity), DIGITS).points
    for point in points[:: len(points) // 4]:
        recipe = Recipe().with_ratios(granularity, {point.part: point.ratio})
        measured = prune(Analysed(subject, graph), recipe, replace(DIGITS, samples=point.samples)).pruned
        assert (
            measured.samples == point.samples and abs(measured.correct - point.correct) <= 1
        )  # another processor may round


def test_other_rankings_data_and_weights_have_no_delivered_scan(tmp_path):
    subject, graph = opened("digits-cnn")
    plan = ScanPlan("channel")
    assert delivered(Analysed(subject, graph), plan, DIGITS) is not None
    assert (
        delivered(Analysed(subject, graph), replace(plan, recipe=Recipe(criterion=Choice("random"))), DIGITS)
        is None
    )
    assert delivered(Analysed(replace(subject, id="other weights"), graph), plan, DIGITS) is None
    assert delivered(Analysed(replace(subject, task=None), graph), plan, DIGITS) is None
    assert delivered(Analysed(subject, graph), plan, DIGITS, folder=tmp_path) is None


def test_what_is_delivered_is_the_finished_scan(tmp_path):
    subject, graph = opened("digits-mlp")
    counted = outcome(
        scan(Analysed(subject, graph), ScanPlan("channel"), DIGITS, folder=tmp_path / "counted")
    )
    path = deliver(
        subject,
        ScanPlan("channel"),
        log_of(subject, ScanPlan("channel"), "cpu", tmp_path / "counted"),
        tmp_path,
    )
    assert isinstance(counted, Scan) and counted.finished and path.name.startswith("digits-mlp-channel-")
    assert delivered(Analysed(subject, graph), ScanPlan("channel"), DIGITS, folder=tmp_path) == counted
    assert (
        known(Analysed(subject, graph), ScanPlan("channel"), DIGITS, folder=tmp_path) is None
    )  # it is nobody's own measurement
    assert len(ScanLog(tmp_path, {}).read()) == 0
