"""What is kept of right answers: made by hand, between two models, and of a language model's tokens."""

import json
from dataclasses import replace

import pytest
import torch

from explorer.engine.conditions import Conditions
from explorer.engine.measure import prune
from explorer.graph.analysed import Analysed, analyse
from explorer.lessons import evidence_files, wording
from explorer.lessons.evidence import ArmPoint, Evidence
from explorer.lessons.experiment import run
from explorer.lessons.lesson_files import lessons
from explorer.lessons.values import Case
from explorer.lessons.verdicts import CaseComparison, interval, values_of
from explorer.loaders.model_text import load
from explorer.values.progress import outcome
from explorer.values.recipe import Recipe
from explorer.values.report import Measurement

NOTHING = torch.zeros(0, dtype=torch.long)
LESSON = lessons()["language_models"]


def point(arm, correct):
    found = torch.as_tensor(correct)
    return ArmPoint(arm, 0.5, Recipe(), Measurement(samples=len(found)), found, NOTHING)


def evidence(**arms):
    """Evidence of arms, each with (dense, pruned) right answers."""
    dense = {name: point(name, before) for name, (before, _) in arms.items()}
    return Evidence("m", dense, {(name, 0.5): point(name, after) for name, (_, after) in arms.items()})


SEES = [True] * 90 + [False] * 10, [True] * 45 + [False] * 55
WRITES = torch.linspace(0.3, 0.5, 40).double(), torch.linspace(0.3, 0.5, 40).double() * 0.8


def test_what_is_kept_is_a_share_of_the_dense_models_right_answers():
    models = evidence(sees=SEES, writes=WRITES)
    for arm, share in (("sees", 0.5), ("writes", 0.8)):
        sample = values_of(Case("c", "kept", arm), 0.5, models)
        assert float(sample.mean()) == pytest.approx(share)
        low, high = (float(end) for end in interval(Case("c", "kept", arm), sample[None], 0.95))
        assert low < share < high and (low + high) / 2 == pytest.approx(share)
    assert float(values_of(Case("c", "kept", "sees"), 0.5, models).std()) > 0.3
    assert float(values_of(Case("c", "kept", "writes"), 0.5, models).std()) == pytest.approx(0, abs=1e-12)


def test_two_models_differ_by_the_difference_and_with_the_sum_of_both_variances():
    models = evidence(sees=SEES, writes=([True] * 60, [True] * 42 + [False] * 18))
    parts = [values_of(Case("c", "kept", arm), 0.5, models) for arm in ("writes", "sees")]
    both = values_of(Case("c", "kept", "writes", against="sees"), 0.5, models)
    assert float(both.mean()) == pytest.approx(0.7 - 0.5)
    of_mean = [float(one.var(correction=0)) / len(one) for one in (*parts, both)]
    assert of_mean[2] == pytest.approx(of_mean[0] + of_mean[1])


def test_nothing_is_said_of_a_dense_model_that_is_never_right():
    assert values_of(Case("c", "kept", "a"), 0.5, evidence(a=([False] * 4, [True] * 4))) is None


def test_a_share_is_read_in_per_cent_and_a_difference_in_points():
    alone = CaseComparison(Case("c", "kept", "a", above=0.9), 0.5, 0.5, 0.4, 0.6, "no")
    other = replace(alone, case=Case("c", "kept", "a", "b", below=-0.05))
    assert wording.value(alone) == "50.0 % of the right answers (40.0 to 60.0)"
    assert (wording.wanted(alone), wording.wanted(other)) == ("above 90 %", "below -5 points")
    assert wording.counted(evidence(sees=SEES, writes=WRITES)) == "100 pictures and 40 documents"


def test_a_language_models_right_tokens_are_counted_by_document():
    model = analyse(load("code-lm"))
    arm = replace(LESSON.experiment.arm("text_weights"), points=(0.7,))
    experiment = replace(LESSON.experiment, arms=(arm,), samples=24)
    measured = outcome(run(experiment, "code-lm", lambda _: model))
    cut = measured.at("text_weights", 0.7)
    report = prune(Analysed(model.subject, model.graph), cut.recipe, Conditions(24, latency=False))
    for found, plain in ((measured.dense["text_weights"], report.baseline), (cut, report.pruned)):
        expected = plain.others["next_token_accuracy"]["value"]
        assert found.measured.value == pytest.approx(expected) and len(found.predictions) == 0
        assert float(found.correct.mean()) == pytest.approx(expected)
    assert cut.measured.value < measured.dense["text_weights"].measured.value
    back = evidence_files.from_json(json.loads(json.dumps(evidence_files.to_json(measured))))
    assert torch.equal(back.at("text_weights", 0.7).correct, cut.correct)
