"""Ratios by the clock: every set of widths is timed once, alone and together, and what was timed stays on
disk.
"""

from dataclasses import replace

import pytest
from apps import keys, offering, opened, until, words

from explorer.allocators.context import TargetError
from explorer.commands.main import main
from explorer.engine.candidate import build, prepare
from explorer.engine.conditions import Conditions
from explorer.errors import RecipeError
from explorer.graph.analysed import Analysed
from explorer.graph.export import graph_of
from explorer.loaders.model_text import load
from explorer.machine import paths
from explorer.machine.environment import environment
from explorer.planning import known_latencies, latency_plan
from explorer.planning.accuracy_budget import Budget, accuracy_budget
from explorer.planning.allocate import allocate
from explorer.planning.allocation import Allocation
from explorer.planning.allocation_context import NO_FASTER
from explorer.planning.known_latencies import TimedWidths, UnmeasuredError, widths_of
from explorer.planning.latency_plan import allocated
from explorer.pruning.decision import decide
from explorer.values.choice import Choice
from explorer.values.progress import PAUSE, Progress, Step, outcome
from explorer.values.recipe import Recipe

pytestmark = pytest.mark.usefixtures("shared_cache", "one_thread")

SUBJECT = load("digits-cnn")
GRAPH = graph_of(SUBJECT)
PARAMS = GRAPH.profile.params
LOSSES = {
    part: [(r / 10, weight * (r / 10) ** 2) for r in range(1, 10)]
    for part, weight in (("conv1", 3.0), ("conv2", 1.0), ("conv3", 0.2))
}
HALF = Recipe(channels={"conv2": 0.5, "conv3": 0.5})
BY_CLOCK = Allocation(Choice("sensitivity_budget", {"saves": "latency"}), 0.5, losses=LOSSES)


