"""Reads names, shapes and types of the tensors in files of weights; the tensors themselves are read on
request.

Safetensors, as one file or as parts with an index, and what torch.save writes; a folder with one of them.
"""

import math
import struct
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePath

import numpy as np
import safetensors
import torch
from torch import Tensor

from ..errors import LoadError
from ..values.plain import read_json
from .file_kinds import foreign_kind
from .pickled_calls import CodeFoundError
from .pt_archives import Content, Odd, StoredTensor, open_pt
from .wrappings import Tensors, flattened, likely, named, plain_names, state_dicts, weights_in

MAX_HEADER_BYTES = 4 * 1024**2  # of names and shapes, for about 30,000 tensors
PICKLED = (".pt", ".pth", ".bin", ".ckpt", ".pkl", ".pickle")
INDEX = ".index.json"
WHOLE_FILE = "all of it"  # the place of tensors that are in several mappings
IN_FOLDERS = (
    *("model.safetensors.index.json", "model.safetensors"),
    *("diffusion_pytorch_model.safetensors", "pytorch_model.bin.index.json", "pytorch_model.bin"),
)
WORDS = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.bool: "BOOL",
    torch.complex64: "C64",
    torch.complex128: "C128",
}
UNREADABLE = (
    safetensors.SafetensorError,
    zipfile.BadZipFile,
    struct.error,
    NotImplementedError,
    OSError,
    ValueError,
    KeyError,
    TypeError,
    IndexError,
    AttributeError,
    EOFError,
    RecursionError,
    RuntimeError,
    OverflowError,
    MemoryError,
)


