"""MODEL, --data, --checkpoint and --device: from words to a Subject and its graph."""

import argparse
import difflib
from collections.abc import Sequence
from dataclasses import replace

import torch

from ..cli import VERBS
from ..environment import pick_device, usable_threads
from ..errors import ExplorerError, UnknownNameError
from ..graph.export import ModelGraph, analyse
from ..loaders import load, split_spec
from ..registry import DATA, LOADERS, SAMPLES
from ..values import Subject, Task


def add_model(parser: argparse.ArgumentParser, *, several: bool = False) -> None:
    """MODEL, and where its weights and data come from."""
    help = "a sample's name (see 'pruning-explorer models'), LOADER:NAME or FILE.py:FACTORY"
    parser.add_argument("model", metavar="MODEL", nargs="+" if several else None, help=help)
    parser.add_argument("--checkpoint", metavar="FILE", help="other weights (.safetensors) for the same architecture")
    parser.add_argument("--data", metavar="SOURCE", help="data set, instead of the model's own")


def add_device(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--device", default="auto", metavar="D", help="auto, cpu, cuda or mps (default: auto)")


def set_up(device: str = "cpu") -> str:
    """Threads as the page has them, so that both give equal numbers; returns the device's kind.

    Raises:
        ExplorerError: this machine has no such device.
    """
    torch.set_num_threads(usable_threads())
    return pick_device(device).type


def check_names(models: Sequence[str], checkpoint: str | None) -> None:
    """Names that cannot be models are refused before anything is started.

    Raises:
        ExplorerError: the text says what there is, and what was perhaps meant.
    """
    if checkpoint and len(models) != 1:
        raise ExplorerError(f"--checkpoint gives weights to one MODEL; name exactly one, got {len(models)}.")
    for model in models:
        loader, name = split_spec(model)
        if loader == "sample" and name not in SAMPLES:
            if name in VERBS:
                raise ExplorerError(f"{name!r} is a command and must come first: 'pruning-explorer {name} ...'.")
            near = difflib.get_close_matches(name, [*SAMPLES, *VERBS], 1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise ExplorerError(f"{UnknownNameError('sample model', name, SAMPLES)}{hint}")
        LOADERS[loader]


def load_model(spec: str, data: str | None = None, checkpoint: str | None = None) -> Subject:
    """The model with the data that it is asked to be measured on.

    Raises:
        ExplorerError: there is no such model or data set, or they do not fit each other.
    """
    subject = load(spec, checkpoint=checkpoint)
    return subject if data is None else with_data(subject, data)


def with_data(subject: Subject, source: str) -> Subject:
    """The subject on another data set; its card stays behind, since it speaks of the old one.

    Raises:
        ExplorerError: no such data set, or its inputs or classes are not those of the model.
    """
    name, _, rest = source.partition(":")
    task: Task = DATA[name](rest) if rest else DATA[name]()
    expected = tuple(subject.example.shape[1:])
    if task.shape != expected:
        raise ExplorerError(f"Inputs of data set {source!r} have the shape {task.shape}, but {subject.name!r} reads {expected}.")
    with torch.inference_mode():
        classes = subject.model(subject.example).shape[-1]
    if classes != len(task.class_names):
        raise ExplorerError(f"Data set {source!r} has {len(task.class_names)} classes, but {subject.name!r} knows {classes}.")
    return subject if subject.task and subject.task.name == task.name else replace(subject, task=task, card={})


def opened(arguments: argparse.Namespace) -> tuple[Subject, ModelGraph]:
    """The subject and graph of the parsed arguments."""
    subject = load_model(arguments.model, arguments.data, arguments.checkpoint)
    return subject, analyse(subject)
