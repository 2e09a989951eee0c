"""The contract of every metric: rows that add up; a value by hand; an independent library."""

import pytest
import torch
from metrics.cases import CASES, masks
from torch import Tensor
from torch.nn.functional import cross_entropy

from explorer.errors import ExplorerError
from explorer.measuring.judging import Judge
from explorer.metrics import tokens as tokens_of_texts
from explorer.metrics.boxes import found_boxes
from explorer.metrics.losses import token_cross_entropy
from explorer.metrics.mean_iou import mean_iou
from explorer.metrics.shared import one_batch, shared
from explorer.registry import METRICS
from explorer.values.metric import Metric


def valued(metric: Metric, rows: Tensor) -> float:
    if metric.of_rows:
        return float(metric.value(rows, torch.ones(1, len(rows), dtype=torch.float64))[0])
    return float(metric.value(rows.sum(0)))


def cut(tree, start: int, stop: int):
    return tuple(cut(t, start, stop) for t in tree) if isinstance(tree, tuple) else tree[start:stop]


def test_every_metric_has_a_case():
    assert set(CASES) == set(METRICS)


@pytest.mark.parametrize("name", list(CASES))
class TestContract:
    def test_rows_depend_on_their_own_sample_alone(self, name):
        metric, case = METRICS[name](**CASES[name].params), CASES[name]
        outputs, targets = case.make(torch.Generator().manual_seed(0), 40)
        whole = metric.statistics(outputs, targets)
        assert whole.dtype == torch.float64 and whole.dim() == 2 and len(whole) == 40
        halves = [metric.statistics(cut(outputs, *at), cut(targets, *at)) for at in ((0, 13), (13, 40))]
        assert torch.allclose(torch.cat(halves), whole, rtol=1e-12, atol=1e-12)
        if not metric.of_rows:
            assert torch.allclose(halves[0].sum(0) + halves[1].sum(0), whole.sum(0))

    def test_value_of_one_sample_by_hand(self, name):
        metric, (outputs, targets, expected) = METRICS[name](**CASES[name].params), CASES[name].one
        assert valued(metric, metric.statistics(outputs, targets)) == pytest.approx(expected, abs=1e-9)

    @pytest.mark.parametrize("seed", range(3))
    def test_an_independent_library_says_the_same(self, name, seed):
        metric, case = METRICS[name](**CASES[name].params), CASES[name]
        outputs, targets = case.make(torch.Generator().manual_seed(seed), 60)
        found = valued(metric, metric.statistics(outputs, targets))
        assert found == pytest.approx(case.oracle(outputs, targets), abs=2e-6)
        other = case.make(torch.Generator().manual_seed(seed + 100), 60)[0]
        worse = valued(metric, metric.statistics(other, targets))
        assert (worse < found) == (metric.better == "higher")  # answers to other samples are worse

    def test_several_sums_are_valued_at_once(self, name):
        metric, case = METRICS[name](**CASES[name].params), CASES[name]
        rows = metric.statistics(*case.make(torch.Generator().manual_seed(0), 30))
        weights = torch.poisson(
            torch.ones(5, 30, dtype=torch.float64), generator=torch.Generator().manual_seed(1)
        )
        values = metric.value(rows, weights) if metric.of_rows else metric.value(weights @ rows)
        # a sample that counts twice is a sample that is there twice
        again = [valued(metric, rows.repeat_interleave(w.long(), 0)) for w in weights]
        if name != "recall_at_1":  # where a twin is not another sample
            assert values.tolist() == pytest.approx(again)
        assert values.shape == (5,)

    def test_nothing_readable_is_refused_in_a_sentence(self, name):
        for outputs, targets in ((None, None), ({"nothing": 1}, None), (torch.zeros(2), "text")):
            with pytest.raises(ExplorerError, match=rf"Metric '{name}' needs .*, got .*\."):
                METRICS[name]().statistics(outputs, targets)


SAID = "accuracy top5 balanced_accuracy macro_f1 binary_accuracy multilabel_f1 mean_iou dice same_answer"


