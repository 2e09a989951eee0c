"""The scan counts what pruning and evaluating each point by itself counts, and stops when it knows enough."""

import json
from dataclasses import replace

import pytest
import torch
from torch import nn
from zoo import odd

from explorer.engine.candidate import build
from explorer.engine.conditions import Conditions
from explorer.engine.measure import prune
from explorer.errors import ExplorerError, RecipeError
from explorer.graph.analysed import Analysed, analyse
from explorer.graph.export import graph_of
from explorer.loaders.model_text import load
from explorer.loaders.sample import card
from explorer.measuring.evaluation import evaluate
from explorer.measuring.statistics import paired_drop
from explorer.pruning.decision import decide
from explorer.studies.sensitivity.additivity import additivity
from explorer.studies.sensitivity.batch_counter import BatchCounter
from explorer.studies.sensitivity.branching import Branches
from explorer.studies.sensitivity.graph_pieces import Branch
from explorer.studies.sensitivity.scan import scan
from explorer.studies.sensitivity.scan_log import Count, ScanLog
from explorer.studies.sensitivity.stopping import LEVEL, looks, reach
from explorer.studies.sensitivity.values import Scan, ScanPlan, SensitivityPoint
from explorer.values.choice import Choice
from explorer.values.identity import subject_id
from explorer.values.progress import Step, outcome, progress_of, values_of
from explorer.values.recipe import Recipe
from explorer.values.report import Drop, Measurement, Report
from explorer.values.subject import Subject

SUBJECTS = {name: load(name) for name in ("digits-mlp", "digits-cnn")}
EXACT = ScanPlan("channel", (0.2, 0.5, 0.8), tolerance=None)


def loaded(name):
    return SUBJECTS[name], graph_of(SUBJECTS[name])


def run(name, plan, folder, samples=None) -> Scan:
    return outcome(scan(Analysed(*loaded(name)), plan, Conditions(samples=samples), folder=folder))


def plain_correct(model, granularity, part, ratio, samples, criterion="l1") -> int:
    """Prune, build, evaluate: one point by itself."""
    recipe = Recipe(criterion=Choice(criterion)).with_ratios(granularity, {part: ratio})
    network, split = (
        build(model, decide(model, recipe).masks),
        model.subject.task.split("tuning").first(samples),
    )
    *_, tally = evaluate(network, split, model.subject.task.normalisation, [samples])
    return int(tally.correct.sum())


# --------------------------------------------------------------------------- exact


@pytest.mark.parametrize("granularity", ["channel", "weight"])
@pytest.mark.parametrize("name", list(SUBJECTS))
def test_an_exact_scan_counts_as_the_plain_loop(name, granularity, tmp_path):
    subject, graph = loaded(name)
    result = run(name, replace(EXACT, granularity=granularity), tmp_path)
    parts = graph.profile.free_groups if granularity == "channel" else graph.profile.prunable_layers
    assert [(p.part, p.ratio) for p in result.points] == [
        (part, ratio) for part in parts for ratio in (0.2, 0.5, 0.8)
    ]
    counted = [p.correct for p in result.points]
    assert counted == [
        plain_correct(Analysed(subject, graph), granularity, p.part, p.ratio, 450) for p in result.points
    ]
    assert result.finished and {p.samples for p in result.points} == {450}
    assert result.baseline.correct == subject.card["tuning"]["correct"]
    by_chance = [
        plain_correct(Analysed(subject, graph), granularity, p.part, p.ratio, 450, "random")
        for p in result.points
    ]
    assert counted != by_chance  # the negative control


def test_a_point_is_the_report_of_its_recipe(tmp_path):
    subject, graph = loaded("digits-cnn")
    for point in run("digits-cnn", EXACT, tmp_path).points:
        report = prune(
            Analysed(subject, graph), Recipe(channels={point.part: point.ratio}), Conditions(latency=False)
        )
        assert point.drop == report.drop and point.achieved == report.parts[0].achieved
        assert point.loss == pytest.approx(report.pruned.loss, rel=1e-5)
        assert point.loss_growth == pytest.approx(
            report.pruned.loss - report.baseline.loss, rel=1e-3, abs=1e-6
        )


