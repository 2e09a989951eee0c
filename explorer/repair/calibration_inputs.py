"""The training inputs for a repair, without labels: few for a large model, many for a small one."""

from collections.abc import Sequence

from torch import Tensor

from ..graph.analysed import Analysed
from ..graph.running import fixed_batch

MOST, LEAST = 1024, 64
WORK = 6e9  # multiply-adds of one forward of all samples
NUMBERS = 64_000_000  # of inputs, all samples together
BATCHES = 5  # at least, so that one can be held back
BATCH = 64
QUICK = 1e10  # multiply-adds of all samples, up to which a repair takes seconds at the most


def samples_of(macs: int, numbers: int) -> int:
    """Return the number of samples to use.

    Args:
        macs: multiply-adds for one sample.
        numbers: in one sample's input.

    >>> samples_of(10**6, 64), samples_of(41_000_000, 3072), samples_of(4 * 10**9, 150_528)
    (1024, 146, 64)
    """
    affordable = min(int(WORK / max(1, macs)), NUMBERS // max(1, numbers))
    return min(MOST, max(LEAST, affordable))


def is_quick(macs: int, numbers: int) -> bool:
    """A repair is done in a moment; arguments as of `samples_of`.

    >>> is_quick(41_000_000, 3072), is_quick(4 * 10**9, 150_528)
    (True, False)
    """
    return macs * samples_of(macs, numbers) <= QUICK


def calibration_batches(model: Analysed, device: str = "cpu") -> Sequence[Tensor]:
    """Return the first training inputs, normalised, in batches of nearly equal size; none if there is no
    training data. Labels are not read.
    """
    task = model.subject.task
    training = task.split("training") if task else None
    if task is None or training is None:
        return []
    inputs: Tensor = training.inputs
    count = min(len(inputs), samples_of(model.profile.macs, max(1, inputs[:1].numel())))
    return [task.normalisation(part.to(device)) for part in _parts(model, inputs[:count])]


def _parts(model: Analysed, inputs: Tensor) -> Sequence[Tensor]:
    fixed = fixed_batch(model.graph.program) if model.graph.program is not None else None
    if fixed:
        return [part for part in inputs.split(fixed) if len(part) == fixed]
    return (
        inputs.tensor_split(min(len(inputs), max(BATCHES, -(-len(inputs) // BATCH)))) if len(inputs) else []
    )
