"""model + samples -> accuracy and loss, streamed: a first chunk answers at once, chunks double."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from ..machine.cache import Cache
from ..values.report import Measurement
from ..values.subject import Normalisation, Split
from .statistics import wilson

# samples a forward; fixed, so that the same recipe always gives the same losses. On six samples, dense and
# pruned, batches of 64 to 512 counted alike but from 256 on losses differed in their last bit, and no size
# was reliably faster on two busy cores
BATCH = {"cpu": 128, "cuda": 1024}
_resident = Cache(4, "data on the device", 8 * 2**30)


# (first sample, one past the last, what reads the inputs of these samples) -> (samples, classes) logits
Forward = Callable[[int, int, Callable[[], Tensor]], Tensor]


@dataclass(frozen=True, eq=False)
class Tally:
    """What is known after the first `samples` samples.

    Args:
        correct: (samples,) bool, in the split's order.
        predictions: (samples,) int64.
        losses: (samples,) float32 cross-entropy.
    """

    correct: Tensor
    predictions: Tensor
    losses: Tensor

    def __len__(self) -> int:
        return len(self.correct)

    def cpu(self) -> "Tally":
        return Tally(self.correct.cpu(), self.predictions.cpu(), self.losses.cpu())

    def first(self, samples: int) -> "Tally":
        return Tally(self.correct[:samples], self.predictions[:samples], self.losses[:samples])

    def measurement(self) -> Measurement:
        """Accuracy with its 95 % Wilson interval, and mean loss."""
        samples, correct = len(self), int(self.correct.sum())
        low, high = wilson(correct, samples)
        return Measurement(correct / samples, low, high, float(self.losses.double().mean()), samples, correct)


@dataclass(frozen=True)
class Execution:
    """How samples are run through a model.

    Args:
        device: where.
        batch: samples of one forward; None = what suits the device.
        notes: called with a sentence when memory ran out and batches were halved.
        forward: what runs in place of the model, with the same answers.
    """

    device: str = "cpu"
    batch: int | None = None
    notes: Callable[[str], None] = lambda note: None
    forward: Forward | None = None


ON_CPU = Execution()
EMPTY = Tally(torch.zeros(0, dtype=torch.bool), torch.zeros(0, dtype=torch.long), torch.zeros(0))


def evaluate(
    model: nn.Module,
    split: Split,
    normalisation: Normalisation,
    looks: Sequence[int],
    how: Execution = ON_CPU,
    *,
    start: Tally = EMPTY,
) -> Iterator[Tally]:
    """Yield a growing Tally at each batch; one at each of `looks` (sample counts) is complete, and on the
    CPU.

    Between two looks nothing waits for the device: batches are queued, and their Tally lies where it was
    made.

    Args:
        looks: sample counts, rising.
        start: what is known already; only later samples are run.
    """
    parts = [start] if len(start) else []
    done, batch = len(start), how.batch or batch_size(how.device)
    forward = how.forward or _whole(model)
    while done < looks[-1]:
        goal = next(look for look in looks if look > done)
        until = min(done + batch, goal)
        try:
            tally = _run(forward, split, normalisation, done, until, how.device)
        except torch.OutOfMemoryError:
            if batch == 1:
                raise
            batch //= 2
            how.notes(f"Device memory ran out: evaluated in batches of {batch}.")
            torch.cuda.empty_cache()
            continue
        parts.append(tally)
        done = until
        if done == goal:
            parts[:] = [joined(parts).cpu()]
        yield joined(parts)


def batch_size(device: str) -> int:
    """Samples of one forward on a device."""
    return BATCH.get(torch.device(device).type, BATCH["cpu"])


def joined(parts: Sequence[Tally]) -> Tally:
    """Tallies of one batch after the other as one; where they lie on several devices, on the last one's."""
    if len(parts) == 1:
        return parts[0]
    where = parts[-1].correct.device
    return Tally(
        *(torch.cat([getattr(p, f).to(where) for p in parts]) for f in ("correct", "predictions", "losses"))
    )


def resident(split: Split, device: str) -> Split:
    """The split on the device, as small as it is stored (pictures as bytes); made once, outside of inference
    mode.

    A split that does not fit stays where it is, and its batches travel one by one.
    """
    if torch.device(device).type == "cpu":
        return split
    key = (split.inputs.data_ptr(), len(split), device)
    known: tuple[Split, Split] | None = _resident.get(key)
    if known is not None:
        return known[1]
    try:
        moved = replace(split, inputs=split.inputs.to(device), targets=split.targets.to(device))
        return _resident.put(key, (split, moved))[
            1
        ]  # with the original, so that nothing else can get its address
    except torch.OutOfMemoryError:
        torch.cuda.empty_cache()
        return split


def _whole(model: nn.Module) -> Forward:
    return lambda start, stop, read: model(read())


def _run(
    forward: Forward, split: Split, normalisation: Normalisation, start: int, stop: int, device: str
) -> Tally:
    here = resident(split, device)

    def read():
        return batch_of(here, normalisation, start, stop, device)[0]

    with torch.inference_mode():
        return judged(forward(start, stop, read), here.targets[start:stop].to(device, non_blocking=True))


def batch_of(
    split: Split, normalisation: Normalisation, start: int, stop: int, device: str
) -> tuple[Tensor, Tensor]:
    """Samples `start` to `stop` as a model reads them, (n, *shape) float32 and (n,) targets, on the
    device.
    """
    inputs = normalisation(split.inputs[start:stop].to(device, non_blocking=True))
    targets = split.targets[start:stop].to(device, non_blocking=True)
    return (inputs.contiguous(memory_format=torch.channels_last) if inputs.dim() == 4 else inputs), targets


def judged(logits: Tensor, targets: Tensor) -> Tally:
    """What (n, classes) logits say about (n,) targets, on their device."""
    logits = logits.float()
    predictions = logits.argmax(1)
    losses = nn.functional.cross_entropy(logits, targets, reduction="none")
    return Tally(predictions == targets, predictions, losses)
