"""A task that needs no data: agreement with the dense model on random inputs."""

from collections.abc import Sequence

import torch
from torch import Tensor

from ..registry import METRICS
from ..values.inputs import InputPart, in_one_row
from ..values.metric import Metric
from ..values.samples import Split
from ..values.subject import Normalisation, Subject, Task
from .output_kind import reading_scores

SAMPLES, SEED = 128, 0
OF_CLASSES, OF_ANYTHING = ("same_answer", "kl_divergence"), ("cosine_similarity", "relative_error")
NAME = "random inputs"
NOTE = (
    f"No data: what is measured is agreement with the dense model on {SAMPLES} random inputs, which says "
    "little of real ones. Start with --data to add some."
)


def needs_no_data(metrics: Sequence[str | Metric]) -> bool:
    """Whether the dense model's outputs are the targets of all these metrics."""
    found = [METRICS[metric]() if isinstance(metric, str) else metric for metric in metrics]
    return all(metric.needs == "dense" for metric in found)


def agreement_task(subject: Subject, metrics: Sequence[str | Metric] = ()) -> Task:
    """Return random inputs, and what agreement is measured by; by default, what suits the model's outputs."""
    inputs = random_inputs(subject)
    rule = Normalisation(whole=not inputs.is_floating_point())
    task = Task(
        NAME,
        tuple(inputs.shape[1:]),
        normalisation=rule,
        note=NOTE,
        fingerprint=f"{NAME} {SAMPLES} {SEED}",
        data={"tuning": Split(inputs)},
        metric=tuple(metrics) or _metrics(subject),
        answer=subject.outputs,
    )
    return reading_scores(subject, task)


def random_inputs(subject: Subject) -> Tensor:
    """Return (SAMPLES, *shape) numbers that the model can read, from one seed."""
    shape, generator = tuple(subject.example.shape[1:]), torch.Generator().manual_seed(SEED)
    parts = subject.reads or (InputPart("", shape),)
    drawn = [part.drawn(SAMPLES, generator) for part in parts]
    return drawn[0] if len(drawn) == 1 else in_one_row(drawn)


def _metrics(subject: Subject) -> tuple[str, ...]:
    """Return what suits the outputs: one row of scores a sample is taken for classes."""
    with torch.inference_mode():
        found = subject.answer(subject.example)
    if not isinstance(found, Tensor) or found.dim() != 2 or found.shape[1] < 2:
        return OF_ANYTHING
    return OF_CLASSES
