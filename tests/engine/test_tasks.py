"""Any task through the engine: other metrics, data sets, trees of targets, no labels, and mistakes."""

from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset
from zoo import odd

from explorer.engine.conditions import Conditions, class_task
from explorer.engine.dense_model import _known_outputs
from explorer.engine.measure import prune, stream
from explorer.errors import ExplorerError, LoadError
from explorer.graph.analysed import Analysed, analyse
from explorer.loaders.model_text import load
from explorer.measuring.evaluation import Execution, evaluate
from explorer.measuring.judging import judge_for
from explorer.measuring.kept_activations import trail_for
from explorer.registry import METRICS
from explorer.signals.calibration import Calibration
from explorer.signals.collection import collect, collected
from explorer.studies.sensitivity.scan import scan
from explorer.studies.sensitivity.values import ScanPlan
from explorer.values.metric import Metric
from explorer.values.progress import outcome, values_of
from explorer.values.recipe import Recipe
from explorer.values.report import Measurement, Report
from explorer.values.samples import DerivedSplit, Split
from explorer.values.subject import Task

QUICK = Conditions(latency=False)
DIGITS = analyse(load("digits-cnn"))
TASK = DIGITS.subject.task
HALF = Recipe(channels={next(iter(DIGITS.profile.free_groups)): 0.5})
PICTURES = TASK.normalisation(TASK.split("tuning").inputs)
CLASSES = TASK.split("tuning").targets


def on(task: Task | None) -> Analysed:
    return Analysed(replace(DIGITS.subject, task=task), DIGITS.graph)


def outputs_of(model: nn.Module) -> torch.Tensor:
    with torch.inference_mode():
        return model(PICTURES)


class Pairs(Dataset):
    """Pictures with their class, one by one."""

    def __init__(self, broken: int = -1, length: int = 100):
        self.broken, self.length = broken, length

    def __len__(self):
        return self.length

    def __getitem__(self, number):
        if number == self.broken:
            raise ValueError("half a file")
        return PICTURES[number], CLASSES[number]


def test_another_metric_decides_and_the_others_are_shown():
    report = prune(on(replace(TASK, metric=("macro_f1", "accuracy", "kl_divergence"))), HALF, QUICK)
    plain = prune(DIGITS, HALF, QUICK)
    assert (report.pruned.metric, report.pruned.unit, report.pruned.accuracy) == ("macro_f1", "%", None)
    assert report.pruned.low < report.pruned.value < report.pruned.high
    assert report.pruned.others["accuracy"]["value"] == plain.pruned.accuracy
    assert report.pruned.loss == pytest.approx(plain.pruned.loss)
    rows = METRICS["macro_f1"]().statistics(outputs_of(DIGITS.subject.model), CLASSES)
    assert report.baseline.value == pytest.approx(float(METRICS["macro_f1"]().value(rows.sum(0))))
    assert report.drop.estimate == pytest.approx(report.baseline.value - report.pruned.value)
    assert report.drop.worse is True and report.drop.to_json()["worse"] is True
    assert (
        report.baseline.others["kl_divergence"]["value"] == 0 < report.pruned.others["kl_divergence"]["value"]
    )
    assert Report.from_json(report.to_json()) == report


def test_accuracy_says_the_same_under_both_names():
    found = prune(DIGITS, HALF, QUICK).pruned
    assert (found.metric, found.unit) == ("accuracy", "%")
    assert (found.value, found.low, found.high) == (found.accuracy, found.accuracy_low, found.accuracy_high)


def test_what_version_1_wrote_is_read_with_a_metric():
    before = {"accuracy": 0.5, "accuracy_low": 0.4, "accuracy_high": 0.6, "samples": 10, "correct": 5}
    found = Measurement.from_json(before)
    assert (found.metric, found.value, found.low, found.high, found.unit) == ("accuracy", 0.5, 0.4, 0.6, "%")
    report = prune(DIGITS, HALF, QUICK).to_json()
    for part in ("baseline", "pruned"):
        for name in ("metric", "value", "low", "high", "unit", "others"):
            del report[part][name]
    for name in ("metric", "unit", "better", "margin", "worse"):
        del report["drop"][name]
    assert Report.from_json(report) == prune(DIGITS, HALF, QUICK)


def test_a_data_set_of_pairs_is_measured_in_a_seeded_order():
    report = prune(on(Task("pairs", data=Pairs())), HALF, QUICK)
    order = torch.randperm(100, generator=torch.Generator().manual_seed(0))[:50]
    right = outputs_of(DIGITS.subject.model)[order].argmax(1) == CLASSES[order]
    assert report.baseline.correct == int(right.sum()) and report.total_samples == 50
    loader = DataLoader(Pairs(), collate_fn=lambda found: tuple(map(torch.stack, zip(*found, strict=True))))
    assert prune(on(Task("loader", data=loader)), HALF, QUICK).pruned == report.pruned
    held_out = prune(on(Task("pairs", data=Pairs())), HALF, replace(QUICK, split="held_out"))
    assert held_out.total_samples == 50
    tensors = Task("tensors", data=(PICTURES[:100], CLASSES[:100]))
    assert prune(on(tensors), HALF, QUICK).pruned == report.pruned


