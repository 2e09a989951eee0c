"""Converts a .pt file of weights to .safetensors. It is read as data only, so no code in it can run.

Tensors that claim a shape far larger than their bytes are refused before any of them is written out.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import safetensors.torch
from safetensors import SafetensorError
from torch import Tensor

from ..errors import LoadError
from ..machine.whole_file import whole_file
from .weight_files import UNREADABLE, Weights, choose_weights, damaged

LIMIT = 16 * 1024**3  # bytes of all tensors together
REPEATED, FREE = 4, 64 * 1024**2  # a tied tensor is written under each name; small ones may repeat a number
METADATA = "__metadata__"  # a name that safetensors reserves
IN_WORDS = re.compile(r".*I/O error: (.*?) \(os error.*")  # the library's message, without numbers and paths
KINDS = frozenset(
    "F64 F32 F16 BF16 F8_E4M3FN F8_E4M3FNUZ F8_E5M2 F8_E5M2FNUZ C64 BOOL "
    "I64 I32 I16 I8 U64 U32 U16 U8".split()
)


@dataclass(frozen=True)
class Conversion:
    """What was written.

    Args:
        bytes, tensors: of the file.
        place: where in the source the weights were, "" = it contained nothing else.
        others: other places in the source that contain tensors.
    """

    bytes: int
    tensors: int
    place: str
    others: tuple[str, ...]


def convert(source: str | Path, target: str | Path, *, key: str = "", limit: int = LIMIT) -> Conversion:
    """Write the tensors of a .pt file, or of parts with an index, as one safetensors file.

    Args:
        key: where in the source the weights are, "" = the usual place.
        limit: bytes of all tensors together.
    Raises:
        UnknownNameError: there is no such key.
        LoadError: the source is missing, damaged, too large or without weights, or the target cannot be
            written.
    """
    weights, others = choose_weights(Path(source), Path(source).name, key)
    tensors = _separate(weights, Path(source), limit)
    try:
        with whole_file(target) as place:
            safetensors.torch.save_file(tensors, place)
            written = place.stat().st_size
    except (OSError, SafetensorError) as error:
        told = getattr(error, "strerror", None) or IN_WORDS.sub(r"\1", " ".join(str(error).split()))[:120]
        raise LoadError(f"{str(target)!r} cannot be written ({told}); choose another place.") from error
    return Conversion(written, len(tensors), weights.place, tuple(others))


def _separate(weights: Weights, path: Path, limit: int) -> dict[str, Tensor]:
    """Return each tensor in one piece. Bytes are counted before any is read, since a shape may repeat one
    number.

    Raises:
        LoadError: a tensor is of a kind that cannot be written, or all together need too many bytes.
    """
    for name, form in weights.forms.items():
        if form.dtype not in KINDS or name == METADATA:
            what = "has a name that is kept for other things" if name == METADATA else f"is {form.dtype}"
            raise LoadError(f"{name[:80]!r} in {path.name!r} {what}; convert a model with plain weights.")
    size = sum(form.bytes for form in weights.forms.values())
    if size > limit:
        raise LoadError(f"The tensors of {path.name!r} need {size:,} bytes; up to {limit:,} are converted.")
    if size > REPEATED * _stored_bytes(path) + FREE:
        told = f"need {size:,} bytes, though the file has {_stored_bytes(path):,}: they repeat single numbers"
        raise LoadError(f"The tensors of {path.name!r} {told}; save copies of them, with tensor.clone().")
    try:
        return {name: tensor.contiguous() for name, tensor in weights.read(weights.forms).items()}
    except UNREADABLE as error:
        raise LoadError(damaged(path.name, path)) from error


def _stored_bytes(path: Path) -> int:
    """Return the bytes of a file, or of all parts that an index lists."""
    folder = path.parent if path.name.endswith(".json") else path
    parts = folder.iterdir() if folder.is_dir() else [path]
    return sum(part.stat().st_size for part in parts if part.is_file())
