"""The performance table: pairs become ratios with intervals, and a goal counts as met only where the interval
says so.
"""

import importlib.util
import json
import time

import pytest
import torch

from explorer.bench.bare_loops import bare_loop
from explorer.bench.effort import QUICK, opened
from explorer.bench.live_moves import forward_all, recipe_at, resident
from explorer.bench.other_tasks import SAMPLES
from explorer.bench.repairing import drawn_batches
from explorer.bench.scans import _loops
from explorer.bench.table import DEFAULT, PARTS, bench, surroundings
from explorer.bench.timed_rows import Pairs, TimedRow, interleaved, milliseconds_row, row, stages
from explorer.commands.bench import bench_text
from explorer.commands.main import main
from explorer.engine.candidate import build
from explorer.engine.conditions import Conditions, split_for
from explorer.engine.measure import prune
from explorer.errors import UnknownNameError
from explorer.measuring.evaluation import batch_of, batch_size
from explorer.pruning.decision import masks_for
from explorer.values.progress import values_of

ONE = "mnist-lenet"  # of the samples with another task, whose parts are made alike
ALIKE = {f"task_{name}" for name in SAMPLES if name != ONE}


def pairs(*ratios: float) -> Pairs:
    return Pairs(ratios, (1.0,) * len(ratios))


# --------------------------------------------------------------------------- goals


@pytest.mark.parametrize(
    ("low", "high", "at_least", "verdict"),
    [
        (1.00, 1.09, False, "met"),
        (1.05, 1.15, False, "not resolved"),
        (1.11, 1.2, False, "missed"),
        (1.11, 1.2, True, "met"),
        (1.05, 1.15, True, "not resolved"),
        (1.00, 1.09, True, "missed"),
        (1.00, 1.10, False, "met"),
    ],
)
def test_a_goal_is_met_only_if_the_whole_interval_meets_it(low, high, at_least, verdict):
    found = TimedRow("r", 1.07, low, high, "b", goal=1.1, at_least=at_least, pairs=30)
    assert found.verdict == verdict
    assert found.met is {"met": True, "missed": False, "not resolved": None}[verdict]


def test_five_pairs_resolve_nothing_and_no_goal_has_no_verdict():
    assert row("r", pairs(*[1.0] * 5), "b", goal=1.1).verdict == "not resolved"
    assert row("r", pairs(*[1.0] * 6), "b", goal=1.1).verdict == "met"
    assert row("r", pairs(*[1.0] * 6), "b").verdict is None


def test_ratios_and_speed_ups_by_hand():
    measured = Pairs((2.0, 4.0, 6.0), (1.0, 1.0, 1.0))
    assert row("r", measured, "b").value == 4.0
    assert row("r", measured, "b", inverse=True).value == 0.25
    assert row("r", measured, "b", inverse=True).at_least
    assert (row("r", measured, "b").low, row("r", measured, "b").high) == (2.0, 6.0)


def test_setting_up_counts_once_and_batches_many_times():
    assert pairs(1.0, 2.0).plus(10.0, 20.0, 5) == Pairs((15.0, 20.0), (25.0, 25.0))


def test_an_absolute_time_keeps_its_ratio():
    found = milliseconds_row("r", Pairs((0.02,) * 6, (0.01,) * 6), "b", goal=30.0)
    assert (found.value, found.unit, found.verdict) == (pytest.approx(20), "ms", "met")
    assert found.details["ratio"] == found.to_json()["details"]["ratio"] == pytest.approx(2)


def test_work_takes_turns_in_alternating_order_after_a_pair_that_is_not_counted():
    calls: list = []
    turns: list = []

    def make(index):
        turns.append(index)
        return lambda: calls.append("ours"), lambda: calls.append("theirs")

    found = interleaved(make, 3)
    assert calls == ["ours", "theirs", "ours", "theirs", "theirs", "ours", "ours", "theirs"]
    assert turns == [3, 0, 1, 2] and len(found.ours) == len(found.baseline) == 3


