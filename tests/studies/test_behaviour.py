"""Behaviour: whom a cut hurts, counted by hand, against plain loops, and on a shipped model."""

import json
from dataclasses import replace

import pytest
import torch
from behaviours import AFTER, BEFORE, FOUND, NAMES, TARGETS, says

from explorer.engine.conditions import Conditions
from explorer.engine.measure import prune
from explorer.errors import ExplorerError
from explorer.graph.analysed import Analysed
from explorer.graph.export import graph_of
from explorer.loaders.model_text import load
from explorer.measuring.statistics import holm, paired_drop, paired_p_value
from explorer.studies import behaviour as counted
from explorer.studies.behaviour import Behaviour, Flip, behaviour, compare
from explorer.studies.model_answers import answers_of
from explorer.studies.reliability import BINS, mean_deviation, reliability
from explorer.values.progress import outcome, values_of
from explorer.values.recipe import Recipe


def test_answers_are_the_largest_probability_and_that_of_the_truth():
    logits = torch.tensor([[0.0, 0.0, 0.0], [3.0, 1.0, -1.0]])
    answers = answers_of(logits, torch.tensor([2, 1]))
    chances = torch.exp(logits[1]) / torch.exp(logits[1]).sum()
    assert answers.predictions[1] == 0 and answers.confidences.tolist() == pytest.approx(
        [1 / 3, float(chances[0])]
    )
    assert answers.truths.tolist() == pytest.approx([1 / 3, float(chances[1])])


def test_counts_of_a_hand_made_case():
    assert FOUND.before.confusion == ((0, 0, 2), (0, 1, 1), (1, 1, 2), (1, 2, 1))
    assert FOUND.after.confusion == ((0, 0, 2), (0, 1, 1), (1, 0, 1), (1, 1, 1), (1, 2, 1))
    assert (FOUND.lost, FOUND.gained, FOUND.same) == ((1, 1, 0), (1, 0, 0), 2)
    assert (FOUND.before.correct, FOUND.after.correct) == (4, 3)
    assert FOUND.flip_counts == {"lost": 2, "gained": 1, "moved": 1}
    assert FOUND.agreement[0] == 2 / 6 and FOUND.agreement[1] < 2 / 6 < FOUND.agreement[2]
    assert FOUND.drop == paired_drop(2, 1, 6)


def test_flips_are_sorted_by_what_the_true_class_won_or_lost():
    assert [(flip.sample, flip.kind) for flip in FOUND.flips] == [
        (1, "lost"),
        (4, "lost"),
        (2, "gained"),
        (5, "moved"),
    ]
    flip = FOUND.flips[0]
    assert (flip.target, flip.before, flip.after) == (0, 0, 1) and flip.change == pytest.approx(-0.7)


def test_a_gallery_is_bounded_and_keeps_the_strongest():
    n = counted.KEPT_FLIPS + 5
    truths = [i / n for i in range(n)]
    result = behaviour(
        says([0] * n, truths=[1.0] * n),
        says([1] * n, truths=truths),
        torch.zeros(n, dtype=torch.long),
        NAMES,
        n,
    )
    assert len(result.flips) == counted.KEPT_FLIPS and result.flip_counts["lost"] == n
    assert [flip.sample for flip in result.flips] == list(range(counted.KEPT_FLIPS))


def test_classes_are_judged_as_a_family():
    cat, dog = FOUND.classes
    assert (cat.samples, cat.before, cat.after, dog.before, dog.after) == (3, 2, 2, 2, 1)
    assert (cat.drop, dog.drop) == (paired_drop(1, 1, 3), paired_drop(1, 0, 3))
    assert (cat.p_value, dog.p_value) == holm([paired_p_value(1, 1), paired_p_value(1, 0)])
    assert not cat.differs and FOUND.name(0) == "cat" and FOUND.name(7) == "class 7"


def test_a_class_that_is_hurt_stands_out_and_one_among_many_does_not():
    """Six losses of one class are beyond noise when it is judged alone (p = 0.016), but not among ten."""
    few = torch.tensor([0] * 50)
    lost = says([1] * 6 + [0] * 44)
    (alone,) = behaviour(says([0] * 50), lost, few, NAMES, 50).classes
    many = torch.arange(10).repeat_interleave(50)
    after = many.clone()
    after[:6] = 1
    crowd = behaviour(says(many.tolist()), says(after.tolist()), many, tuple("abcdefghij"), 500).classes
    assert alone.differs and not crowd[0].differs
    assert crowd[0].p_value == pytest.approx(10 * alone.p_value)