def test_targets_may_be_a_tree():
    def both(outputs, targets):
        assert set(targets) == {"class", "weight"}
        return (outputs.argmax(1) == targets["class"]).double() * targets["weight"]

    weights = torch.arange(len(CLASSES)).double()
    metric = Metric.mean("weighted", both)
    task = Task(
        "tree", data={"tuning": Split(PICTURES, {"class": CLASSES, "weight": weights})}, metric=metric
    )
    found = prune(on(task), Recipe(), QUICK)
    right = (outputs_of(DIGITS.subject.model).argmax(1) == CLASSES).double()
    assert found.baseline.value == pytest.approx(float((right * weights).mean()))


def test_lower_may_be_better():
    task = Task("angles", data=(PICTURES, outputs_of(DIGITS.subject.model).clone()), metric="mae")
    found = prune(on(task), HALF, QUICK)
    assert found.baseline.value < 1e-5 < found.pruned.value
    assert found.drop.estimate < 0 and found.drop.better == "lower" and found.drop.worse is True
    assert found.pruned.loss == pytest.approx(found.pruned.value, rel=1e-5)  # the usual loss of this metric


def test_an_evaluation_of_ones_own():
    def scores(model, batch):
        inputs, targets = batch
        return (model(inputs).argmax(1) == targets).float()

    found = prune(on(Task("own", data=(PICTURES, CLASSES), scores=scores)), HALF, QUICK)
    task = Task("plain", data=(PICTURES, CLASSES))
    assert found.pruned.value == pytest.approx(prune(on(task), HALF, QUICK).pruned.accuracy)
    assert found.pruned.metric == "score"


def test_an_answer_is_picked_from_the_outputs():
    task = Task("flipped", data=(PICTURES, CLASSES), answer=lambda outputs: -outputs)
    assert prune(on(task), Recipe(), QUICK).baseline.accuracy < 0.1


def test_without_data_agreement_with_the_dense_model_is_measured():
    found = prune(on(None), HALF, QUICK)
    assert found.baseline.value == 1 > found.pruned.value and found.pruned.metric == "same_answer"
    assert found.drop.worse is True and any("No data" in note for note in found.notes)
    assert found.subject["task"] is None and found.pruned.accuracy is None and found.pruned.loss is None
    assert prune(on(None), HALF, QUICK).pruned == found.pruned
    chain = analyse(odd("chain"))
    assert prune(chain, Recipe(), QUICK).pruned.value == 1


class Noisy(nn.Module):
    """A model whose outputs are drawn anew each time, or not."""

    def __init__(self, noise: float):
        super().__init__()
        self.line, self.noise, self.samples = nn.Linear(4, 3), noise, 0

    def forward(self, x):
        self.samples += len(x)
        return self.line(x) + self.noise * torch.rand(len(x), 3)