@pytest.mark.skipif(not card("shapes-resnet"), reason="shapes-resnet is not trained")
def test_an_exact_scan_of_a_residual_network_counts_as_the_plain_loop(tmp_path):
    subject = load("shapes-resnet")
    graph = graph_of(subject)
    result = outcome(
        scan(
            Analysed(subject, graph),
            ScanPlan("channel", (0.6,), None),
            Conditions(samples=256),
            folder=tmp_path,
        )
    )
    assert len(result.points) == len(graph.profile.free_groups) == 12
    for point in result.points[::4]:
        assert point.correct == plain_correct(Analysed(subject, graph), "channel", point.part, 0.6, 256), (
            point.part
        )
    assert len({point.correct for point in result.points}) > 6


def test_a_model_without_a_graph_is_scanned_by_weights(tmp_path):
    class Branching(nn.Module):
        def __init__(self):
            super().__init__()
            self.hidden, self.output = nn.Linear(64, 20), nn.Linear(20, 10)

        def forward(self, x):
            x = self.hidden(x.flatten(1))
            return self.output(x.relu() if float(x.sum()) > 0 else x)

    with torch.random.fork_rng():
        torch.manual_seed(0)
        model, task = Branching().eval(), SUBJECTS["digits-mlp"].task
    subject = Subject(subject_id(model), "branching", model, task, task.example(2))
    graph = graph_of(subject)
    found = outcome(scan(Analysed(subject, graph), replace(EXACT, granularity="weight"), folder=tmp_path))
    assert [p.correct for p in found.points] == [
        plain_correct(Analysed(subject, graph), "weight", p.part, p.ratio, 450) for p in found.points
    ]
    with pytest.raises(ExplorerError, match="No channels"):
        list(scan(Analysed(subject, graph), EXACT, folder=tmp_path))


# --------------------------------------------------------------------------- adaptive

FINE = tuple(i / 20 for i in range(1, 20))


def test_adaptive_intervals_hold_what_exact_scans_find(tmp_path):
    stopped = []
    for granularity in ("channel", "weight"):
        exact = run("digits-cnn", ScanPlan(granularity, FINE, None), tmp_path / "exact")
        adaptive = run("digits-cnn", ScanPlan(granularity, FINE, 0.03), tmp_path / "adaptive")
        assert adaptive.finished and len(adaptive.points) == len(exact.points)
        for point, truth in zip(adaptive.points, exact.points, strict=True):
            half = point.reach.half_width
            assert point.drop.level == point.reach.level == LEVEL and point.samples in looks(450)
            assert point.samples == 450 or half <= max(0.03, 0.2 * abs(point.drop.estimate))
            assert (
                point.drop.low <= point.reach.low <= point.reach.high <= point.drop.high
                or point.samples == 450
            )
            stopped += (
                [point.reach.low <= truth.drop.estimate <= point.reach.high] if point.samples < 450 else []
            )
    assert len(stopped) > 60 and sum(stopped) / len(stopped) >= 0.95


def test_a_stopped_point_counted_what_an_exact_scan_of_as_many_samples_counts(tmp_path):
    adaptive = run("digits-cnn", replace(EXACT, tolerance=0.05), tmp_path / "a")
    short = run("digits-cnn", EXACT, tmp_path / "b", samples=128)
    stopped = [
        (a.correct, e.correct) for a, e in zip(adaptive.points, short.points, strict=True) if a.samples == 128
    ]
    assert stopped and all(a == e for a, e in stopped)


def test_a_smaller_tolerance_takes_more_samples(tmp_path):
    scans = [run("digits-cnn", replace(EXACT, tolerance=t), tmp_path / str(t)) for t in (0.3, 0.05, 0.001)]
    taken = [sum(point.samples for point in found.points) for found in scans]
    assert 9 * 64 == taken[0] < taken[1] < taken[2] <= 9 * 450