def test_reliability_agrees_with_a_plain_loop():
    generator = torch.Generator().manual_seed(0)
    confidences = torch.rand(500, generator=generator)
    correct = torch.rand(500, generator=generator) < confidences
    diagram = reliability(confidences, correct)
    bins = diagram.bins
    error = 0.0
    for k in range(BINS):
        inside = [i for i in range(500) if k / BINS < float(confidences[i].double()) <= (k + 1) / BINS]
        assert (bins[k].samples, bins[k].correct) == (len(inside), sum(bool(correct[i]) for i in inside))
        if inside:
            gap = abs(sum(float(confidences[i]) for i in inside) - bins[k].correct) / len(inside)
            error += len(inside) / 500 * gap
    assert diagram.ece == pytest.approx(error)


def test_ece_is_none_where_confidence_tells_the_truth_and_large_where_it_lies():
    sure = torch.ones(100)
    assert reliability(sure, torch.ones(100, dtype=torch.bool)).ece == 0
    assert reliability(sure * 0.75, torch.arange(100) < 75).ece == pytest.approx(0, abs=1e-6)
    assert reliability(sure, torch.zeros(100, dtype=torch.bool)).ece == 1
    assert reliability(torch.tensor([0.0, 1.0]), torch.tensor([True, True])).bins[0].samples == 1


def test_chance_alone_makes_an_error_of_the_size_that_is_stated():
    generator = torch.Generator().manual_seed(1)
    confidences = 0.5 + 0.5 * torch.rand(200, generator=generator)
    runs = [reliability(confidences, torch.rand(200, generator=generator) < confidences) for _ in range(400)]
    mean = sum(run.ece for run in runs) / len(runs)
    assert runs[0].chance == pytest.approx(mean, rel=0.05)
    assert reliability(torch.ones(10), torch.ones(10, dtype=torch.bool)).chance == 0
    assert mean_deviation(3, 1 / 3) == pytest.approx((1 * 8 + 0 * 12 + 1 * 6 + 2 * 1) / 27)


def test_json_and_back():
    again = Behaviour.from_json(json.loads(json.dumps(FOUND.to_json())))
    assert again == FOUND and again.classes == FOUND.classes
    assert isinstance(again.flips[0], Flip)


def test_answers_of_other_samples_are_refused():
    with pytest.raises(ValueError, match="same samples"):
        behaviour(BEFORE, AFTER.first(5), TARGETS, NAMES, 6)
    with pytest.raises(ValueError, match="same samples"):
        behaviour(BEFORE.first(0), AFTER.first(0), TARGETS[:0], NAMES, 6)


# --------------------------------------------------------------------------- on a shipped model


@pytest.fixture(scope="module")
def cnn():
    subject = load("digits-cnn")
    return subject, graph_of(subject)


def test_a_stream_ends_with_what_the_engine_counts(cnn):
    subject, graph = cnn
    recipe = Recipe(channels={"conv2": 0.5})
    steps = list(compare(Analysed(subject, graph), recipe, Conditions()))
    seen = list(values_of(steps))
    report = prune(Analysed(subject, graph), recipe, Conditions(latency=False))
    assert [found.samples for found in seen] == [256, 450] and seen[-1].finished and not seen[0].finished
    assert (seen[-1].before.correct, seen[-1].after.correct) == (
        report.baseline.correct,
        report.pruned.correct,
    )
    assert seen[-1].drop == report.drop
    assert any(step.progress for step in steps)


def test_confusion_agrees_with_a_plain_loop(cnn):
    subject, graph = cnn
    result = outcome(compare(Analysed(subject, graph), Recipe(channels={"conv3": 0.5}), Conditions()))
    split, counts = subject.task.split("tuning"), {}
    with torch.no_grad():
        predictions = subject.model(subject.task.normalisation(split.inputs)).argmax(1)
    for true, predicted in zip(split.targets.tolist(), predictions.tolist(), strict=True):
        counts[true, predicted] = counts.get((true, predicted), 0) + 1
    assert {(true, predicted): n for true, predicted, n in result.before.confusion} == counts
    assert sum(n for *_, n in result.after.confusion) == 450


def test_the_empty_recipe_agrees_with_the_dense_model_and_a_cut_does_not(cnn):
    subject, graph = cnn
    dense = outcome(compare(Analysed(subject, graph), Recipe(), Conditions(samples=100)))
    cut = outcome(compare(Analysed(subject, graph), Recipe(channels={"conv1": 0.9}), Conditions(samples=100)))
    assert dense.same == 100 and dense.flips == () and dense.before == dense.after
    assert cut.same < 100 and cut.before == dense.before


def test_without_data_there_is_nothing_to_compare(cnn):
    subject, graph = cnn
    with pytest.raises(ExplorerError, match="without data"):
        next(compare(Analysed(replace(subject, task=None), graph), Recipe(), Conditions()))
