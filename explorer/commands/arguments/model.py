"""MODEL, --data, --checkpoint and --device: from arguments to a Subject and its graph."""

import argparse
import difflib
from collections.abc import Sequence

import torch

from ...errors import ExplorerError, UnknownNameError
from ...graph.analysed import Analysed, analyse
from ...loaders.model_text import load, split_spec
from ...machine.environment import pick_device, usable_threads
from ...measuring.precision import DTYPES
from ...registry import LOADERS, SAMPLES
from ...values.subject import Subject
from ..printing.output import note
from ..verbs import VERBS
from .data import add_data, data_of
from .task import add_task


def add_model(parser: argparse.ArgumentParser, *, several: bool = False) -> None:
    """Add MODEL and the options for its weights and data."""
    help = "a sample's name (see 'pruning-explorer models'), LOADER:NAME or FILE.py:FACTORY"
    parser.add_argument("model", metavar="MODEL", nargs="+" if several else None, help=help)
    parser.add_argument(
        "--checkpoint",
        metavar="FILE",
        help="other weights for the same architecture: .safetensors, .pt, or a folder",
    )
    add_data(parser, several=several)
    add_task(parser)


def add_device(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--device", default="auto", metavar="D", help="auto, cpu, cuda or mps (default: auto)"
    )


def add_dtype(parser: argparse.ArgumentParser) -> None:
    told = (
        f"number format that models compute in: {', '.join(DTYPES)} (default: float32); its own effect is "
        "measured, too"
    )
    parser.add_argument("--dtype", choices=DTYPES, default="float32", help=told)


def set_up(device: str = "cpu") -> str:
    """Set the number of threads as the page does, so that both give equal numbers; return the kind of device.

    Raises:
        ExplorerError: this machine has no such device.
    """
    torch.set_num_threads(usable_threads())
    return pick_device(device).type


def check_names(models: Sequence[str], checkpoint: str | None) -> None:
    """Refuse names that cannot be models, before anything is started.

    Raises:
        ExplorerError: the message lists the names that exist and may suggest one.
    """
    if checkpoint and len(models) != 1:
        raise ExplorerError(f"--checkpoint gives weights to one MODEL; name exactly one, got {len(models)}.")
    for model in models:
        loader, name = split_spec(model)
        if loader == "sample" and name not in SAMPLES:
            if name in VERBS:
                raise ExplorerError(
                    f"{name!r} is a command and must come first: 'pruning-explorer {name} ...'."
                )
            near = difflib.get_close_matches(name, [*SAMPLES, *VERBS], 1)
            if near:
                raise ExplorerError(
                    f"{UnknownNameError('sample model', name, SAMPLES)} Did you mean {near[0]!r}?"
                )
            load(model)  # raises an error that says what is wrong with it
        LOADERS[loader]


def loaded(model: str, arguments: argparse.Namespace) -> Subject:
    """Return a model with the weights, data, task and metric of the parsed arguments."""
    return load(
        model,
        checkpoint=arguments.checkpoint,
        data=data_of(model, arguments),
        task=arguments.task,
        metric=arguments.metric,
    )


def opened(arguments: argparse.Namespace) -> Analysed:
    """Return the model (subject and graph) that the arguments name."""
    subject = loaded(arguments.model, arguments)
    say_how(subject, has_weights=arguments.checkpoint is not None)
    return analyse(subject)


def say_how(subject: Subject, *, has_weights: bool = False) -> None:
    """Print on stderr how the user's files were used.

    Args:
        has_weights: the model's weights come from a file that is named apart from it; what is said of a model
            of transformers is always printed.
    """
    if (has_weights or subject.name.startswith("hf:")) and "description" in subject.card:
        note(str(subject.card["description"]))
    if subject.task is not None and subject.task.how:
        note(f"Data {subject.task.name}: {' '.join(subject.task.how)}")
