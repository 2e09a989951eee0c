"""The staircase of a group: steps, edges, verdicts, and the words where zeros bring no speed."""

import json

import pytest
import torch

from explorer.commands.main import main
from explorer.engine.candidate import build
from explorer.errors import ExplorerError, UnknownNameError
from explorer.figures.latency_staircase import EDGE_WORDS
from explorer.figures.latency_staircase import latency_staircase as figure_of
from explorer.figures.style import NOTHING
from explorer.graph.analysed import Analysed
from explorer.graph.export import graph_of
from explorer.loaders.model_text import load
from explorer.measuring.latency import TimingPlan, faster, summary
from explorer.studies.latency_staircase import (
    Staircase,
    TimedWidth,
    _edges,
    _first_units,
    nearest_fast,
    staircase,
    widths_of,
)
from explorer.studies.sparse_kernels import NO_KERNELS, kernels, why_not
from explorer.values.progress import progress_of, values_of
from explorer.values.recipe import Recipe


@pytest.fixture(scope="module")
def digits():
    subject = load("digits-cnn")
    return subject, graph_of(subject)


def noisy(base: float, seed: int) -> list[float]:
    return (
        base * (1 + 0.02 * torch.rand(30, generator=torch.Generator().manual_seed(seed), dtype=torch.float64))
    ).tolist()


# --------------------------------------------------------------------------- steps and edges


def test_a_staircase_has_an_edge_at_the_widest_width_of_each_step():
    times = {
        width: noisy(1.0 if width > 48 else 0.7 if width > 16 else 0.4, width)
        for width in (8, 16, 24, 32, 48, 56, 64)
    }
    assert _edges(times) == {64, 48, 16}


def test_where_narrower_is_slower_there_is_no_edge_but_dense():
    assert _edges({width: noisy(2 - width / 64, width) for width in (8, 32, 64)}) == {64}
    assert _edges({64: noisy(1.0, 1)}) == {64}


def test_noise_alone_makes_an_edge_rarely():
    found = [_edges({1: noisy(1.0, 2 * seed), 2: noisy(1.0, 2 * seed + 1)}) for seed in range(200)]
    assert sum(edges == {2} for edges in found) >= 0.93 * 200  # one side of 95 % by construction


def test_many_widths_share_the_error():
    found = [_edges({width: noisy(1.0, 12 * seed + width) for width in range(1, 13)}) for seed in range(40)]
    assert sum(edges == {12} for edges in found) >= 0.9 * 40


def test_widths_by_hand():
    assert widths_of(4) == (1, 2, 3, 4) and widths_of(1) == (1,)
    assert widths_of(64)[0] == 1 and widths_of(64)[-1] == 64 and len(widths_of(64)) == 12


@pytest.mark.parametrize(
    ("ratio", "snapped"), [(0.0, 0.0), (0.3, 0.25), (0.5, 0.5), (0.95, 0.75), (0.375, 0.25)]
)
def test_snapping_takes_the_closest_edge_and_the_milder_of_two(ratio, snapped):
    assert nearest_fast(ratio, (0.0, 0.25, 0.5, 0.75)) == snapped
    assert nearest_fast(ratio, ()) == ratio


# --------------------------------------------------------------------------- measuring


def test_widths_are_those_of_the_compact_models(digits):
    subject, graph = digits
    group = graph.profile.free_groups["conv2"]
    model = build(Analysed(subject, graph), _first_units(group, 5))
    assert model.get_parameter("conv2.weight").shape[0] == 5
    assert (
        build(Analysed(subject, graph), _first_units(group, 32)).get_parameter("conv2.weight").shape[0] == 32
    )


def test_it_streams_after_six_rounds_and_ends_with_all(digits):
    steps = list(staircase(Analysed(*digits), "conv2", widths=(4, 16), plan=TimingPlan(batch=2, pairs=8)))
    found = list(values_of(steps))
    assert [f.rounds for f in found] == [6, 8]
    last = found[-1]
    assert [s.kept for s in last.steps] == [4, 16, 32] and [s.ratio for s in last.steps] == [0.875, 0.5, 0.0]
    assert last.steps[-1].speed_up.ratio == 1 and last.steps[-1].speed_up.verdict == "not distinguishable"
    assert last.steps[-1].is_edge and last.fast_ratios[0] == 0.0
    assert all(s.latency_ms["p10"] <= s.latency_ms["median"] <= s.latency_ms["p90"] for s in last.steps)
    assert last.environment["device"] == "cpu" and last.batch == 2 and last.unit == "channel"
    assert {now.label for now in progress_of(steps)} == {
        "building the widths",
        "timing, in turns",
    }
    assert json.loads(json.dumps(last.to_json()))["fast_ratios"] == list(last.fast_ratios)


