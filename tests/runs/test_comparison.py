"""Runs compared: what may stand together, what lies on the front, who descends from whom; flips, classes and
replays.
"""

from dataclasses import replace

import pytest
import torch

from explorer import tables
from explorer.commands.main import main
from explorer.engine.conditions import Conditions
from explorer.engine.measure import prune
from explorer.errors import ExplorerError
from explorer.figures.family_tree import family_tree
from explorer.figures.pareto import pareto
from explorer.figures.side_by_side import classes_side_by_side, layers_side_by_side, ratios_side_by_side
from explorer.graph.analysed import Analysed
from explorer.graph.export import graph_of
from explorer.loaders.model_text import load
from explorer.machine import paths
from explorer.measuring.tally import Tally
from explorer.pruning.decision import masks_for
from explorer.registry import METRICS
from explorer.runs.comparison import (
    Ground,
    TradeOff,
    family,
    ground_of,
    grounds,
    judged,
    left_out,
    matching,
    points,
)
from explorer.runs.replay import Replay, masks_fingerprint, replay
from explorer.runs.store import Store
from explorer.runs.stored_run import Run
from explorer.studies.flips import Contender, Poll, ask, class_accuracies, flips
from explorer.values.metric import Scale
from explorer.values.profile import Masks
from explorer.values.progress import outcome
from explorer.values.recipe import Recipe
from explorer.values.report import Drop, LayerOutcome, Measurement, PartOutcome, Report


def run(
    name="a",
    *,
    accuracy=0.9,
    params=1000,
    samples=512,
    split="tuning",
    task="digits",
    parent=None,
    created=0.0,
    model="m",
    note="",
    tags=(),
    latency=None,
    threads=1,
):
    sizes = {"dense": 4 * params, "deflate": 3 * params}
    correct = round(accuracy * samples)
    measured = Measurement(
        accuracy,
        accuracy - 0.02,
        accuracy + 0.02,
        0.5,
        samples,
        correct,
        params,
        params,
        9000,
        sizes,
        latency,
    )
    report = Report(
        subject={"id": model, "name": f"model {model}", "task": task, "task_fingerprint": f"{task} hash"},
        recipe=Recipe(channels={"conv1": 0.5}),
        baseline=replace(measured, accuracy=0.95, value=0.95, params=2000),
        pruned=measured,
        drop=Drop(0.05, 0.03, 0.07, "different"),
        environment={"device": "cpu", "device_name": "chip", "threads": threads},
        layers=(LayerOutcome("conv1", "conv", (8, 3), (4, 3), 216, 108, 54, 1000, 500),),
        split=split,
        total_samples=samples,
        parts=(PartOutcome("conv1", "channel", 0.5, 0.5, 8, 4),),
    )
    return Run(name, created, report, note, tuple(tags), parent)


GROUND = Ground("digits hash", "digits", "tuning", 512)


def test_a_ground_is_data_split_and_samples():
    assert ground_of(run()) == GROUND and str(GROUND) == "digits, tuning split, 512 samples"
    few, usual = run("b", samples=200), [run("a"), run("c")]
    assert grounds([few, *usual]) == [GROUND, ground_of(few)]
    blind = run("d")
    blind = replace(blind, report=replace(blind.report, pruned=Measurement(params=10)))
    assert ground_of(blind) is None and grounds([blind]) == []
    assert left_out(blind, GROUND) == "its quality was not measured"


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({}, None),
        ({"samples": 200}, "it was measured on 200 samples"),
        ({"split": "held_out"}, "it was measured on the held-out split"),
        ({"task": "shapes"}, "it was measured on other data (shapes)"),
        ({"params": None}, "it has no measurement of Parameters"),
    ],
)
def test_what_is_left_out_has_a_reason(changed, why):
    if changed.get("params", 0) is None:
        odd = run()
        odd = replace(odd, report=replace(odd.report, pruned=replace(odd.report.pruned, params=None)))
        assert left_out(odd, GROUND) == why
    else:
        assert left_out(run(**changed), GROUND) == why


def test_latencies_of_two_machines_are_not_compared():
    time = {"median": 1.0, "p10": 0.9, "p90": 1.1, "batch": 1}
    fast, slow = run(latency=time, threads=8), run(latency=time, threads=1)
    assert (
        left_out(slow, GROUND, "latency", "chip, 8 threads")
        == "its latency is of another machine (chip, 1 thread)"
    )
    assert left_out(fast, GROUND, "latency", "chip, 8 threads") is None
    assert left_out(run(), GROUND, "latency") == "it has no measurement of Latency"


# --------------------------------------------------------------------------- the front


def point(name, cost, accuracy, half=0.02):
    return TradeOff(name, name, cost, accuracy, accuracy - half, accuracy + half, 512)