def test_long_work_is_timed_less_often(monkeypatch):
    monkeypatch.setattr("explorer.bench.timed_rows.LONG_S", 0.01)
    quick, long = (lambda: None), (lambda: time.sleep(0.01))
    assert len(interleaved(lambda index: (quick, quick), 7, long_count=2).ours) == 7
    assert len(interleaved(lambda index: (quick, long), 7, long_count=2).ours) == 2
    assert len(interleaved(lambda index: (long, quick), 7).ours) == 7
    assert (
        len(interleaved(lambda index: (long if index == 7 else quick, quick), 7, long_count=2).ours) == 7
    )  # only the first was


def test_twice_the_work_is_found_and_missed():
    slow, fast = (lambda: time.sleep(0.04)), (lambda: time.sleep(0.02))
    found = row("r", interleaved(lambda index: (slow, fast), 8), "b", goal=1.1)
    assert found.verdict == "missed" and found.value > 1.5
    same = row("r", interleaved(lambda index: (fast, fast), 8), "b", goal=1.5)  # the negative control
    assert same.verdict == "met"


def test_stages_in_words():
    assert stages({"forward": 0.25}) == "forward 250 ms"


# --------------------------------------------------------------------------- what is compared


def test_no_two_pairs_ask_for_the_same_recipe_and_both_kinds_cover_the_model():
    graph = opened("digits-cnn").graph
    recipes = [recipe_at(graph, structured, i / 31) for structured in (True, False) for i in range(31)]
    assert len({recipe.fingerprint for recipe in recipes}) == 62
    assert set(recipes[0].channels) == set(graph.profile.free_groups) and set(recipes[-1].weights) == set(
        graph.profile.prunable_layers
    )


def test_the_bare_loop_sees_every_sample():
    subject = opened("digits-cnn").subject
    seen: list = []
    # type: ignore[arg-type]
    forward_all(lambda batch: seen.append(len(batch)), resident(subject, Conditions()))
    assert sum(seen) == 450 and max(seen) == batch_size("cpu")


def test_scan_and_plain_loop_count_alike_and_the_scan_does_less():
    loops = _loops(opened("digits-cnn"), "cpu")
    assert loops.differing() == 0 and len(loops.models) == 15
    scan_macs, plain_macs = loops.bound()
    assert scan_macs < plain_macs
    first = next(iter(loops.models))
    loops.models[first] = loops.models[next(reversed(loops.models))]  # type: ignore[index]
    assert loops.differing() == 1  # the negative control


@pytest.mark.parametrize("name", SAMPLES)
def test_the_bare_loop_of_each_task_finds_the_numbers_of_the_report(name):
    model, conditions = opened(name), Conditions(130, latency=False)
    recipe = recipe_at(model.graph, True, 0.3)
    split, rule = split_for(model.subject, conditions), model.subject.task.normalisation
    inputs, targets = batch_of(split, rule, 0, len(split), "cpu")
    network = build(model, masks_for(model, recipe))
    value, loss = bare_loop(model.subject.task, network, inputs, targets, 64)
    found = prune(model, recipe, conditions).pruned
    reported = found.value if found.accuracy is None else found.accuracy
    assert value == pytest.approx(reported, rel=1e-5) and found.samples == 130
    if name != "shapes-detector":  # whose loss is per place with a box of the batch
        assert loss == pytest.approx(found.loss, rel=1e-4)
    other, _ = bare_loop(model.subject.task, model.subject.model, inputs, targets, 64)
    assert other != pytest.approx(value, rel=1e-3)  # the negative control


# --------------------------------------------------------------------------- the table


@pytest.fixture(scope="module")
def rows():
    return list(values_of(bench(QUICK, parts=[part for part in DEFAULT if part not in ALIKE])))


