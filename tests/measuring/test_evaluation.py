"""Streaming evaluation: prefixes, looks, continuing, and memory that runs out."""

from itertools import chain

import pytest
import torch
from torch import nn

from explorer.measuring.evaluation import Execution, batch_size, evaluate
from explorer.measuring.tally import EMPTY, Tally
from explorer.values.samples import Split
from explorer.values.subject import Normalisation


class Counting(nn.Module):
    """Right for even inputs; remembers the batches it saw and, above `limit`, has no memory."""

    def __init__(self, limit: int = 10**6):
        super().__init__()
        self.batches, self.limit = [], limit

    def forward(self, x):
        if len(x) > self.limit:
            raise torch.OutOfMemoryError("no memory")
        self.batches.append(x[:, 0].long().tolist())
        even = (x[:, :1].long() % 2 == 0).float()
        return torch.cat([even, 1 - even], 1) * 4


def numbered(samples: int) -> Split:
    return Split(
        torch.arange(samples, dtype=torch.float32).view(-1, 1), torch.zeros(samples, dtype=torch.long)
    )


def last(*args, **kwargs) -> Tally:
    *_, tally = evaluate(*args, **kwargs)
    return tally


def test_counts_by_hand():
    measured = last(Counting(), numbered(5), Normalisation(), [5]).measurement()
    assert (measured.correct, measured.samples, measured.accuracy) == (3, 5, 0.6)
    assert measured.accuracy_low < 0.6 < measured.accuracy_high
    right, wrong = torch.log1p(torch.exp(torch.tensor(-4.0))), torch.log1p(torch.exp(torch.tensor(4.0)))
    assert measured.loss == pytest.approx(float((3 * right + 2 * wrong) / 5), rel=1e-6)


def test_every_sample_is_seen_once_in_order():
    model = Counting()
    tallies = list(evaluate(model, numbered(700), Normalisation(), [256, 512, 700]))
    assert list(chain(*model.batches)) == list(range(700))
    assert [len(t) for t in tallies] == [128, 256, 384, 512, 640, 700]
    assert all(torch.equal(tallies[-1].first(len(t)).correct, t.correct) for t in tallies)
    assert all(torch.equal(tallies[-1].first(len(t)).losses, t.losses) for t in tallies)


def test_looks_that_are_no_multiples_of_the_batch_are_met_exactly():
    assert {100, 300, 900} <= {
        len(t) for t in evaluate(Counting(), numbered(900), Normalisation(), [100, 300, 900])
    }
    assert max(len(batch) for batch in _batches([900])) == batch_size("cpu")


def _batches(looks):
    model = Counting()
    last(model, numbered(looks[-1]), Normalisation(), looks)
    return model.batches


def test_start_continues_and_runs_later_samples_only():
    model = Counting()
    whole = last(Counting(), numbered(600), Normalisation(), [600])
    continued = last(model, numbered(600), Normalisation(), [600], start=whole.first(256))
    assert model.batches[0][0] == 256 and sum(map(len, model.batches)) == 344
    assert torch.equal(continued.predictions, whole.predictions) and torch.equal(
        continued.correct, whole.correct
    )


def test_nothing_left_to_do_yields_nothing():
    whole = last(Counting(), numbered(10), Normalisation(), [10])
    assert list(evaluate(Counting(), numbered(10), Normalisation(), [10], start=whole)) == []
    assert len(EMPTY) == 0


def test_out_of_memory_halves_the_batch_goes_on_and_says_so():
    model, notes = Counting(limit=50), []
    tally = last(model, numbered(300), Normalisation(), [300], Execution(notes=notes.append))
    assert notes == [
        "Device memory ran out: evaluated in batches of 64.",
        "Device memory ran out: evaluated in batches of 32.",
    ]
    assert list(chain(*model.batches)) == list(range(300)) and max(map(len, model.batches)) == 32
    assert torch.equal(tally.correct, last(Counting(), numbered(300), Normalisation(), [300]).correct)


def test_a_single_sample_that_does_not_fit_is_an_error():
    with pytest.raises(torch.OutOfMemoryError):
        last(Counting(limit=0), numbered(3), Normalisation(), [3])


def test_the_model_runs_without_gradients_on_normalised_inputs():
    class Seen(Counting):
        def forward(self, x):
            assert torch.is_inference_mode_enabled() and float(x.min()) == -1
            return super().forward((x + 1) * 2)

    assert int(last(Seen(), numbered(4), Normalisation(0.5, (1.0,), (1.0,)), [4]).correct.sum()) == 2