def test_standings_by_hand():
    placed = (("dear", 9, 0.95), ("cheap", 1, 0.60), ("middle", 5, 0.90), ("near", 6, 0.89), ("bad", 7, 0.70))
    given = [point(*item) for item in placed]
    found = {p.name: p.standing for p in judged(given)}
    assert found == {
        "cheap": "front",
        "middle": "front",
        "dear": "front",
        "near": "within noise",
        "bad": "beaten",
    }
    assert [p.name for p in judged(given)] == ["cheap", "middle", "near", "bad", "dear"]


def test_equals_share_the_front_and_a_cheaper_equal_does_not():
    assert [p.standing for p in judged([point("a", 5, 0.9), point("b", 5, 0.9)])] == ["front", "front"]
    assert [p.standing for p in judged([point("a", 5, 0.9), point("b", 6, 0.9)])] == ["front", "within noise"]


def test_where_lower_is_better_the_lower_one_beats():
    given = [point("cheap", 1, 3.0), point("low", 5, 1.0), point("near", 6, 1.01), point("bad", 7, 2.0)]
    standing = {p.name: p.standing for p in judged(given, -1)}
    assert standing == {"cheap": "front", "low": "front", "near": "within noise", "bad": "beaten"}
    assert {p.name: p.standing for p in judged(given)}["low"] == "beaten"  # what judging by height would say


def regression(name="r", value=1.2):
    """A run of a model that is measured by an error."""
    usual = run(name)
    values = {"metric": "mae", "low": value - 0.1, "high": value + 0.1, "unit": "m", "samples": 512}
    pruned, dense = Measurement(params=1000, value=value, **values), Measurement(value=1.0, **values)
    drop = Drop(1.0 - value, -0.3, -0.1, "different", 0.95, "mae", "m", "lower")
    return replace(usual, report=replace(usual.report, pruned=pruned, baseline=dense, drop=drop))


def test_runs_of_another_metric_have_a_ground_of_their_own():
    ground = ground_of(regression())
    assert ground.scale == Scale("mae", "m", "lower")
    assert str(ground) == "mean absolute error, digits, tuning split, 512 samples"
    assert left_out(run(), ground) == "it was measured by accuracy" and left_out(regression(), ground) is None
    placed = points([regression("a"), regression("b", 1.5)], "params", {"a": "a", "b": "b"})
    drawn = pareto(placed, "params", (), ground.scale)
    assert drawn.layout.yaxis.title.text == "Mean absolute error (m)"
    assert list({trace.name: trace for trace in drawn.data}["on the front"].y) == [1.2]


def test_pairs_of_a_task_without_classes_are_compared_by_their_metric():
    metric, none = METRICS["mae"](), torch.zeros(0)
    targets = torch.zeros(40, 1)

    def answers(error):
        rows = metric.statistics(targets + error, targets)
        return Tally(none.bool(), none.long(), none, {"mae": rows}, (metric,))

    steady, wild = torch.ones(40, 1), torch.linspace(0, 2, 40)[:, None]
    poll = Poll({"a": answers(steady), "b": answers(steady * 2), "c": answers(wild)}, None, ())
    ab, ac, _ = flips(poll)
    assert (ab.samples, ab.both_right, ab.drop.estimate) == (40, None, -1.0) and ab.p_value < 0.01
    assert ac.drop.estimate == pytest.approx(0.0, abs=1e-6) and ac.p_value > 0.5
    assert class_accuracies(poll) == ()
    assert tables.flips([ab])["agreement"].isna().all()


def test_the_dense_model_of_each_run_is_a_point_once():
    found = points([run("a"), run("b", accuracy=0.8, params=500)], "params", {"a": "first", "b": "second"})
    assert [(p.name, p.cost) for p in found] == [("second", 500), ("first", 1000), ("dense model m", 2000)]
    assert [p.run for p in found] == ["b", "a", None]
    assert points([run()], "latency", {"a": "first"}) == ()


# --------------------------------------------------------------------------- the tree


def test_children_stand_below_their_parents():
    runs = [
        run("c", parent="a", created=3),
        run("a", created=1),
        run("b", parent="a", created=2),
        run("d", parent="b", created=4),
        run("orphan", parent="gone", created=0),
    ]
    tree = [(branch.run.name, branch.depth, branch.parent) for branch in family(runs)]
    assert tree == [("orphan", 0, None), ("a", 0, None), ("b", 1, 1), ("d", 2, 2), ("c", 1, 1)]


def test_a_circle_ends():
    tree = family([run("a", parent="b", created=1), run("b", parent="a", created=2)])
    assert [(branch.run.name, branch.depth) for branch in tree] == [("a", 0), ("b", 1)]