@pytest.fixture(scope="module")
def shared_cache(tmp_path_factory):
    """What one test times the others find."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(paths.CACHE_VARIABLE, str(tmp_path_factory.mktemp("clock")))
        yield


@pytest.fixture
def clock(monkeypatch):
    """A clock that goes by parameters, exactly; it counts how often it was asked."""
    asked = []

    def rounds(models, example, plan, **how):
        asked.append(plan)
        yield PAUSE  # a warm-up round
        yield Step({name: sum(p.numel() for p in model.parameters()) for name, model in models.items()})

    monkeypatch.setattr(latency_plan, "rounds", rounds)
    return asked


def planned(target, **how):
    """The recipe, and how many steps it took."""
    steps, running = (
        0,
        allocated(
            Analysed(SUBJECT, GRAPH),
            Recipe(),
            replace(BY_CLOCK, target=target, **how),
        ),
    )
    while True:
        try:
            assert next(running).progress
            steps += 1
        except StopIteration as end:
            return end.value, steps


def left(recipe):
    """Of all parameters."""
    return prepare(Analysed(SUBJECT, GRAPH), recipe).static.params / PARAMS


def test_the_joint_plan_is_as_fast_as_asked_for_and_no_unit_faster(clock):
    plan, _ = planned(0.5)
    assert left(plan) <= 0.5
    assert plan.channels["conv3"] > plan.channels.get("conv1", 0), "what hurts least goes first"
    units = {group.name: group.units for group in GRAPH.profile.free_groups.values()}
    less = [
        plan.with_channels(part, max(0.0, ratio - 1 / units[part])) for part, ratio in plan.channels.items()
    ]
    assert any(left(recipe) > 0.5 for recipe in less)


def test_every_set_of_widths_is_timed_once_and_found_on_disk(own_cache, clock, monkeypatch):
    first, _ = planned(0.5)
    counted = len(clock)
    assert counted > 27, "nine ratios of three parts, and plans together"
    monkeypatch.setattr(known_latencies, "_opened", {})  # another process
    again, steps = planned(0.5)
    assert again == first and steps == 0 and len(clock) == counted
    planned(0.3)
    assert len(clock) - counted < 27, "the single parts are known"


def test_what_is_not_measured_is_asked_for_and_what_cannot_be_saved_is_said(own_cache, clock):
    with pytest.raises(UnmeasuredError, match="measured first") as caught:
        allocate(Analysed(SUBJECT, GRAPH), Recipe(), BY_CLOCK)
    assert caught.value.widths and set(dict(caught.value.widths)) <= set(GRAPH.profile.free_groups)
    with pytest.raises(TargetError, match="choose a target from 0 to"):
        planned(0.9999)
    layers = {name: [(0.5, 1.0)] for name in GRAPH.profile.prunable_layers}
    with pytest.raises(RecipeError, match=NO_FASTER):
        allocate(
            Analysed(SUBJECT, GRAPH),
            Recipe(),
            Allocation(Choice("sensitivity_budget", {"saves": "latency"}), 0.5, "weight", losses=layers),
        )


def test_a_part_that_is_slower_when_it_is_smaller_saves_nothing(clock, monkeypatch):
    true = TimedWidths.share

    def slow(self, widths):
        return 1.2 if [group for group, _ in widths] == ["conv2"] else true(self, widths)

    monkeypatch.setattr(TimedWidths, "share", slow)
    assert left(planned(0.3)[0]) <= 0.7


def test_locked_parts_stay_and_count(clock):
    start, lock = Recipe(channels={"conv3": 0.5}), frozenset({"conv3"})
    running = allocated(
        Analysed(SUBJECT, GRAPH),
        start,
        replace(BY_CLOCK, locked=lock),
    )
    with pytest.raises(StopIteration) as end:
        while True:
            next(running)
    found = end.value.value
    assert found.channels["conv3"] == 0.5 and left(found) <= 0.5


def test_a_damaged_line_is_left_out(tmp_path):
    path = tmp_path / "times.jsonl"
    times = TimedWidths(path)
    times.add((("conv1", 8),), 0.75)
    path.write_text(path.read_text() + '[[["conv1", 4]], 0.\n{}\n')
    again = TimedWidths(path)
    assert len(again) == 1 and again.share((("conv1", 8),)) == 0.75 and again.share(()) == 1.0


def test_widths_are_what_the_cut_leaves():
    assert widths_of(GRAPH.profile, Recipe(channels={"conv2": 0.5, "conv1": 0.001}, round_to=8)) == (
        ("conv2", 16),
    )


def test_a_real_clock_gives_shares_of_the_dense_model():
    dense, pruned = (
        build(Analysed(SUBJECT, GRAPH), decide(Analysed(SUBJECT, GRAPH), recipe).masks)
        for recipe in (Recipe(), HALF)
    )
    steps = latency_plan._share(dense, pruned, SUBJECT.example, "cpu", Progress(0, 1))
    with pytest.raises(StopIteration) as end:
        while True:
            next(steps)
    assert 0 < end.value.value < 3


def test_an_accuracy_budget_may_go_by_the_clock_too(clock):
    budget = outcome(
        accuracy_budget(
            Analysed(SUBJECT, GRAPH),
            Recipe(),
            0.9,
            BY_CLOCK,
            looks=2,
            conditions=Conditions(samples=50),
        )
    )
    assert isinstance(budget, Budget) and len(budget.tried) == 2


def test_on_the_command_line(clock, capsys):
    words = (
        "prune",
        "digits-cnn",
        "--channels",
        "0.4",
        "--allocator",
        "sensitivity_budget",
        "--saves",
        "latency",
        "--samples",
        "100",
        "--no-latency",
        "--device",
        "cpu",
    )
    assert main([*words]) == 0
    assert "conv3" in capsys.readouterr().out


def test_on_the_page_a_plan_is_measured_and_taken_as_one_step(clock, own_cache, monkeypatch):
    here = environment()  # the worker may be of an earlier test, with as many threads as that one had
    monkeypatch.setattr(known_latencies, "environment", lambda device: here)
    with offering("digits-cnn"):
        page = opened("prune")
        assert "Reachable targets: channels 0 to " in words(page)
        page.selectbox(key="allocator").set_value("sensitivity_budget").run()
        assert "Reachable targets: channels 0 to " in words(page)
        page.selectbox(key="sensitivity_budget.saves").set_value("latency").run()
        assert "apply" not in keys(page) and "measured first" in words(page)
        page.button(key="start clock").click()
        until(page, lambda page: "take clocked" in keys(page))
        assert "Reachable targets: channels 0 to " in words(page.run()), "now the clock's range is known"
        page.button(key="take clocked").click().run()
        assert not page.exception and "latency, at 50 %" in page.button(key="undo").help