@pytest.mark.parametrize("noise", [0.0, 50.0])
def test_the_dense_model_runs_once_where_it_is_compared_with_itself(noise):
    """Two batches of ten: the first is run again, the second only where the first came out otherwise."""
    model, task = Noisy(noise), Task("own", data={"tuning": Split(torch.randn(20, 4))}, metric="same_answer")
    judge = judge_for(task)
    outputs = [model(task.normalisation(task.split("tuning").inputs_at(n, n + 10))) for n in (0, 10)]
    split = DerivedSplit(task.split("tuning"), None, lambda start, stop: (None, outputs[start // 10]))
    forward, model.samples = _known_outputs(model, split), 0
    how = Execution(batch=10, forward=forward, judge=judge)
    *_, tally = evaluate(model, split, task.normalisation, [20], how)
    assert model.samples == (20 if noise else 10)
    assert (tally.measurement().value == 1) is (not noise)


def test_pictures_without_labels_are_enough_for_agreement():
    class Alone(Pairs):
        def __getitem__(self, number):
            return PICTURES[number]

    found = prune(on(Task("unlabelled", data=Alone(), metric="same_answer")), HALF, QUICK)
    assert found.baseline.value == 1 > found.pruned.value and found.total_samples == 50


def test_prefix_reuse_gives_the_same_numbers():
    task = Task("angles", data=(PICTURES, outputs_of(DIGITS.subject.model).clone()), metric="mae")
    last = list(DIGITS.profile.free_groups)[-1]
    model, trail = on(task), trail_for(("angles", 1), "cpu")
    for ratio in (0.25, 0.5):
        recipe = Recipe(channels={last: ratio})
        *_, found = values_of(stream(model, recipe, QUICK, trail=trail))
        assert found.pruned == prune(model, recipe, QUICK).pruned


def test_gradients_are_those_of_the_tasks_loss():
    def twice(outputs, targets):
        return 2 * nn.functional.cross_entropy(outputs, targets)

    how, name = Calibration(64), next(iter(DIGITS.profile.prunable_layers))
    own = Task("own", load_split=TASK.load_split, normalisation=TASK.normalisation, loss=twice)
    models = DIGITS, Analysed(replace(DIGITS.subject, task=own, id="twice"), DIGITS.graph)
    for model in models:
        list(collect(model, ["gradients"], how))
    plain, doubled = (collected(model, ["gradients"], how)[name]["gradient"] for model in models)
    assert torch.allclose(doubled, 2 * plain, atol=1e-7)


def test_a_scan_measures_what_pruning_a_part_alone_measures():
    angles = outputs_of(DIGITS.subject.model).clone()
    model = on(Task("angles", data=(PICTURES, angles), metric="mae", fingerprint="angles"))
    result = outcome(scan(model, ScanPlan("channel", (0.5,), None), QUICK))
    for point in result.points:
        alone = prune(model, Recipe(channels={point.part: 0.5}), QUICK)
        assert point.value == pytest.approx(alone.pruned.value, rel=1e-5)
        assert point.drop.estimate == pytest.approx(alone.drop.estimate, rel=1e-4)
        assert point.reach.half_width == 0 and point.drop.better == "lower"
    assert {finding.word for finding in result.findings().values()} == {"worse"}
    assert all(lost > 0 for pairs in result.drops().values() for _, lost in pairs)
    assert result.baseline.metric == "mae"
    quick = outcome(scan(model, ScanPlan("channel", (0.5,), 0.01), QUICK))
    assert quick.finished


def test_a_metric_of_all_samples_at_once_cannot_be_scanned():
    task = Task("rows", data=(PICTURES, CLASSES), metric="recall_at_1")
    assert prune(on(task), HALF, QUICK).pruned.metric == "recall_at_1"
    with pytest.raises(ExplorerError, match="cannot measure recall_at_1"):
        outcome(scan(on(task), ScanPlan("channel", (0.5,)), QUICK))


# --------------------------------------------------------------------------- what users get wrong

NAN = Metric.mean("nan", lambda outputs, targets: outputs[:, 0] * float("nan"))
SHORT = Metric(
    "short", "short", lambda outputs, targets: torch.ones(3, 2).double(), lambda sums: sums[..., 0]
)
FAILS = Metric.mean("fails", lambda outputs, targets: outputs["nothing"])
PAIR = (PICTURES, CLASSES)


class Ragged(Pairs):
    def __getitem__(self, number):
        return torch.zeros(1, 8, 8 + number % 2), 0


class Shorter(Pairs):
    def __getitem__(self, number):
        return (PICTURES[number], CLASSES[number]) if number < 60 else [][0]


@pytest.mark.parametrize(
    "task, told",
    [
        (Task("t", data=PAIR, metric=NAN), r"'nan' gives no number \(NaN or infinite\) for sample 0"),
        (
            Task("t", data=PAIR, metric=SHORT),
            r"'short' must give a row .* for each of 128 samples, got shape \(3, 2\)",
        ),
        (Task("t", data=PAIR, metric=FAILS), "Metric 'fails' fails "),
        (Task("t", data=PAIR, metric="nothing"), "No metric named 'nothing'. Available: accuracy"),
        (
            Task("t", data=PAIR, metric="mean_iou"),
            r"class scores of pixels .*, got a tensor of shape \(128, 10\)",
        ),
        (
            Task("t", data=PAIR, scores=lambda m, b: torch.ones(2)),
            r"must give 128 numbers, .* got shape \(2,\)",
        ),
        (Task("t", data=PAIR, scores=lambda m, b: b[2]), r"scores\(model, batch\) fails"),
        (Task("t", data=PAIR, answer=lambda outputs: outputs["x"]), r"answer\(outputs\) fails"),
        (Task("t", data=Pairs(broken=44)), r"'t' fails at sample 44 of 100 \(ValueError: half a file\)"),
        (Task("t", data=Ragged()), "do not fit into one batch .* give a DataLoader with a collate_fn"),
        (Task("t", data=Shorter()), "fails at sample .* of 100"),
        (
            Task("t", data=Pairs(), metric="mae"),
            r"targets of shape \(50, 10\), got a tensor of shape \(50,\)",
        ),
    ],
)
def test_a_mistake_is_one_sentence(task, told):
    with pytest.raises(ExplorerError, match=told) as caught:
        prune(on(task), HALF, QUICK)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "data, told",
    [
        ([], "has no samples"),
        (7, "got a int"),
        ((PICTURES, CLASSES[:5]), "5 and 450 rows"),
        (DataLoader(Pairs(length=0), shuffle=False), "has no samples"),
    ],
)
def test_data_that_is_none_is_refused(data, told):
    with pytest.raises(LoadError, match=told):
        Task("t", data=data)
    with pytest.raises(ExplorerError, match="needs data"):
        Task("t")


def test_what_needs_classes_says_so():
    with pytest.raises(ExplorerError, match=r"'digits-cnn' allows no lesson: .* measured by mae"):
        class_task(on(Task("t", data=(PICTURES, PICTURES), metric="mae")).subject, "lesson")
    assert class_task(DIGITS.subject, "lesson") is TASK