# --------------------------------------------------------------------------- order, progress, cancelling


def test_middle_ratios_come_first_and_progress_grows_to_the_end(tmp_path):
    steps = list(scan(Analysed(*loaded("digits-cnn")), EXACT, folder=tmp_path))
    scans, progress = list(values_of(steps)), list(progress_of(steps))
    first = next(s for s in scans if len(s.points) == 3 and all(p.samples == 256 for p in s.points))
    assert {(p.part, p.ratio, p.samples) for p in first.points} == {
        (part, 0.5, 256) for part in ("conv1", "conv2", "conv3")
    }
    assert not first.finished and scans[0].points == () and scans[-1].finished
    done = [p.done for p in progress]
    assert (
        done == sorted(done)
        and (done[0], done[-1]) == (0, progress[0].total)
        and len({p.total for p in progress}) == 1
    )


def test_it_can_be_stopped_between_any_two_steps_and_leaves_torch_as_it_was(tmp_path):
    total = len(list(scan(Analysed(*loaded("digits-mlp")), EXACT, folder=tmp_path / "whole")))
    assert total > 10
    for stop in range(1, total, 3):
        steps = scan(Analysed(*loaded("digits-mlp")), EXACT, folder=tmp_path / str(stop))
        for _ in range(stop):
            next(steps)
            assert torch.is_grad_enabled() and not torch.is_inference_mode_enabled()
        steps.close()


def test_a_stopped_scan_goes_on_where_it_was(tmp_path, monkeypatch):
    whole = run("digits-cnn", EXACT, tmp_path / "whole")
    steps = scan(Analysed(*loaded("digits-cnn")), EXACT, folder=tmp_path / "killed")
    for step in steps:
        if step.value is not None and len(step.value.points) == 9:
            break
    steps.close()
    walked, walk = [], Branches.walk

    def counted(self, inputs, todo):
        walked.append((len(inputs), sum(map(len, todo.values()))))
        return walk(self, inputs, todo)

    monkeypatch.setattr(Branches, "walk", counted)
    resumed = run("digits-cnn", EXACT, tmp_path / "killed")
    counted_anew = sum(samples * points for samples, points in walked)
    assert (
        resumed == whole and 194 * 9 <= counted_anew < 450 * 9 - 256
    )  # at most the looks that were not complete


def test_what_was_counted_is_never_counted_again(tmp_path, monkeypatch):
    first = run("digits-cnn", EXACT, tmp_path)
    monkeypatch.setattr(BatchCounter, "gains", lambda *args: pytest.fail("ran again"))
    monkeypatch.setattr(
        "explorer.studies.sensitivity.scan_run.baseline",
        lambda *args: pytest.fail("the dense model ran again"),
    )
    assert list(scan(Analysed(*loaded("digits-cnn")), EXACT, folder=tmp_path)) == [Step(first)]
    half = run("digits-cnn", replace(EXACT, ratios=(0.5,)), tmp_path)
    assert half.finished and [p.correct for p in half.points] == [
        p.correct for p in first.points if p.ratio == 0.5
    ]
    assert run("digits-cnn", replace(EXACT, tolerance=0.02), tmp_path).finished


def test_another_criterion_or_model_is_another_scan(tmp_path):
    l1 = run("digits-cnn", EXACT, tmp_path)
    l2 = run("digits-cnn", replace(EXACT, recipe=Recipe(criterion=Choice("random"))), tmp_path)
    run("digits-mlp", EXACT, tmp_path)
    assert len(list(tmp_path.iterdir())) == 3 and l1.points != l2.points


def test_damaged_lines_are_left_out(tmp_path):
    first = run("digits-mlp", EXACT, tmp_path)
    (path,) = tmp_path.iterdir()
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], "{", '{"part": 3}', "[]", *lines[1:], lines[-1][:20]]))
    assert run("digits-mlp", EXACT, tmp_path) == first