def test_models_stay_as_they_are(digits):
    subject, _ = digits
    before = {name: tensor.clone() for name, tensor in subject.model.state_dict().items()}
    list(staircase(Analysed(*digits), "conv1", widths=(4,), plan=TimingPlan(batch=2, pairs=6)))
    assert all(torch.equal(tensor, before[name]) for name, tensor in subject.model.state_dict().items())


def test_groups_that_cannot_be_timed_say_why(digits):
    with pytest.raises(UnknownNameError, match="conv1, conv2, conv3"):
        next(staircase(Analysed(*digits), "conv9"))
    with pytest.raises(ExplorerError, match="output of the model"):
        next(staircase(Analysed(*digits), "fc"))
    with pytest.raises(ExplorerError, match="from 1 to 16"):
        next(staircase(Analysed(*digits), "conv1", widths=(0,)))


def staircase_of(*steps: tuple[int, float, float]) -> Staircase:
    """(kept, milliseconds, dense milliseconds) -> a staircase of 16 units."""
    shown = tuple(
        TimedWidth(
            kept,
            1 - kept / 16,
            summary(noisy(ms, kept)),
            faster(noisy(dense, 99), noisy(ms, kept)),
            kept in (8, 16),
        )
        for kept, ms, dense in steps
    )
    where = {"device_name": "a", "threads": 1, "torch": "2"}
    return Staircase({"id": "m", "name": "m"}, "conv1", "channel", 16, shown, 32, 30, where)


MADE = staircase_of((4, 0.6, 1.0), (8, 0.6, 1.0), (12, 1.0, 1.0), (14, 1.3, 1.0), (16, 1.0, 1.0))


def test_the_three_answers():
    assert [step.answer for step in MADE.steps[:4]] == ["yes", "yes", "not distinguishable", "no, slower"]


def test_the_figure_shows_the_numbers_and_edges():
    figure = figure_of(MADE, chosen=0.5)
    line, edges = figure.data
    assert list(line.x) == [4, 8, 12, 14, 16] and line.line.shape == "vh"
    assert list(line.y) == pytest.approx([step.latency_ms["median"] for step in MADE.steps])
    assert edges.name == EDGE_WORDS and list(edges.x) == [8, 16]
    assert [shape.x0 for shape in figure.layout.shapes if shape.x0 == shape.x1] == [8]
    assert figure_of(None).layout.annotations[0].text == NOTHING


def test_the_command(capsys):
    words = ["latency", "digits-cnn", "--group", "conv2", "--widths", "8", "--rounds", "6", "--batch", "2"]
    assert main([*words, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (
        [step["kept"] for step in found["steps"]] == [8, 32]
        and found["rounds"] == 6
        and found["environment"]["torch"]
    )
    assert main(words) == 0
    out = capsys.readouterr().out
    assert "the dense model" in out and "Batch 2, 6 rounds" in out
    assert main(["latency", "digits-cnn", "--group", "conv2", "--widths", "many"]) == 2
    assert main(["latency", "digits-cnn", "--group", "conv2", "--batch", "0"]) == 2


# --------------------------------------------------------------------------- zeros


def test_without_kernels_masks_alone_bring_no_speed_and_that_is_said():
    recipe = Recipe(weights={"conv2": 0.5}, pattern="2:4")
    assert not kernels("cpu")
    assert (
        why_not(recipe, "cpu") == NO_KERNELS
        and "bring no speed" in NO_KERNELS
        and "remove channels" in NO_KERNELS
    )


def test_free_zeros_have_no_kernels_anywhere(monkeypatch):
    monkeypatch.setattr("explorer.studies.sparse_kernels.kernels", lambda device: True)
    assert "bring no speed" in (why_not(Recipe(weights={"fc": 0.5}), "cuda") or "")
    assert why_not(Recipe(weights={"fc": 0.5}, pattern="2:4"), "cuda") is None