def test_every_row_is_there_with_its_interval_and_baseline(rows):
    names = {found.name for found in rows}
    assert names >= {
        "live_full_over_bare_structured",
        "live_full_over_bare_unstructured",
        "first_answer_ms_digits-cnn",
        "mask_overhead",
        "repair_over_forward_channels",
        "repair_over_forward_weights",
        "repair_over_bound_channels",
        "repair_ms_digits-cnn_channels",
        "repair_ms_digits-mlp_weights",
        "repair_late_move_speedup",
        "late_move_speedup",
        "scan_exact_speedup",
        "scan_exact_over_bound",
        "scan_adaptive_speedup_digits-cnn",
        f"live_full_over_bare_structured_{ONE}",
        f"live_full_over_bare_unstructured_{ONE}",
        f"first_answer_ms_{ONE}",
    }
    compacted = {"compact_speedup_digits-cnn", "compact_and_run_speedup_digits-cnn"}
    assert (compacted <= names) == (importlib.util.find_spec("torch_pruning") is not None)
    assert all(0 < r.low <= r.value <= r.high and r.baseline and r.pairs >= 6 for r in rows)
    assert all(r.goal is None for r in rows)  # goals are those of the full table
    assert json.dumps([r.to_json() for r in rows])


def test_adaptive_points_are_held_against_exact_ones():
    (found,) = values_of(bench(QUICK, parts=["scan_within"]))
    assert found.pairs == 27 and found.details == {"digits-cnn": f"{round(27 * found.value)} of 27"}
    assert found.value >= 0.9 and found.low < found.value and found.at_least


def test_what_was_reached_and_what_was_possible_stand_side_by_side(rows):
    by_name = {r.name: r for r in rows}
    details = by_name["scan_exact_over_bound"].details
    assert details["equal_counts"] == "15 of 15"
    assert by_name["scan_exact_over_bound"].value == pytest.approx(
        details["achieved_speedup"] / details["bound_from_macs"]
    )
    assert details["achieved_speedup"] == by_name["scan_exact_speedup"].value


def test_a_repair_needs_more_than_a_forward_and_a_late_move_less_than_a_repair(rows):
    by_name = {r.name: r for r in rows}
    over, bound = by_name["repair_over_forward_channels"], by_name["repair_over_bound_channels"]
    assert bound.value == pytest.approx(over.value / over.details["bound_from_macs"])
    assert over.details["bound_from_macs"] > 1 and bound.value > 1, "no work is faster than its products"
    late = by_name["repair_late_move_speedup"]
    assert late.at_least and late.details["group"] == "conv3"
    assert late.details["steps"] == 3, "its norm, and the two layers that read or follow it"


def test_a_large_model_is_repaired_on_drawn_inputs():
    (found,) = values_of(bench(QUICK, parts=["repair_large"]))
    assert found.name == "repair_ms_digits-mlp_channels" and found.unit == "ms" and found.details["samples"]
    batches = drawn_batches(torch.zeros(1, 3, 5), "cpu")
    assert sum(map(len, batches)) == 64 and len(batches) >= 5 and batches[0].shape[1:] == (3, 5)


def test_the_text_says_what_bounds_a_goal_that_is_not_met():
    slow = TimedRow("slow", 2.0, 1.9, 2.1, "plain", 1.1, False, 30, bound_by="building 5 ms")
    text = bench_text(
        [slow, TimedRow("fine", 1.0, 0.9, 1.05, "plain", 1.1, False, 30, bound_by="nothing")],
        surroundings("cpu"),
    )
    assert "slow (MISSED): building 5 ms" in text and "fine (" not in text and "torch" in text
    assert "1.90 to 2.10" in text and "at most 1.1" in text


def test_the_command_prints_one_document(capsys):
    assert main(["bench", "--quick", "--only", "mask_overhead", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert [r["name"] for r in printed["rows"]] == ["mask_overhead"]
    assert {"value", "low", "high", "goal", "met", "baseline", "pairs"} <= set(printed["rows"][0])
    assert printed["environment"]["device"] and printed["environment"]["torch"]


def test_unknown_parts_are_refused(capsys):
    with pytest.raises(UnknownNameError, match=r"mask_overhead"):
        list(bench(QUICK, parts=["warp_drive"]))
    assert main(["bench", "--only", "warp_drive"]) == 2
    assert set(PARTS) >= {"startup", "compact"}
