"""Turns a model without data into a task that needs none: agreement with the dense model on random inputs."""

from dataclasses import replace

import torch
from torch import Tensor

from ..graph.analysed import Analysed
from ..loaders.output_kind import reading_scores
from ..machine.cache import Cache
from ..values.inputs import InputPart, in_one_row
from ..values.samples import Split
from ..values.subject import Normalisation, Subject, Task

SAMPLES, SEED = 128, 0
OF_CLASSES, OF_ANYTHING = ("same_answer", "kl_divergence"), ("cosine_similarity", "relative_error")
NAME = "random inputs"
NOTE = (
    f"No data: what is measured is agreement with the dense model on {SAMPLES} random inputs, which says "
    "little of real ones. Start with --data to add some."
)
_tasks = Cache(16, "random inputs")


def with_agreement(model: Analysed) -> Analysed:
    """Return the model itself if it has data; otherwise with random inputs, and agreement as its metric."""
    subject = model.subject
    if subject.task is not None:
        return model
    task = _tasks.get(subject.id) or _tasks.put(subject.id, _task(subject))
    return Analysed(replace(subject, task=task), model.graph)


def _task(subject: Subject) -> Task:
    inputs = random_inputs(subject)
    rule = Normalisation(whole=not inputs.is_floating_point())
    metrics = OF_CLASSES if _has_classes(subject) else OF_ANYTHING
    task = Task(
        NAME, tuple(inputs.shape[1:]), normalisation=rule, data={"tuning": Split(inputs)}, metric=metrics
    )
    return reading_scores(subject, task)


def random_inputs(subject: Subject) -> Tensor:
    """Return (SAMPLES, *shape) numbers that the model can read, from one seed."""
    shape, generator = tuple(subject.example.shape[1:]), torch.Generator().manual_seed(SEED)
    parts = subject.reads or (InputPart("", shape),)
    drawn = [part.drawn(SAMPLES, generator) for part in parts]
    return drawn[0] if len(drawn) == 1 else in_one_row(drawn)


def _has_classes(subject: Subject) -> bool:
    """Whether the model answers with one row of scores a sample."""
    with torch.inference_mode():
        found = subject.model(subject.example)
    return isinstance(found, Tensor) and found.dim() == 2 and found.shape[1] > 1
