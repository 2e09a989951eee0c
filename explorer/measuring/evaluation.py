"""model + samples -> accuracy and loss, streamed: a first chunk gives an early number, then chunks double."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from ..machine.cache import Cache
from ..values.samples import Split, moved
from ..values.subject import Normalisation
from .judging import Judge
from .tally import EMPTY, Tally, joined, judged

# samples per forward; fixed, so that the same recipe always gives the same losses. On six samples, dense and
# pruned, batches of 64 to 512 counted alike but from 256 on losses differed in their last bit, and no size
# was reliably faster on two busy cores
BATCH = {"cpu": 128, "cuda": 1024}
_resident = Cache(4, "data on the device", 8 * 2**30)


# (first sample, one past the last, what reads the inputs of these samples) -> outputs, such as class scores
Forward = Callable[[int, int, Callable[[], Tensor]], Any]


@dataclass(frozen=True)
class Execution:
    """How samples are run through a model.

    Args:
        device: where they run.
        batch: samples of one forward; None = what suits the device.
        notes: called with a sentence when memory ran out and batches were halved.
        forward: runs in place of the model, with the same outputs.
        judge: judges the outputs; None: as class scores.
    """

    device: str = "cpu"
    batch: int | None = None
    notes: Callable[[str], None] = lambda note: None
    forward: Forward | None = None
    judge: Judge | None = None


ON_CPU = Execution()


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

    Between two looks nothing waits for the device: batches are queued, and their Tally stays on it.

    Args:
        looks: sample counts, rising.
        start: what is already known; only later samples are run.
    """
    known, done, batch = start, len(start), how.batch or batch_size(how.device)
    forward = how.forward or (lambda start, stop, read: model(read()))
    work = _Work(model, forward, split, normalisation, how)
    while done < looks[-1]:
        goal = next(look for look in looks if look > done)
        until = min(done + batch, goal)
        try:
            tally = work.run(done, until)
        except torch.OutOfMemoryError:
            if batch == 1:
                raise
            batch //= 2
            how.notes(f"Device memory ran out: evaluated in batches of {batch}.")
            torch.cuda.empty_cache()
            continue
        known = joined([known, tally]) if len(known) else tally
        done = until
        if done == goal:
            known = known.cpu()
        yield known


def batch_size(device: str) -> int:
    """Return the number of samples of one forward on a device."""
    return BATCH.get(torch.device(device).type, BATCH["cpu"])


def resident(split: Split, device: str) -> Split:
    """Return the split on the device, as small as it is stored (pictures as bytes); created once, outside
    inference mode.

    A split that does not fit stays where it is, and its batches are moved one by one.
    """
    if torch.device(device).type == "cpu":
        return split
    if type(split) is not Split or not all(isinstance(t, Tensor) for t in (split.inputs, split.targets)):
        return split
    key = (split.inputs.data_ptr(), len(split), device)
    known: tuple[Split, Split] | None = _resident.get(key)
    if known is not None:
        return known[1]
    try:
        there = replace(split, inputs=split.inputs.to(device), targets=split.targets.to(device))
        # with the original, so that nothing else can get its address
        return _resident.put(key, (split, there))[1]
    except torch.OutOfMemoryError:
        torch.cuda.empty_cache()
        return split


@dataclass(frozen=True, eq=False)
class _Work:
    """One model on one split."""

    model: nn.Module
    forward: Forward
    split: Split
    normalisation: Normalisation
    how: Execution

    def run(self, start: int, stop: int) -> Tally:
        device, judge = self.how.device, self.how.judge
        here = resident(self.split, device)

        def read() -> Tensor:
            return inputs_of(here, self.normalisation, start, stop, device)

        with torch.inference_mode():
            targets = moved(here.targets_at(start, stop), device)
            tally = self._judged(judge, targets, start, stop, read)
            return tally if here.units is None else replace(tally, units=here.units[start:stop])

    def _judged(
        self, judge: Judge | None, targets: Any, start: int, stop: int, read: Callable[[], Tensor]
    ) -> Tally:
        if judge is None:
            return judged(self.forward(start, stop, read), targets)
        if judge.scores is not None:
            return judge.of_scores(self.model, read(), targets)
        return judge(self.forward(start, stop, read), targets)


def inputs_of(split: Split, normalisation: Normalisation, start: int, stop: int, device: str) -> Tensor:
    """Return samples `start` to `stop` as a model reads them, on the device."""
    inputs = normalisation(moved(split.inputs_at(start, stop), device))
    return inputs.contiguous(memory_format=torch.channels_last) if inputs.dim() == 4 else inputs


def batch_of(
    split: Split, normalisation: Normalisation, start: int, stop: int, device: str
) -> tuple[Tensor, Any]:
    """Return samples `start` to `stop` as a model reads them, (n, *shape) float32, and their targets, on the
    device.
    """
    targets = moved(split.targets_at(start, stop), device)
    return inputs_of(split, normalisation, start, stop, device), targets
