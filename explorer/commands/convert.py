"""A .pt file of weights -> .safetensors, read as data only, so that no code in it can run."""

import argparse
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors
import torch
from safetensors.torch import save
from torch import Tensor

from ..errors import LoadError
from .prune import write

NESTED = ("state_dict", "model_state_dict", "model", "module", "net")  # where training programs put weights
UNREADABLE = (pickle.UnpicklingError, safetensors.SafetensorError, RuntimeError, EOFError, OSError, ValueError, KeyError)
PARALLEL = "module."  # what DataParallel puts before every name


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", metavar="IN.pt", help="a file that torch.save wrote, with a state dict in it")
    parser.add_argument("target", metavar="OUT.safetensors", help="the file to write")


def run(arguments: argparse.Namespace) -> None:
    """Convert.

    Raises:
        LoadError: the source is missing, damaged, or holds more than tensors.
    """
    write(arguments.target, save(read_pt(arguments.source)))


def read_pt(path: str) -> dict[str, Tensor]:
    """The tensors of a .pt file, each with memory of its own.

    Raises:
        LoadError: no such file, not one of tensors only, or one without any.
    """
    if not Path(path).is_file():
        raise LoadError(f"There is no file {path!r}; give the path of a .pt file.")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except UNREADABLE as error:
        way = "save model.state_dict() alone and convert that."
        raise LoadError(f"{Path(path).name!r} is damaged or holds more than tensors, which could run code; {way}") from error
    return _tensors(content, Path(path).name)


def _tensors(content: Any, name: str) -> dict[str, Tensor]:
    if isinstance(content, Mapping):
        inner = next((content[key] for key in NESTED if isinstance(content.get(key), Mapping)), content)
        found = {str(key): value for key, value in inner.items() if isinstance(value, Tensor)}
        if found:
            strip = all(key.startswith(PARALLEL) for key in found)
            return {key.removeprefix(PARALLEL) if strip else key: value.contiguous().clone() for key, value in found.items()}
    raise LoadError(f"{name!r} holds no tensors by name; save model.state_dict() and convert that.")
