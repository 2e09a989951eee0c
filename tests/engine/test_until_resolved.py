"""Looking until it is known: stops at the first verdict, and every look is paid for."""

from dataclasses import replace

import pytest

from explorer.engine import until_resolved
from explorer.engine.conditions import Conditions
from explorer.engine.measure import prune
from explorer.engine.until_resolved import resolve
from explorer.errors import ExplorerError
from explorer.graph.analysed import Analysed
from explorer.graph.export import graph_of
from explorer.loaders.model_text import load
from explorer.measuring.statistics import look_schedule, looks_level, paired_drop
from explorer.values.progress import Step, outcome, values_of
from explorer.values.recipe import Recipe
from explorer.values.report import Measurement, Report

LOOKS = look_schedule(450, 128)
LEVEL = looks_level(len(LOOKS))


@pytest.fixture(scope="module")
def digits():
    subject = load("digits-cnn")
    return subject, graph_of(subject)


def test_a_hard_cut_is_known_at_the_first_look(digits):
    last = outcome(resolve(Analysed(*digits), Recipe(channels={"conv2": 0.5, "conv3": 0.5})))
    assert last.pruned.samples == LOOKS[0] and last.drop.verdict == "different" and last.drop.level == LEVEL
    assert last.notes[-1].startswith(f"Resolved after {LOOKS[0]} of 450 samples: each of {len(LOOKS)} looks")


def test_what_stays_undecided_sees_all_samples_at_the_paid_level(digits):
    mild = Recipe(weights={"conv3": 0.5})
    last = outcome(resolve(Analysed(*digits), mild))
    assert last.pruned.samples == 450 and last.drop.verdict == "undecided" and last.drop.level == LEVEL
    assert last.notes[-1].startswith("Still undecided after 450 of 450")
    whole = prune(Analysed(*digits), mild, Conditions(latency=False))
    assert whole.drop.level == 0.95 and whole.drop.high - whole.drop.low < last.drop.high - last.drop.low


def test_fewer_samples_asked_for_before_do_not_bind_it(digits):
    last = outcome(resolve(Analysed(*digits), Recipe(weights={"conv3": 0.2}), Conditions(samples=100)))
    assert last.pruned.samples == 450


def test_it_stops_at_the_first_verdict_and_runs_no_further(digits, monkeypatch):
    taken = []
    counts = [(3, 3, 256), (30, 3, 400), (60, 3, 450)]

    def streamed(model, recipe, conditions):
        for b, c, samples in counts:
            taken.append(samples)
            drop = paired_drop(b, c, samples, level=conditions.level)
            measured = Measurement(samples=samples)
            report = Report({}, recipe, Measurement(), measured, drop, (), (), {}, total_samples=450)
            yield Step(report)

    monkeypatch.setattr(until_resolved, "stream", streamed)
    found = list(values_of(resolve(Analysed(*digits), Recipe())))
    assert taken == [256, 400] and [r.drop.verdict for r in found] == ["undecided", "different"]


def test_without_data_there_is_nothing_to_resolve(digits):
    subject, graph = digits
    with pytest.raises(ExplorerError, match="no accuracy"):
        next(resolve(Analysed(replace(subject, task=None), graph), Recipe()))