IMPOSSIBLE = [
    {"correct": 999},
    {"samples": 0},
    {"worse": -1},
    {"correct": 1.5},
    {"part": None},
    {"loss": "x"},
]


@pytest.mark.parametrize("changed", IMPOSSIBLE)
def test_impossible_counts_are_left_out(tmp_path, changed):
    good = Count("conv1", 0.5, 0.5, 256, 200, 5, 1, 100.0, 90.0)
    log = ScanLog(tmp_path, {"a": 1})
    log.append([good, replace(good, **changed)])
    assert log.read() == [good]


def test_a_folder_that_cannot_be_written_is_no_error(tmp_path):
    (tmp_path / "file").write_text("")
    assert run("digits-mlp", replace(EXACT, ratios=(0.5,)), tmp_path / "file" / "folder").finished


# --------------------------------------------------------------------------- odd points


def test_ratios_that_come_to_the_same_cut_are_counted_once(tmp_path, monkeypatch):
    ran = []
    head = Branch.head
    monkeypatch.setattr(Branch, "head", lambda self, masks: ran.append(1) or head(self, masks))
    found = run("digits-cnn", replace(EXACT, ratios=(0.5, 0.51)), tmp_path)
    assert [p.achieved for p in found.points] == [0.5] * 6 and len(ran) == 3
    assert all(found.points[i].correct == found.points[i + 1].correct for i in (0, 2, 4))


def test_a_pattern_is_one_cut(tmp_path):
    plan = ScanPlan("weight", (0.3, 0.5), None, Recipe(pattern="2:4"))
    found = run("digits-mlp", plan, tmp_path)
    assert [(p.ratio, p.achieved) for p in found.points] == [(0.3, 0.5), (0.5, 0.5)] * 3


def test_a_ratio_that_removes_nothing_is_the_dense_model(tmp_path):
    found = run("digits-cnn", replace(EXACT, ratios=(0.01,)), tmp_path)
    assert {(p.achieved, p.correct, p.drop.estimate, p.loss_growth) for p in found.points} == {
        (0, found.baseline.correct, 0, 0)
    }


def test_out_of_memory_halves_the_batch_goes_on_and_says_so(tmp_path, monkeypatch):
    whole = run("digits-cnn", EXACT, tmp_path / "whole")
    branch = Branch.run

    def small(self, heads, values):
        if max(len(v) for v in values.values()) > 100:
            raise torch.OutOfMemoryError("no memory")
        return branch(self, heads, values)

    monkeypatch.setattr(Branch, "run", small)
    found = run("digits-cnn", EXACT, tmp_path / "small")
    assert "Device memory ran out: scanned in batches of 64." in found.notes
    assert [p.correct for p in found.points] == [p.correct for p in whole.points]


def test_held_out_data_stays_closed(tmp_path):
    subject, graph = loaded("digits-mlp")
    opened = []
    task = replace(
        subject.task,
        load_split=lambda name: opened.append(name) or subject.task.split(name),
        fingerprint="watched",
    )
    list(
        scan(
            Analysed(replace(subject, task=task), graph), EXACT, Conditions(split="held_out"), folder=tmp_path
        )
    )
    assert opened == ["tuning"]


SENSELESS = [{"granularity": "head"}, {"ratios": ()}, {"ratios": (0,)}, {"ratios": (1,)}, {"tolerance": 0}]


@pytest.mark.parametrize("values", SENSELESS)
def test_plans_that_make_no_sense_are_refused(values):
    with pytest.raises(RecipeError):
        ScanPlan(**values)


def test_what_cannot_be_scanned_says_why(tmp_path):
    with pytest.raises(ExplorerError, match="no data"):
        next(scan(analyse(odd("chain")), EXACT, folder=tmp_path))
    channels_only = ScanPlan("weight", recipe=Recipe(criterion=Choice("fpgm")))
    with pytest.raises(RecipeError, match="channels only"):
        next(scan(Analysed(*loaded("digits-cnn")), channels_only, folder=tmp_path))