def test_runs_are_found_by_words_and_tags():
    runs = [run("a", note="Half of it", tags=["good"]), run("b", note="half again", tags=["good", "new"])]
    assert [r.name for r in matching(runs, "HALF it")] == ["a"]
    assert [r.name for r in matching(runs, "conv1 half", ["new"])] == ["b"]
    assert matching(runs, "half", ["good", "old"]) == [] and len(matching(runs)) == 2


# --------------------------------------------------------------------------- answers


def tally(predictions, targets):
    predictions = torch.tensor(predictions)
    return Tally(predictions == targets, predictions, torch.zeros(len(predictions)))


def test_flips_and_classes_by_hand():
    targets = torch.tensor([0, 0, 1, 1, 1])
    poll = Poll(
        {"x": tally([0, 0, 1, 0, 0], targets), "y": tally([0, 1, 1, 1, 0], targets)},
        targets,
        ("cat", "dog", "none"),
    )
    (pair,) = flips(poll)
    assert (pair.both_right, pair.only_first, pair.only_second, pair.both_wrong) == (2, 1, 1, 1)
    assert (pair.samples, pair.same_answer, pair.drop.estimate) == (5, 3, 0.0)
    found = [(row.name, row.label, row.correct, row.samples) for row in class_accuracies(poll)]
    assert found == [("x", "cat", 2, 2), ("y", "cat", 1, 2), ("x", "dog", 1, 3), ("y", "dog", 2, 3)]
    frame = tables.flips([pair])
    assert frame["agreement"][0] == 0.6 and frame["change"][0].startswith("0.0 (")


def test_many_pairs_are_a_family():
    targets = torch.zeros(40, dtype=torch.long)
    good, bad = [0] * 40, [1] * 8 + [0] * 32
    alone = flips(Poll({"a": tally(good, targets), "b": tally(bad, targets)}, targets, ("c",)))[0]
    three = flips(
        Poll(
            {"a": tally(good, targets), "b": tally(bad, targets), "c": tally(good, targets)}, targets, ("c",)
        )
    )
    assert alone.p_value < 0.01 and three[0].p_value > alone.p_value and len(three) == 3


@pytest.fixture(scope="module")
def model():
    subject = load("digits-mlp")
    return subject, graph_of(subject)


HALF = Recipe(channels={"hidden1": 0.5}, weights={"output": 0.3})


@pytest.fixture(scope="module")
def stored(model):
    subject, graph = model
    report = prune(Analysed(subject, graph), HALF, Conditions(300, latency=False))
    return Run("f" * 24, 0.0, report, masks=masks_fingerprint(masks_for(Analysed(subject, graph), HALF)))


def test_a_poll_counts_what_the_report_counts(model, stored):
    steps = list(
        ask(
            [Contender("dense", Analysed(*model), Recipe()), Contender("half", Analysed(*model), HALF)],
            Conditions(300),
        )
    )
    poll = steps[-1].value
    assert int(poll.tallies["half"].correct.sum()) == stored.report.pruned.correct
    assert int(poll.tallies["dense"].correct.sum()) == stored.report.baseline.correct
    assert flips(poll)[0].drop == stored.report.drop
    now = steps[-2].progress
    assert now.done == now.total == 600


def test_models_on_different_data_are_not_polled(model):
    other = replace(model[0], task=replace(model[0].task, fingerprint="other"))
    with pytest.raises(ExplorerError, match="models on different data"):
        next(
            ask(
                [Contender("a", Analysed(*model), HALF), Contender("b", Analysed(other, model[1]), HALF)],
                Conditions(),
            )
        )


def test_models_without_data_are_compared_by_their_agreement_with_the_dense_one(model):
    blind = Analysed(replace(model[0], id="blind", task=None), model[1])
    poll = outcome(ask([Contender("dense", blind, Recipe()), Contender("half", blind, HALF)], Conditions()))
    (pair,) = flips(poll)
    assert poll.targets is None and (pair.drop.metric, pair.samples) == ("same_answer", 128)
    assert 0 < pair.drop.estimate < 1  # the dense model agrees with itself everywhere


# --------------------------------------------------------------------------- replay


def replayed(model, stored) -> Replay:
    return outcome(replay(Analysed(*model), stored))


def test_a_replay_gives_the_same_masks_and_counts(model, stored):
    found = replayed(model, stored)
    assert found.same_masks is True and found.same_count is True
    assert found.report.pruned.samples == 300


def test_a_replay_notices_other_masks_and_counts(model, stored):
    other = replace(stored.report, recipe=replace(HALF, criterion=replace(HALF.criterion, name="random")))
    found = replayed(model, replace(stored, report=other))
    assert found.same_masks is False and found.same_count is False
    assert replayed(model, replace(stored, masks=None)).same_masks is None