@pytest.mark.parametrize("name", [*SAID.split(), "next_token_accuracy"])
def test_an_answer_that_is_no_number_is_wrong(name):
    """NaN is the highest score for `argmax`, and not above 0, so that some of such answers would be right."""
    metric, case = METRICS[name](**CASES[name].params), CASES[name]
    outputs, targets = case.make(torch.Generator().manual_seed(0), 40)
    assert valued(metric, metric.statistics(outputs, targets)) > 0
    lost = torch.full_like(outputs, torch.nan)
    assert valued(metric, metric.statistics(lost, targets)) == 0
    if name in SAID.split()[:4]:  # a single one, where it would be right
        one = outputs.scatter(1, targets[:, None], torch.nan)
        assert valued(metric, metric.statistics(one, targets)) == 0
        assert bool((one.argmax(1) == targets).all())
    outputs[::2] = torch.nan
    rows = metric.statistics(outputs, targets)
    alone = metric.statistics(outputs[1::2].clone(), cut(targets, 1, None)[::2])
    assert torch.equal(rows[1::2], alone)  # the other samples are not touched


@pytest.mark.parametrize(
    "name, outputs, targets, told",
    [
        ("accuracy", torch.zeros(2, 3), torch.tensor([0, 3]), "targets from 0 to 2"),
        ("accuracy", torch.zeros(2, 3), torch.tensor([0, -100]), "got -100 to 0"),
        ("accuracy", torch.zeros(2, 3), torch.tensor([0.0, 1.0]), "whole-number targets of shape"),
        (
            "mean_iou",
            torch.zeros(2, 3, 4, 4),
            torch.zeros(2, 5, 5).long(),
            r"shape \(2, 4, 4\), got .*\(2, 5, 5\)",
        ),
        ("mae", torch.zeros(2, 3), torch.zeros(2, 4), r"shape \(2, 3\)"),
        ("mae", torch.zeros(1, 1), torch.tensor([[float("nan")]]), "clean the data"),
        ("binary_accuracy", torch.zeros(2, 1), torch.tensor([0, 2]), "targets of 0 and 1, got 0 to 2"),
        ("detection_f1", torch.zeros(1, 1, 6), torch.tensor([[[5.0, 5, 1, 1, 0]]]), "x1 <= x2"),
        ("detection_f1", torch.zeros(1, 1, 6), torch.zeros(2, 1, 5), "boxes of 1 pictures"),
        ("bits_per_byte", torch.zeros(1, 2, 3), torch.zeros(1, 2).long(), "a pair"),
    ],
)
def test_wrong_shapes_and_targets_are_refused(name, outputs, targets, told):
    with pytest.raises(ExplorerError, match=told):
        METRICS[name]().statistics(outputs, targets)


def test_one_score_a_pixel_is_a_mask():
    scores = torch.tensor([[[[1.0, 1.0, -1.0, -1.0]]]])
    rows = mean_iou().statistics(scores, torch.tensor([[[1, 0, 1, 0]]]))
    assert rows.tolist() == [[1, 2, 2]] and float(mean_iou().value(rows.sum(0))) == pytest.approx(1 / 3)
    stored = mean_iou().statistics(scores, torch.tensor([[[[1, 0, 255, 0]]]]))
    assert stored.tolist() == [[1, 2, 1]]


def test_boxes_as_torchvision_gives_them():
    outputs = [
        {
            "boxes": torch.tensor([[0.0, 0, 9, 9], [1, 1, 5, 5]]),
            "scores": torch.tensor([0.6, 0.9]),
            "labels": torch.tensor([1, 2]),
        },
        {"boxes": torch.zeros(0, 4), "scores": torch.zeros(0), "labels": torch.zeros(0).long()},
    ]
    padded = found_boxes("detection_f1", outputs)
    assert padded[0].tolist() == [[1, 1, 5, 5, pytest.approx(0.9), 2], [0, 0, 9, 9, pytest.approx(0.6), 1]]
    assert padded[1, :, 5].tolist() == [-1, -1]
    truth = [{"boxes": torch.tensor([[0.0, 0, 9, 9]]), "labels": torch.tensor([1])}] * 2
    rows = METRICS["detection_f1"]().statistics(outputs, truth)
    assert rows.tolist() == [[1, 1, 0], [0, 0, 1]]


def test_masks_as_torchvision_gives_them():
    logits, targets = masks(torch.Generator().manual_seed(0), 3)
    assert torch.equal(
        mean_iou().statistics({"out": logits}, targets), mean_iou().statistics(logits, targets)
    )


def test_agreement_reads_any_tree_of_outputs():
    dense = {"map": torch.randn(4, 3, 5), "anchors": torch.randn(7), "count": torch.arange(4)}
    same = METRICS["relative_error"]()
    assert same.statistics(dense, dense)[:, 0].tolist() == [0] * 4
    moved = {**dense, "map": dense["map"] * 1.1}
    assert valued(same, same.statistics(moved, dense)) == pytest.approx(0.1, abs=1e-6)