def test_a_scan_is_json_and_gives_curves(tmp_path):
    result = run("digits-cnn", EXACT, tmp_path)
    data = json.loads(json.dumps(result.to_json()))
    assert (
        data["mode"] == "exact" and data["finished"] and len(data["points"]) == data["expected_points"] == 9
    )
    assert set(data["points"][0]["drop"]) == set(
        "estimate low high verdict level metric unit better margin worse".split()
    )
    assert data["points"][0]["exact_drop"]["half_width"] == 0 and data["points"][0]["finding"] in (
        "worse",
        "not distinguishable",
    )
    assert 0 <= data["points"][0]["p_value"] <= data["points"][0]["p_holm"] <= 1
    assert result.drops()["conv1"][1] == (0.5, result.points[1].drop.estimate)
    assert result.losses()["conv3"][2] == (0.8, result.points[8].loss_growth)


# --------------------------------------------------------------------------- do single drops add up?


def scan_of(points: dict[tuple[str, float], tuple[int, int]]) -> Scan:
    """A scan of 1,000 samples: (part, ratio) -> (worse, better)."""
    made_points = tuple(
        SensitivityPoint(
            part,
            "channel",
            ratio,
            ratio,
            0,
            1000,
            paired_drop(b, c, 1000),
            reach(b, c, 1000, 1000),
            b,
            c,
            0,
            0,
            True,
        )
        for (part, ratio), (b, c) in points.items()
    )
    return Scan({}, ScanPlan("channel", (0.2, 0.4), None), Measurement(), made_points, 1000, len(made_points))


def reported(drop: Drop | None, recipe: Recipe) -> Report:
    return Report({}, recipe, Measurement(), Measurement(), drop, (), (), {})


SINGLES = scan_of({("a", 0.2): (10, 0), ("a", 0.4): (30, 0), ("b", 0.2): (40, 0), ("b", 0.4): (80, 0)})


def test_single_drops_are_summed_on_the_lines_between_ratios():
    recipe = Recipe(channels={"a": 0.3, "b": 0.1})
    verdict = additivity(SINGLES, recipe, reported(paired_drop(300, 0, 1000), recipe))
    assert (
        verdict.expected == pytest.approx(0.02 + 0.02)
        and verdict.measured == 0.3
        and verdict.gap == pytest.approx(0.26)
    )
    assert verdict.low < verdict.gap < verdict.high and verdict.verdict == "different" and verdict.parts == 2
    same = additivity(SINGLES, recipe, reported(paired_drop(40, 0, 1000), recipe))
    assert same.low < 0 < same.high and same.verdict == "undecided"
    assert json.dumps(same.to_json())


def test_half_widths_are_added_as_they_are():
    recipe = Recipe(channels={"a": 0.4, "b": 0.4})
    joint = paired_drop(100, 0, 1000)
    found = additivity(SINGLES, recipe, reported(joint, recipe))
    halves = [(d.high - d.low) / 2 for d in (joint, paired_drop(30, 0, 1000), paired_drop(80, 0, 1000))]
    assert (found.high - found.low) / 2 == pytest.approx(sum(halves))


DROP = paired_drop(1, 0, 100)
UNCOVERED = [
    (Recipe(channels={"a": 0.9}), DROP, "does not reach"),
    (Recipe(channels={"z": 0.2}), DROP, "'z'"),
    (Recipe(weights={"a": 0.2}), DROP, "channels alone"),
    (Recipe(channels={"a": 0.2}), None, "no measured drop"),
    (
        Recipe(channels={"a": 0.2}),
        replace(DROP, metric="perplexity", unit="", better="lower"),
        "not for perplexity",
    ),
]


@pytest.mark.parametrize(("recipe", "drop", "why"), UNCOVERED)
def test_plans_that_a_scan_does_not_cover_are_refused(recipe, drop, why):
    with pytest.raises(ExplorerError, match=why):
        additivity(SINGLES, recipe, reported(drop, recipe))
