"""Loads a task of the user's own from file.py:make, and fits it to its model."""

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..errors import LoadError
from ..machine.foreign_code import description
from ..registry import METRICS
from ..values.inputs import InputPart, in_one_row
from ..values.metric import Metric
from ..values.samples import DerivedSplit, ReadSplit, Split, leaves_of
from ..values.subject import OF_CLASSES, Normalisation, Subject, Task
from .python_file import imported, run_foreign
from .random_inputs import agreement_task, needs_no_data

SPEC = re.compile(r"^(?P<path>.+\.py):(?P<name>[A-Za-z_]\w*)\Z")


def own_task(spec: str) -> Task:
    """Return the task that path/file.py:make returns, or the one of that name; a data set alone becomes a
    task that is measured by accuracy. Its code runs, so the name comes from the command line only.

    Raises:
        LoadError: there is no such file or name, it fails, or returns no task.
    """
    match = SPEC.match(spec)
    if match is None:
        raise LoadError(f"A task of your own is named path/file.py:make, got {spec[:200]!r}.")
    path, name = Path(match["path"]).expanduser(), match["name"]
    task = getattr(imported(path), name, None)
    if task is None:
        raise LoadError(f"{path.name} has no {name!r}; name the function that returns your explorer.Task.")
    if callable(task) and not isinstance(task, Task):
        task = run_foreign(task, path)
    code = hashlib.sha256(path.read_bytes() + spec.encode()).hexdigest()[:16]
    if not isinstance(task, Task):
        task = run_foreign(lambda: Task(f"{path.name}:{name}", data=task), path)
    return task if task.fingerprint else replace(task, fingerprint=code)


def with_metrics(subject: Subject, names: Sequence[str | Metric]) -> Subject:
    """Return the subject measured by other metrics; the first decides.

    Raises:
        UnknownNameError: there is no metric of that name.
        LoadError: it has no data.
    """
    for name in names:
        if isinstance(name, str):
            METRICS[name]
    if subject.task is None and needs_no_data(names):
        return replace(subject, task=agreement_task(subject, names))
    if subject.task is None:
        raise LoadError(
            f"{subject.name!r} has no data to measure {', '.join(map(str, names))} on; add some with --data "
            "or --task. Agreement with the dense model needs none: --metric same_answer or cosine_similarity."
        )
    return replace(subject, task=replace(subject.task, metric=tuple(names), scores=None))


def with_task(subject: Subject, task: Task) -> Subject:
    """Return the subject measured on a task, whose inputs become the model's.

    Raises:
        LoadError: the model does not run on them, or they have another shape than it was analysed for.
    """
    pack = _packing(subject)
    first = _split(task, "tuning", pack)
    task = task if task.answer or not subject.outputs else replace(task, answer=subject.outputs)
    if first is None:
        raise LoadError(f"Task {task.name!r} has no tuning split; give it data, or a dict with 'tuning'.")
    inputs = first.inputs_at(0, min(2, len(first)))
    _check_repeated(task)
    if not isinstance(inputs, Tensor) or inputs.is_complex():
        form = inputs.dtype if isinstance(inputs, Tensor) else f"a {type(inputs).__name__}"
        raise LoadError(f"{subject.name!r} reads numbers, but inputs of task {task.name!r} are {form}.")
    rule = _rule(task.normalisation, inputs, subject)
    ready = rule(inputs)
    wanted = tuple(subject.example.shape[1:])
    if tuple(ready.shape[1:]) != wanted:
        raise LoadError(
            f"Inputs of task {task.name!r} have the shape {tuple(ready.shape[1:])}, but {subject.name!r} "
            f"reads {wanted}."
        )
    outputs = _run(subject, ready, task)
    _check_steady(subject, task, (ready, first.targets_at(0, len(inputs))), outputs)
    fitted = replace(
        task,
        shape=wanted,
        class_names=task.class_names or _class_names(task, outputs, subject),
        load_split=lambda name: _split(task, name, pack),
        data=None,
        normalisation=rule,
    )
    about = {key: value for key, value in subject.card.items() if key == "description"}
    return replace(subject, task=fitted, card=about)