# --------------------------------------------------------------------------- the swift way says the same


def classes_of_pixels(seed: int, classes: int, *, ignored: float = 0.0) -> tuple[Tensor, Tensor]:
    """Scores and masks of 3 small pictures; some scores are equal, some pixels don't count."""
    generator = torch.Generator().manual_seed(seed)
    scores = torch.randn(3, classes, 12, 10, generator=generator).mul(2).round().div(2)
    targets = torch.randint(0, classes, (3, 12, 10), generator=generator)
    return scores, torch.where(torch.rand(3, 12, 10, generator=generator) < ignored, 255, targets)


def overlaps_by_hand(scores: Tensor, targets: Tensor) -> Tensor:
    classes, counts = scores.shape[1], targets != 255
    said = scores.argmax(1).where(~scores.isnan().any(1), -1)
    rows = [
        [((said[i] == k) & (targets[i] == k) & counts[i]).sum() for k in range(classes)]
        + [((said[i] == k) & counts[i]).sum() for k in range(classes)]
        + [(targets[i] == k).sum() for k in range(classes)]
        for i in range(len(scores))
    ]
    return torch.tensor(rows, dtype=torch.float64)


@pytest.mark.parametrize("ignored", [0.0, 0.2])
@pytest.mark.parametrize("classes", [2, 9, 12])  # 12: more than there is room for in a table of a picture
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_overlaps_are_those_of_a_plain_loop(classes, ignored, layout):
    scores, targets = classes_of_pixels(classes, classes, ignored=ignored)
    found = METRICS["mean_iou"]().statistics(scores.contiguous(memory_format=layout), targets)
    assert torch.equal(found, overlaps_by_hand(scores, targets))


def test_a_pixel_with_a_score_that_is_no_number_is_of_no_class():
    scores, targets = classes_of_pixels(0, 4)
    scores[0, 2, 5, 5], scores[1, 0, 0, 0] = float("nan"), float("nan")
    assert torch.equal(METRICS["dice"]().statistics(scores, targets), overlaps_by_hand(scores, targets))


def test_texts_are_read_as_whole_tables_would_be():
    generator = torch.Generator().manual_seed(3)
    scores = torch.randn(7, 31, 50, generator=generator).mul(4).round().div(4)  # with equal scores
    tokens = torch.randint(0, 50, (7, 31), generator=generator)
    tokens[torch.rand(7, 31, generator=generator) < 0.2] = -100
    flat = scores.flatten(0, 1)
    nats = cross_entropy(flat.double(), tokens.flatten(), reduction="none").view(7, 31).sum(1)
    assert torch.equal(METRICS["perplexity"]().statistics(scores, tokens)[:, 0], nats)
    right = (scores.double().argmax(2) == tokens).sum(1)
    assert torch.equal(METRICS["next_token_accuracy"]().statistics(scores, tokens)[:, 0], right.double())
    with torch.no_grad():
        assert torch.equal(token_cross_entropy(scores, tokens), cross_entropy(flat, tokens.flatten()))


def test_what_metrics_share_is_computed_once_a_batch_and_kept_no_longer():
    calls, one = [], torch.ones(3)

    def plus_one(tensor):
        calls.append(tensor)
        return tensor + 1

    with one_batch():
        assert shared(plus_one, one) is shared(plus_one, one) and len(calls) == 1
        shared(plus_one, one.clone())
        assert len(calls) == 2
    one.fill_(5)  # as a buffer that the next batch is written into
    with one_batch():
        assert shared(plus_one, one).tolist() == [6.0] * 3
    assert shared(plus_one, one) is not shared(plus_one, one)


def test_metrics_of_texts_read_the_scores_of_a_batch_once(monkeypatch):
    """They detach the scores, each on its own: it is the memory that they share."""
    calls, losses = [], tokens_of_texts.losses
    monkeypatch.setattr(tokens_of_texts, "losses", lambda *args: calls.append(args) or losses(*args))
    scores, tokens = torch.randn(3, 5, 11), torch.randint(11, (3, 5))
    metrics = tuple(METRICS[name]() for name in ("perplexity", "bits_per_byte"))
    Judge(metrics)(scores, (tokens, torch.full((3,), 7)))
    assert len(calls) == 1
    with one_batch():  # negative control: the same numbers at another place
        for metric in metrics:
            metric.statistics(scores.clone(), (tokens, torch.full((3,), 7)))
    assert len(calls) == 3
