"""Turns a MODEL text into a subject: the loader that it names, and the data that the model is tested on."""

from dataclasses import replace
from pathlib import PurePath

import torch

from ..data.reader import Kinds, Reader
from ..data.source_text import load_data
from ..errors import LoadError
from ..registry import LOADERS
from ..values.inputs import InputPart
from ..values.subject import Subject, Task
from .output_kind import reading_scores
from .own_task import own_task, with_metrics, with_task

DEFAULT_MODEL = "shapes-resnet"


FILES = (".pt", ".pth", ".pt2", ".bin", ".ckpt", ".pkl", ".onnx", ".safetensors", ".h5")


def split_spec(spec: str) -> tuple[str, str]:
    """Split a MODEL text into loader and name: "torchvision:resnet50", "FILE.py:factory"; without a prefix, a
    sample.

    >>> split_spec("shapes-resnet"), split_spec("torchvision:resnet50"), split_spec("nets/mine.py:build")
    (('sample', 'shapes-resnet'), ('torchvision', 'resnet50'), ('python_file', 'nets/mine.py:build'))
    """
    before, colon, after = spec.partition(":")
    if spec.endswith(".py") or ".py:" in spec or ".py@" in spec:
        return "python_file", spec.removeprefix("python_file:")
    return (before, after) if colon else ("sample", spec)


def is_local_only(spec: str) -> bool:
    """Whether a MODEL text reads paths or runs code, so that it must come from the command line."""
    loader, _ = split_spec(spec)
    return bool(LOADERS[loader].traits.get("local_only", False))


def check_named(name: str) -> None:
    """Refuse a name from a file, a link or a page that would read paths or run code.

    Raises:
        UnknownNameError: there is no such loader.
        LoadError: the name is allowed on the command line only.
    """
    if is_local_only(name):
        raise LoadError(
            f"{name[:80]!r} reads files or runs code of this machine, which only the command line may ask "
            "for; name a sample model instead."
        )


def load_named(name: str) -> Subject:
    """Load a name that comes from a file, a link or a page. Such names must be loaded through this function
    only.

    Raises:
        UnknownNameError, LoadError: as of `check_named` and `load`.
    """
    check_named(name)
    return load(name)


def load(
    spec: str,
    *,
    checkpoint: str | None = None,
    data: str | None = None,
    task: str | None = None,
    metric: str | None = None,
) -> Subject:
    """Load the model that a MODEL text names, in eval mode, with its task.

    Args:
        spec: a sample's name, or "loader:name", or "FILE.py:factory".
        checkpoint: a weights file that replaces the model's own.
        data: a data set (see `load_data`) instead of the model's own.
        task: a task of the user's own, "path/file.py:make", instead of data.
        metric: names of metrics, separated by commas, instead of the task's own; the first decides.
    Raises:
        UnknownNameError: no such loader, model or data set; the message lists what exists.
        LoadError: model, weights or data could not be loaded, or do not fit each other.
    """
    loader, name = split_spec(spec)
    if PurePath(spec).suffix.lower() in FILES and loader == "sample":
        way = "name the architecture, and give the weights with --checkpoint FILE.safetensors."
        raise LoadError(
            f"{spec[-80:]!r} is a file, and files of models are not opened, since they can hold code; {way}"
        )
    subject = LOADERS[loader](name, checkpoint=checkpoint)
    if task is not None:
        if data is not None:
            raise LoadError("A task brings its own data; give either --data or --task.")
        subject = with_task(subject, own_task(task))
    elif data is not None:
        subject = with_data(subject, data)
    if metric is not None:
        subject = with_metrics(subject, [name.strip() for name in metric.split(",")])
    if subject.task is None or loader == "sample":
        return subject
    measured = subject.task
    if measured.answer is None and measured.scores is None:
        measured = replace(measured, answer=subject.outputs)
    return replace(subject, task=reading_scores(subject, measured))


def with_data(subject: Subject, source: str) -> Subject:
    """Return the subject on another data set. Only the description is kept from its card, since the rest is
    about the old data.

    Raises:
        UnknownNameError: no such data set.
        LoadError: it cannot be read, or its inputs or classes are not those of the model.
    """
    shape, classes = tuple(subject.example.shape[1:]), scored_classes(subject)
    part = subject.reads[0] if len(subject.reads) == 1 else InputPart("", shape)
    answer = _answers(subject, classes)
    reader = Reader(shape, classes, subject.preset, part.is_whole, part.numbers, answer, subject.text)
    several = len(subject.reads) > 1
    task = load_data(source, replace(reader, parts=subject.reads) if several else reader)
    if several or not task.tells_classes:
        return with_task(subject, task)
    classes = count_classes(subject)
    if classes == 1 and len(task.class_names) == 2:
        return with_task(subject, yes_or_no(task))
    if task.shape != shape:
        raise LoadError(
            f"Inputs of data set {source!r} have the shape {task.shape}, but {subject.name!r} reads {shape}."
        )
    if len(task.class_names) != classes:
        raise LoadError(
            f"Data set {source!r} has {len(task.class_names)} classes, but {subject.name!r} knows {classes}; "
            "inputs without labels (npy:FILE, npz:FILE, sounds without subfolders) are measured by agreement "
            "with the dense model."
        )
    if subject.task and subject.task.fingerprint == task.fingerprint:
        return subject
    return replace(
        subject, task=task, card={key: value for key, value in subject.card.items() if key == "description"}
    )


def yes_or_no(task: Task) -> Task:
    """Return a task of two classes as one for a model with one output: above 0 means the second class."""
    no, yes = task.class_names
    told = f"The model has one output: above 0 means {yes!r}, otherwise {no!r}."
    return replace(task, metric="binary_accuracy", how=(*task.how, told))


def scored_classes(subject: Subject) -> int | None:
    """How many classes the model tells apart; None where it does not answer with a row of scores a sample."""
    try:
        found = count_classes(subject)
    except LoadError:
        return None
    return found if found > 1 else None


def _answers(subject: Subject, classes: int | None) -> Kinds:
    """Return what the model answers a sample with."""
    if classes is not None:
        return "classes"
    with torch.inference_mode():
        output = subject.answer(subject.example)
    one = isinstance(output, torch.Tensor) and output.numel() == len(subject.example)
    return "one number" if one else "anything"


def count_classes(subject: Subject) -> int:
    """Return the number of classes of the model.

    Raises:
        LoadError: its output is not one row of scores for each input, so accuracy has no meaning.
    """
    with torch.inference_mode():
        output = subject.answer(subject.example)
    if not isinstance(output, torch.Tensor) or output.dim() != 2 or len(output) != len(subject.example):
        what = (
            f"a tensor of shape {tuple(output.shape)}"
            if isinstance(output, torch.Tensor)
            else f"a {type(output).__name__}"
        )
        told = f"{subject.name!r} answers with {what} instead of one row of class scores for each input"
        raise LoadError(f"{told}, so accuracy cannot be measured; leave out --data.")
    return output.shape[1]