def _split(task: Task, name: str, pack: Callable[[Any], Tensor]) -> Split | None:
    split = task.split(name)  # type: ignore[arg-type]
    if split is None or (type(split) is Split and isinstance(split.inputs, Tensor)):
        return split
    return DerivedSplit(split, pack)


def _packing(subject: Subject) -> Callable[[Any], Tensor]:
    """Return how a tree of inputs becomes the one tensor that the model of a subject reads (see
    `InputPart`).
    """
    parts: tuple[InputPart, ...] = subject.reads

    def pack(tree: Any) -> Tensor:
        given = [tree[part.name] for part in parts] if _is_named(tree, parts) else leaves_of(tree)
        if len(given) != max(1, len(parts)):
            wanted = ", ".join(repr(part.name) for part in parts) or "one input"
            raise LoadError(
                f"{subject.name!r} reads {wanted}, but the data has {len(given)} inputs a sample; a "
                "sample is a pair (inputs, target)."
            )
        return given[0] if len(given) == 1 else in_one_row(given)

    return pack


def _is_named(tree: Any, parts: Sequence[InputPart]) -> bool:
    return isinstance(tree, dict) and bool(parts) and all(part.name in tree for part in parts)


def _rule(given: Normalisation, inputs: Tensor, subject: Subject) -> Normalisation:
    """Return the task's own rule; without one, that of the model for bytes; whole numbers stay whole for a
    model that reads such.
    """
    if given != Normalisation():
        return given
    if inputs.dtype == torch.uint8:
        return subject.preset.normalisation
    return Normalisation(
        whole=any(part.is_whole for part in subject.reads) and not inputs.is_floating_point()
    )


def _run(subject: Subject, inputs: Tensor, task: Task) -> Any:
    try:
        with torch.inference_mode():
            outputs = subject.model(inputs)
        return outputs if task.answer is None else task.answer(outputs)
    except Exception as error:  # the border of the user's code
        raise LoadError(
            f"{subject.name!r} does not run on the inputs of task {task.name!r} ({description(error)})."
        ) from error


def _check_steady(subject: Subject, task: Task, batch: tuple[Any, Any], outputs: Any) -> None:
    """Refuse a metric of the user's own that gives other numbers for the same batch. What else is wrong with
    it, such as a wrong shape, is said where it is used.

    Raises:
        LoadError: its numbers change.
    """
    ways: dict[str, Callable[[], Any]] = {
        f"Metric {metric.name!r}": partial(metric.statistics, outputs, batch[1])
        for metric in task.metrics
        if isinstance(metric, Metric) and metric.needs == "targets"
    }
    if task.scores is not None:
        scores = task.scores
        ways = {"scores(model, batch)": lambda: scores(subject.model, batch)}
    for what, number in ways.items():
        try:
            with torch.inference_mode():
                one, other = number(), number()
                same = torch.equal(one.nan_to_num(), other.nan_to_num())
        except Exception:  # the border of the user's code
            continue
        if not same:
            raise LoadError(
                f"{what} of task {task.name!r} gives other numbers for the same samples each time; seed what "
                "is random in it."
            )


def _check_repeated(task: Task) -> None:
    """Refuse a data set whose samples are others each time they are read.

    Raises:
        LoadError: they are.
    """
    split = task.split("tuning")
    if not isinstance(split, ReadSplit):
        return
    numbers = split.numbers[:2]
    one, other = (leaves_of(split.source.read(numbers)) for _ in range(2))
    pairs = zip(one, other, strict=True)
    if any(isinstance(a, Tensor) and a.shape == b.shape and not torch.equal(a, b) for a, b in pairs):
        raise LoadError(
            f"Data set {task.name!r} gives another sample {numbers[0]} each time it is read; seed what is "
            "random in it, or leave random changes to the training split."
        )


def _class_names(task: Task, outputs: Any, subject: Subject) -> tuple[str, ...]:
    """Return the model's class names, or numbers; none if outputs are not classes."""
    if task.scores is not None or task.metrics[0] not in OF_CLASSES:
        return ()
    if not isinstance(outputs, Tensor) or outputs.dim() != 2:
        return ()
    known = subject.preset.class_names
    return known if len(known) == outputs.shape[1] else tuple(map(str, range(outputs.shape[1])))
