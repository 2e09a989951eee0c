"""A .pt file of weights -> tensors by name, read as data only, so that no code in it can run.

torch's restricted reader refuses everything but tensors and plain containers; what it would still believe is
checked here: packed entries that unpack to anything, and tensors that claim a shape far beyond the bytes
behind them.
"""

import argparse
import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from ..errors import LoadError
from ..machine.whole_file import write_whole

LIMIT = 16 * 1024**3  # bytes of all tensors together
NESTED = ("state_dict", "model_state_dict", "model", "module", "net")  # where training programs put weights
PREFIXES = ("module.", "_orig_mod.")  # what DataParallel and torch.compile put before every name
HARMLESS: list[Any] = [
    argparse.Namespace
]  # the words of a command line, which training programs keep beside the weights
DEPTH = 3  # of containers inside of each other
UNREADABLE = (
    pickle.UnpicklingError,
    zipfile.BadZipFile,
    SafetensorError,
    RuntimeError,
    EOFError,
    OSError,
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    IndexError,
    AssertionError,
    OverflowError,
    RecursionError,
    MemoryError,
)


def convert(source: str | Path, target: str | Path, *, limit: int = LIMIT) -> int:
    """Write the tensors of a .pt file as safetensors; returns the bytes written.

    Raises:
        LoadError: the source is missing, damaged, too large or holds more than tensors, or the target cannot
            be written.
    """
    content = safetensors.torch.save(read_pt(source, limit=limit))
    try:
        write_whole(target, content)
    except OSError as error:
        raise LoadError(
            f"{str(target)!r} cannot be written ({error.strerror}); choose another place."
        ) from error
    return len(content)


def read_pt(path: str | Path, *, limit: int = LIMIT) -> dict[str, Tensor]:
    """The tensors of a .pt file, each with memory of its own, so that tied ones are stored under all of their
    names.

    Args:
        limit: bytes of all tensors together.
    Raises:
        LoadError: no such file, one that holds more than tensors, none at all, or too many bytes of them.
    """
    path = Path(path)
    if not path.is_file():
        raise LoadError(f"There is no file {str(path)!r}; give the path of a .pt file.")
    way = "save model.state_dict() alone and convert that."
    try:
        _check_packing(path)
        with torch.serialization.safe_globals(HARMLESS):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except UNREADABLE as error:
        raise LoadError(
            f"{path.name!r} is damaged or holds more than tensors, which could run code; {way}"
        ) from error
    return _separate(_tensors(content, path.name), path.name, limit)


def _check_packing(path: Path) -> None:
    """torch.save stores its entries as they are; one that is packed could unpack to more than the memory.

    Raises:
        ValueError: an entry is packed.
    """
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as file:
        packed = [entry.filename for entry in file.infolist() if entry.compress_type != zipfile.ZIP_STORED]
    if packed:
        raise ValueError(f"{packed[0]!r} is packed")


def _tensors(content: Any, name: str) -> dict[str, Tensor]:
    """The tensors by name, out of the containers that training programs put around them."""
    for _ in range(DEPTH):
        if isinstance(content, Mapping):
            content = next((content[key] for key in NESTED if isinstance(content.get(key), Mapping)), content)
    found = (
        {str(k): v for k, v in content.items() if isinstance(v, Tensor)}
        if isinstance(content, Mapping)
        else {}
    )
    if not found:
        raise LoadError(f"{name!r} holds no tensors by name; save model.state_dict() and convert that.")
    for prefix in PREFIXES * DEPTH:
        if all(key.startswith(prefix) for key in found):
            found = {key.removeprefix(prefix): value for key, value in found.items()}
    return found


def _separate(tensors: dict[str, Tensor], name: str, limit: int) -> dict[str, Tensor]:
    """Each with memory of its own; the bytes are counted before any is taken, since a shape may repeat one
    stored number.
    """
    odd = [
        key
        for key, t in tensors.items()
        if t.layout != torch.strided or t.is_quantized or t.is_meta or t.is_complex()
    ]
    if odd:
        way = "convert a model with plain weights."
        raise LoadError(f"{odd[0][:80]!r} in {name!r} is sparse, quantised, complex or without values; {way}")
    size = sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())
    if size > limit:
        raise LoadError(f"The tensors of {name!r} need {size:,} bytes; up to {limit:,} are converted.")
    return {key: tensor.detach().contiguous().clone() for key, tensor in tensors.items()}