def test_one_bit_changes_the_fingerprint(model):
    masks = masks_for(Analysed(*model), HALF)
    flipped = {name: mask.clone() for name, mask in masks.channels.items()}
    flipped["hidden1"][3] ^= True
    assert masks_fingerprint(Masks(flipped, masks.weights)) != masks_fingerprint(masks)
    assert masks_fingerprint(Masks(dict(masks.channels), dict(masks.weights))) == masks_fingerprint(masks)


def test_a_replay_needs_the_same_model_and_data_and_opens_no_held_out_data(model, stored):
    subject, graph = model
    for changed, why in (
        (replace(subject, id="other"), "other weights"),
        (replace(subject, task=None), "on other data"),
    ):
        with pytest.raises(ExplorerError, match=why):
            next(replay(Analysed(changed, graph), stored))
    with pytest.raises(ExplorerError, match="would open the data once more"):
        next(
            replay(Analysed(subject, graph), replace(stored, report=replace(stored.report, split="held_out")))
        )


def test_a_run_that_the_command_line_kept_can_be_replayed(model, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv(paths.CACHE_VARIABLE, str(tmp_path))
    words = [
        "prune",
        "digits-mlp",
        "--weights",
        "0.5",
        "--no-latency",
        "--samples",
        "200",
        "--keep",
        "from a script",
    ]
    assert main(words) == 0
    (kept,) = Store(tmp_path).runs()
    assert kept.note == "from a script" and f"Kept as run {kept.name}." in capsys.readouterr().err
    assert replayed(model, kept).same_masks is True and replayed(model, kept).same_count is True


# --------------------------------------------------------------------------- figures


def test_the_front_is_drawn_with_intervals_and_chosen_runs_with_rings():
    placed = points(
        [run("a"), run("b", accuracy=0.6, params=1500)], "params", {"a": "<b>first", "b": "second"}
    )
    drawn = pareto(placed, "params", ["a"])
    by_name = {trace.name: trace for trace in drawn.data}
    assert by_name["on the front"].x == (1000, 2000) and list(by_name["on the front"].y) == [90, 95]
    assert list(by_name["on the front"].marker.symbol) == ["circle", "diamond"]
    assert by_name["beaten beyond noise"].x == (1500,) and by_name["side by side"].x == (1000,)
    assert by_name["on the front"].customdata[0][0] == "&lt;b&gt;first"
    assert round(by_name["on the front"].error_y.array[0], 6) == 2
    assert not pareto((), "params").data


def test_parts_layers_and_classes_have_a_row_each():
    reports = {"one": run().report, "two": replace(run().report, parts=())}
    ratios = ratios_side_by_side(reports)
    assert [list(trace.x) for trace in ratios.data] == [[0.5], [0.0]] and ratios.data[0].y == (
        "conv1, channels",
    )
    layers = layers_side_by_side(reports)
    assert layers.data[0].x == (0.25,) and layers.data[0].y == ("conv1",)
    targets = torch.tensor([0, 1])
    poll = Poll({"x": tally([0, 0], targets)}, targets, ("cat", "dog"))
    classes = classes_side_by_side(class_accuracies(poll))
    assert list(classes.data[0].x) == [100, 0] and list(classes.data[0].y) == ["cat", "dog"]
    assert not classes_side_by_side(()).data and not ratios_side_by_side({}).data


def test_of_many_layers_those_are_drawn_in_which_runs_differ():
    layer = run().report.layers[0]
    many = tuple(replace(layer, name=f"layer{i}", nonzero_params=54 + (i % 3 == 0)) for i in range(120))
    reports = {
        "one": replace(run().report, layers=many),
        "two": replace(run().report, layers=tuple(replace(found, nonzero_params=54) for found in many)),
    }
    drawn = layers_side_by_side(reports)
    assert drawn.layout.title.subtitle.text == "40 of 120: where the runs differ most"
    assert list(drawn.data[0].y) == [f"layer{i}" for i in range(0, 120, 3)]
    assert layers_side_by_side({"one": reports["one"]}).layout.title.subtitle.text == "40 of 120: the largest"


def test_the_tree_has_a_row_for_each_run():
    tree = family([run("a", created=1), run("b", parent="a", created=2, note="<i>")])
    drawn = family_tree(tree, {"a": "first", "b": "<b>second"}, ["b"])
    dots = next(trace for trace in drawn.data if trace.mode == "markers+text")
    assert (list(dots.x), list(dots.y)) == ([0, 1], [0, 1])
    assert dots.text[1].strip() == "&lt;b&gt;second" and dots.customdata[1][0] == "&lt;i&gt;"
    assert drawn.data[0].x == (0, 0, 1, None) and drawn.data[0].y == (0, 1, 1, None)
    assert not family_tree((), {}).data
