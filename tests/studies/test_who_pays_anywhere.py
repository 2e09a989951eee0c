"""Who pays in tasks that only their user knows: own metrics and evaluations, labels, embeddings, no data."""

import pytest
import torch
from torch import nn
from torch.utils.data import TensorDataset

import explorer
from explorer.engine.conditions import Conditions
from explorer.errors import ExplorerError
from explorer.graph.analysed import analyse
from explorer.loaders.model_text import load
from explorer.loaders.own_task import with_task
from explorer.metrics.checks import f1_of
from explorer.studies.own_shown import sample_shown
from explorer.studies.who_pays import who_pays
from explorer.values.progress import outcome
from explorer.values.recipe import Recipe
from explorer.values.samples import Split
from explorer.values.subject import Task

FILE = """
from torch import nn
input_shape = (6,)
def make(): return nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 3))
def one(): return nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 1))
"""
CUT = Recipe(channels={"0": 0.5})
CHANCE = torch.Generator().manual_seed(0)
ROWS, CLASSES = torch.rand(80, 6, generator=CHANCE), torch.randint(0, 3, (80,), generator=CHANCE)


@pytest.fixture
def place(tmp_path):
    (tmp_path / "net.py").write_text(FILE)
    return tmp_path


def compared(place, task, factory="make"):
    """What the study says, and the subject."""
    subject = load(f"{place}/net.py:{factory}")
    subject = subject if task is None else with_task(subject, task)
    model = analyse(subject)
    return outcome(who_pays(model, CUT, Conditions())), subject


def distance(outputs, targets):
    return (outputs.flatten() - targets).abs()


def test_a_metric_of_ones_own_is_divided_by_ranges_of_the_target(place):
    metric = explorer.Metric.mean("distance", distance, better="lower")
    sums = ROWS.sum(1)
    known, subject = compared(place, Task("t", data=TensorDataset(ROWS, sums), metric=metric), "one")
    (kind,) = known.kinds
    assert kind.title == "Ranges of the target" and len(kind.groups) == 5
    split = subject.task.split("tuning")
    with torch.inference_mode():
        errors = distance(subject.model(split.inputs), split.targets)
    edges = torch.quantile(split.targets.double(), torch.arange(1, 5).double() / 5)
    groups = torch.bucketize(split.targets.double(), edges)
    for number, group in enumerate(kind.groups):  # a plain loop
        assert group.before == pytest.approx(float(errors[groups == number].mean()), rel=1e-5)
        assert group.samples == int((groups == number).sum())
    assert known.changed[0] + known.changed[1] == len(split)


def surest(model, batch):
    inputs, targets = batch
    return model(inputs).softmax(1).gather(1, targets[:, None])[:, 0]


def test_a_whole_evaluation_of_ones_own_is_divided_by_class(place):
    known, subject = compared(place, Task("t", data=(ROWS, CLASSES), scores=surest))
    (kind,) = known.kinds
    assert kind.title == "Classes" and [group.name for group in kind.groups] == [
        "class 0",
        "class 1",
        "class 2",
    ]
    split = subject.task.split("tuning")
    with torch.inference_mode():
        scores = surest(subject.model, (split.inputs, split.targets))
    for number, group in enumerate(kind.groups):
        assert group.before == pytest.approx(float(scores[split.targets == number].mean()), rel=1e-5)


def test_labels_are_counted_one_by_one(place):
    labels = (ROWS[:, :3] > 0.5).long()
    known, subject = compared(place, Task("t", data=(ROWS, labels), metric="multilabel_f1"))
    (kind,) = known.kinds
    split = subject.task.split("tuning")
    with torch.inference_mode():
        said, there = subject.model(split.inputs) > 0, split.targets > 0
    for number, group in enumerate(kind.groups):
        hits, wrong, missed = (
            (one & other)[:, number].sum().double()
            for one, other in ((said, there), (said, ~there), (~said, there))
        )
        assert group.name == f"label {number}" and group.amount == int(there[:, number].sum())
        assert group.before == pytest.approx(float(f1_of(hits, wrong, missed)), rel=1e-6)


def test_agreement_is_divided_by_what_the_dense_model_answers(place):
    known, subject = compared(place, None)
    (kind,) = known.kinds
    assert kind.title == "Answers of the dense model" and subject.task is None
    assert all(group.before == 1 for group in kind.groups)
    total = sum(group.after * group.samples for group in kind.groups)
    left = known.samples - sum(group.samples for group in kind.groups)
    assert abs(total - known.after.value * known.samples) <= left + 1e-6
    assert known.changed[1] == 0 and known.changed[0] > 0


def test_agreement_of_numbers_lists_the_samples_that_moved(place):
    known, _ = compared(place, None, "one")
    assert known.kinds == () and known.after.metric == "cosine_similarity" and known.finished


def test_embeddings_show_their_nearest_neighbours(place):
    known, subject = compared(place, Task("t", data=(ROWS, CLASSES), metric="recall_at_1"))
    split = subject.task.split("tuning")
    with torch.inference_mode():
        embedded = nn.functional.normalize(subject.model(split.inputs).double(), dim=1)
    changes = (*known.worse, *known.better)
    assert changes
    for change in changes:  # a plain loop over all others
        others = [k for k in range(len(embedded)) if k != change.sample]
        nearest = max(others, key=lambda k: float(embedded[change.sample] @ embedded[k]))
        answer = known.answers[change.sample]
        assert answer.kind == "neighbours" and int(answer.before[0]) == nearest
        right = split.targets[nearest] == split.targets[change.sample]
        assert change.before == float(right) and int(answer.truth[1]) == int(split.targets[change.sample])


def drawn(sample, answer):
    inputs, target = sample
    if answer is None:
        return f"truth {int(target)}"
    return torch.stack([inputs, answer.softmax(0).repeat(2)])  # a picture of 2 x 6


def test_the_task_says_what_samples_and_answers_look_like(place):
    known, subject = compared(place, Task("t", data=(ROWS, CLASSES), scores=surest, show=drawn))
    split = subject.task.split("tuning")
    change = known.worse[0]
    answer = known.answers[change.sample]
    assert answer.kind == "own" and answer.truth == f"truth {int(split.targets[change.sample])}"
    with torch.inference_mode():
        picture = drawn((split.inputs[change.sample], None), subject.model(split.inputs)[change.sample])
    assert torch.equal(answer.before, (picture * 255).round().to(torch.uint8))
    assert answer.after.shape == (2, 6) and not torch.equal(answer.after, answer.before)


@pytest.mark.parametrize(
    "show, sentence",
    [
        (lambda sample, answer: 3.5, "or a text; got a float."),
        (lambda sample, answer: torch.zeros(3, 8, 8), r"or a text; got shape \(3, 8, 8\)\."),
        (lambda sample, answer: torch.zeros(0, 8), "or a text; got shape"),
        (lambda sample, answer: sample[5], r"show\(sample, answer\) of task 't' fails \("),
        (lambda sample: "", r"show\(sample, answer\) of task 't' fails \("),
    ],
)
def test_what_cannot_be_shown_is_one_sentence(show, sentence):
    task = Task("t", data=(ROWS, CLASSES), show=show)
    with pytest.raises(ExplorerError, match=sentence) as raised:
        sample_shown(task, Split(ROWS, CLASSES), 0)
    assert "\n" not in str(raised.value)