@dataclass(frozen=True)
class Form:
    """What a file says about one tensor: shape, and type in the words of safetensors, such as "F32"."""

    shape: tuple[int, ...]
    dtype: str

    @property
    def bytes(self) -> int:
        """Return the bytes that the tensor takes."""
        bits = int("".join(c for c in self.dtype.partition("_")[0] if c.isdigit()) or 8)
        return math.prod(self.shape) * max(1, bits // 8)


@dataclass(frozen=True)
class Weights:
    """Tensors of a file that are not read yet.

    Args:
        forms: by name.
        read: names -> tensors, mapped from the disk.
        place: where in the file they are, "" = it contains nothing else.
    """

    forms: Mapping[str, Form]
    read: Callable[[Iterable[str]], dict[str, Tensor]]
    place: str = ""


def open_weights(path: Path, source: str) -> list[Weights]:
    """Return what may be the weights in a file or a folder, the likeliest first.

    Args:
        source: what to call the file in errors.
    Raises:
        LoadError: there is no such file, it is of another kind, damaged, or contains no named tensors.
    """
    with _reading(path, source) as file:
        if file.name.endswith(INDEX):
            return [_open_parts(file, source)]
        return _open_pickled(file, source) if _is_pickled(file) else [open_safetensors(file)]


def choose_weights(path: Path, source: str, key: str = "") -> tuple[Weights, list[str]]:
    """Return the weights of one place in a file, and the other places that contain tensors.

    Args:
        key: the place, or the beginning of names; "" = the likeliest.
    Raises:
        UnknownNameError: there is no such place.
        LoadError: as of `open_weights`, or several places are equally likely.
    """
    with _reading(path, source) as file:
        if not _is_pickled(file):
            if key:
                raise LoadError(f"{source!r} holds nothing but weights, so it takes no --key; leave it out.")
            return (_open_parts(file, source) if file.name.endswith(INDEX) else open_safetensors(file)), []
        content = open_pt(file)
        tensors, place, others = weights_in(content.data, source, key)
        return _weights(content, tensors, place), others


@contextmanager
def _reading(path: Path, source: str) -> Iterator[Path]:
    """Open the file; errors in it become one sentence.

    Raises:
        LoadError: there is no such file, it is of another kind, or damaged.
    """
    file = weights_file(path, source)
    try:
        if kind := foreign_kind(file):
            raise LoadError(f"{source!r} is {kind}.")
        yield file
    except CodeFoundError as error:
        told = f"calls {str(error)[:60]}, which could run code, so nothing of it was read"
        raise LoadError(f"{source!r} {told}; save model.state_dict() alone and give that.") from error
    except PermissionError as error:
        raise LoadError(f"{source!r} cannot be read ({error.strerror}); check its permissions.") from error
    except UNREADABLE as error:
        raise LoadError(damaged(source, file)) from error


def damaged(source: str, path: Path) -> str:
    """Return the error for a file that is incomplete or not what its name says."""
    if _is_pickled(path):
        return (
            f"{source!r} is damaged or not a file of torch.save; copy it again, or save model.state_dict()."
        )
    way = "copy it again, or convert a .pt file with 'pruning-explorer convert'."
    return f"{source!r} is damaged or not a safetensors file; {way}"


def weights_file(path: Path, source: str) -> Path:
    """Return the file itself, or the one in a folder of transformers.

    Raises:
        LoadError: there is none.
    """
    if path.is_dir():
        found = next((path / name for name in IN_FOLDERS if (path / name).is_file()), None)
        single = [file for file in path.glob("*.safetensors") if file.is_file()]
        if found is None and len(single) != 1:
            raise LoadError(f"There is no weights file in folder {source!r}; give the path of one file.")
        return found or single[0]
    if not path.is_file():
        raise LoadError(
            f"There is no weights file {str(path)!r}; give the path of a .safetensors or .pt file."
        )
    return path


def _is_pickled(path: Path) -> bool:
    if path.suffix.lower() in PICKLED:
        return True
    if not path.is_file():
        return False
    with path.open("rb") as file:
        start = file.read(8)
    return path.suffix.lower() != ".safetensors" and start[:2] in (b"PK", b"\x80\x02", b"\x80\x04")


# --------------------------------------------------------------------------- safetensors


def open_safetensors(path: Path) -> Weights:
    """Open a safetensors file; the library checks later that the data matches the header.

    Raises:
        ValueError, KeyError, TypeError, RecursionError, OSError: it is not a complete file.
    """

    def read(names: Iterable[str]) -> dict[str, Tensor]:
        with safetensors.safe_open(path, "pt") as file:
            return {name: file.get_tensor(name) for name in names}

    return Weights(read_forms(path), read)


def read_forms(path: Path) -> dict[str, Form]:
    """Return the forms by name, from the header.

    Raises:
        ValueError, KeyError, TypeError, RecursionError: it is not such a header.
    """
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if not 2 <= length <= MAX_HEADER_BYTES:
            raise ValueError(f"a header of {length} bytes")
        entries = read_json(file.read(length))
    if not isinstance(entries, dict):
        raise TypeError("a header that is not an object")
    return {
        name: Form(tuple(map(int, e["shape"])), str(e["dtype"]))
        for name, e in entries.items()
        if name != "__metadata__"
    }


# --------------------------------------------------------------------------- parts with an index


def _open_parts(path: Path, source: str) -> Weights:
    """Open tensors in several files next to an index, which says which file each is in.

    Raises:
        LoadError: a part is missing or damaged, or lacks a tensor that the index lists.
    """
    if path.stat().st_size > 4 * MAX_HEADER_BYTES:
        raise ValueError("an index that is too long")
    where = read_json(path.read_bytes())["weight_map"]
    files = sorted(set(where.values()))
    odd = [name for name in files if PurePath(name).name != name or name in ("", ".", "..")]
    if odd:
        raise LoadError(
            f"{source!r} refers to {odd[0][:80]!r}, outside of its folder; keep its parts next to it."
        )
    parts = {}
    for name in files:
        if not (path.parent / name).is_file():
            raise LoadError(f"{source!r} needs {name[:80]!r} next to it, which is not there; copy it, too.")
        parts[name] = open_weights(path.parent / name, name)[0]
    lacking = [name for name, file in where.items() if name not in parts[file].forms]
    if lacking:
        raise LoadError(
            f"{where[lacking[0]]!r} lacks {lacking[0][:80]!r}, which {source!r} says is in it; copy it again."
        )

    def read(names: Iterable[str]) -> dict[str, Tensor]:
        wanted = list(names)
        found: dict[str, Tensor] = {}
        for file, part in parts.items():
            found |= part.read([name for name in wanted if where[name] == file])
        return found

    return Weights({name: parts[file].forms[name] for name, file in where.items()}, read)


# --------------------------------------------------------------------------- torch.save


def _open_pickled(path: Path, source: str) -> list[Weights]:
    content = open_pt(path)
    found, places = state_dicts(content.data), likely(content.data)
    chosen = [(place, plain_names(named(found[place], source))) for place in places]
    if len(places) > 1:
        chosen.append((WHOLE_FILE, flattened(content.data, source)))
    made = [_weights(content, tensors, place) for place, tensors in chosen if tensors]
    if not made:
        raise LoadError(f"{source!r} holds no tensors by name; save model.state_dict() and give that.")
    return made


def _weights(content: Content, tensors: Tensors, place: str) -> Weights:
    def read(names: Iterable[str]) -> dict[str, Tensor]:
        return {name: mapped(content, tensors[name]) for name in names}

    return Weights({name: form_of(tensor) for name, tensor in tensors.items()}, read, place)


def form_of(tensor: StoredTensor | Odd | np.ndarray) -> Form:
    """Return shape and type; for an unsupported kind, that kind is the type."""
    if isinstance(tensor, Odd):
        return Form((), tensor.kind)
    kind = (
        tensor.dtype
        if isinstance(tensor, StoredTensor)
        else torch.from_numpy(np.empty(0, tensor.dtype)).dtype
    )
    word = str(kind).removeprefix("torch.")
    usual = word.replace("uint", "U").replace("int", "I").replace("float8", "F8").upper()
    return Form(tuple(tensor.shape), WORDS.get(kind, usual))


def mapped(content: Content, tensor: StoredTensor | Odd | np.ndarray) -> Tensor:
    """Return the tensor, mapped from the disk.

    Raises:
        ValueError: it is of an unsupported kind, or extends beyond the file.
    """
    if isinstance(tensor, Odd):
        raise ValueError(tensor.kind)
    return content.read(tensor) if isinstance(tensor, StoredTensor) else torch.from_numpy(tensor.copy())
