"""Reads a .pt file as data, with tensors described but not read: an archive as torch.save writes it since
1.6, one that TorchScript wrote, or the older file of consecutive pickles.
"""

import struct
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch
from torch import Tensor

from ..errors import LoadError
from .pickled_calls import Meaning, Name, PickledCall
from .pickled_data import read_pickle

MAX_PICKLE_BYTES = 2**30
MAX_RECORDS = 100_000  # each is one tensor, or several that share their numbers
MAGIC = 0x1950A86A20F9469CFC6C
REBUILDS = ("_rebuild_tensor", "_rebuild_tensor_v2", "_rebuild_tensor_v3")
WRAPPERS = ("_rebuild_parameter", "_rebuild_parameter_with_state")
ODD = {
    "_rebuild_sparse_tensor": "sparse",
    "_rebuild_qtensor": "quantised",
    "_rebuild_meta_tensor_no_storage": "without values",
    "_rebuild_nested_tensor": "nested",
}
TYPES = {
    "Float": torch.float32,
    "Double": torch.float64,
    "Half": torch.float16,
    "BFloat16": torch.bfloat16,
    "Long": torch.int64,
    "Int": torch.int32,
    "Short": torch.int16,
    "Char": torch.int8,
    "Byte": torch.uint8,
    "Bool": torch.bool,
    "ComplexFloat": torch.complex64,
    "ComplexDouble": torch.complex128,
}
QUANTISED = ("QInt8", "QUInt8", "QInt32", "QUInt4x2", "QUInt2x4")


@dataclass(frozen=True)
class Storage:
    """Numbers of one type, side by side in the file; several tensors may share them.

    Args:
        dtype: None if they are bytes, and the tensor gives the type.
        count: number of values, or of bytes.
    """

    key: str
    dtype: torch.dtype | None
    count: int


@dataclass(frozen=True)
class StoredTensor:
    """A tensor that is not read yet: a view of a storage, in elements of its type."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]
    dtype: torch.dtype


@dataclass(frozen=True)
class Odd:
    """A tensor of a kind that is not supported, such as "sparse"."""

    kind: str


@dataclass(frozen=True)
class Content:
    """The content of a .pt file.

    Args:
        data: with `StoredTensor` in place of tensors.
        read: maps one of them from the disk.
    """

    data: Any
    read: Callable[[StoredTensor], Tensor]


@dataclass(frozen=True)
class _Places:
    """Where the storages are in a file: key -> first byte, number of bytes."""

    path: Path
    records: dict[str, tuple[int, int]] = field(default_factory=dict)

    def read(self, stored: StoredTensor) -> Tensor:
        """Map a tensor from the file; its pages are copied when they are written to.

        Raises:
            ValueError, KeyError: it extends beyond the file.
        """
        start, size = self.records[stored.storage.key]
        last = stored.offset + sum((n - 1) * s for n, s in zip(stored.shape, stored.stride, strict=True))
        if 0 in stored.shape:
            return torch.empty(stored.shape, dtype=stored.dtype)
        if (last + 1) * stored.dtype.itemsize > size:
            raise ValueError("a tensor reaches beyond its numbers")
        held = np.memmap(self.path, np.uint8, "c", start, (size - size % stored.dtype.itemsize,))
        return (
            torch.from_numpy(held).view(stored.dtype).as_strided(stored.shape, stored.stride, stored.offset)
        )


def open_pt(path: Path) -> Content:
    """Return the content of a file of torch.save.

    Raises:
        CodeFoundError: it would run a program.
        LoadError: it has too many tensors.
        OSError, ValueError, KeyError, IndexError, TypeError, EOFError: it is damaged, or of another kind.
    """
    return _open_archive(path) if zipfile.is_zipfile(path) else _open_pickles(path)


# --------------------------------------------------------------------------- archives


def _open_archive(path: Path) -> Content:
    with zipfile.ZipFile(path) as archive:
        if len(archive.infolist()) > MAX_RECORDS:
            told = (
                f"holds {len(archive.infolist()):,} tensors and other records; up to {MAX_RECORDS:,} are read"
            )
            raise LoadError(f"{path.name!r} {told}; save model.state_dict() alone.")
        entries = {entry.filename: entry for entry in archive.infolist()}
        main = min((name for name in entries if name.rpartition("/")[2] == "data.pkl"), key=len)
        root = main.removesuffix("data.pkl")
        own = {name: entry for name, entry in entries.items() if name.startswith(f"{root}data")}
        packed = [name for name, entry in own.items() if entry.compress_type != zipfile.ZIP_STORED]
        if packed:  # torch.save compresses none of these, and compressed data could be larger than the memory
            raise ValueError(f"{packed[0]!r} is packed")
        order = entries.get(f"{root}byteorder")
        if order is not None and order.file_size < 10 and archive.read(order).strip() != b"little":
            raise ValueError("its bytes are in the order of another machine")
        if entries[main].file_size > MAX_PICKLE_BYTES:
            raise ValueError("it has too much next to its tensors")
        pickled = archive.read(main)
    places = _Places(path)
    with path.open("rb") as file:
        for name, entry in own.items():
            if name.startswith(f"{root}data/") and not entry.is_dir():
                places.records[name.removeprefix(f"{root}data/")] = _place(file, entry)
    return Content(read_pickle(pickled, Meaning(make_tensor, _storage_of)), places.read)


def _place(file: IO[bytes], entry: zipfile.ZipInfo) -> tuple[int, int]:
    """Return the first byte and the size of an entry, after its own header in the file."""
    file.seek(entry.header_offset)
    start = file.read(30)
    if len(start) < 30 or start[:4] != b"PK\x03\x04":
        raise ValueError(f"{entry.filename!r} has no header")
    name, extra = struct.unpack("<HH", start[26:30])
    first = entry.header_offset + 30 + name + extra
    if first + entry.file_size > file.seek(0, 2):
        raise ValueError(f"{entry.filename!r} is cut off")
    return first, entry.file_size


# --------------------------------------------------------------------------- the older form


def _open_pickles(path: Path) -> Content:
    """Read magic number, version, machine, data and the keys of storages, each pickled; then their
    numbers.
    """
    kinds: dict[str, Storage] = {}

    def note(pid: Any) -> Any:
        found = _storage_of(pid)
        if isinstance(found, Storage):
            kinds[found.key] = found
        return found

    with path.open("rb") as file:
        first = read_pickle(file, Meaning(make_tensor))
        if first != MAGIC:  # a pickle without torch tensors, such as arrays of numpy
            return Content(first, _Places(path).read)
        read_pickle(file), read_pickle(file)
        data, keys = read_pickle(file, Meaning(make_tensor, note)), read_pickle(file)
        return Content(data, _Places(path, _numbers_behind(file, path, keys, kinds)).read)


def _numbers_behind(
    file: IO[bytes], path: Path, keys: Any, kinds: dict[str, Storage]
) -> dict[str, tuple[int, int]]:
    end, places = path.stat().st_size, {}
    for key in keys:
        (count,) = struct.unpack("<q", file.read(8))
        size = count * (kinds[key].dtype or torch.uint8).itemsize
        if not 0 <= size <= end - file.tell():
            raise ValueError("it is cut off")
        places[key] = (file.tell(), size)
        file.seek(size, 1)
    return places


# --------------------------------------------------------------------------- tensors


def _storage_of(pid: Any) -> Any:
    """Return the storage of a persistent id; a class that was saved with its source stays a name.

    Raises:
        ValueError: it is not a storage.
    """
    if not isinstance(pid, tuple) or len(pid) < 2:
        raise ValueError("it refers to something that is not a storage")
    if pid[0] == "module":
        return pid[1]
    kind, key, _, count = pid[1:5]
    if pid[0] != "storage" or not isinstance(key, str) or not isinstance(count, int) or any(pid[5:]):
        raise ValueError("it refers to something that is not a storage")
    word = kind.text.rpartition(".")[2].removesuffix("Storage") if isinstance(kind, Name) else ""
    if word in QUANTISED:  # only quantised tensors use these, and they are not supported
        return Storage(key, torch.uint8, count)
    if word not in TYPES and word != "Untyped":
        raise ValueError(f"it holds numbers of an unknown kind, {word[:40]!r}")
    return Storage(key, TYPES.get(word), count)


def make_tensor(name: str, args: tuple[Any, ...]) -> Any:
    """Return what a call that builds a tensor represents: a `StoredTensor`, an `Odd`, or None if it builds
    none.

    Raises:
        ValueError, IndexError, TypeError: a tensor that extends beyond its numbers.
    """
    module, _, last = name.rpartition(".")
    if module == "torch._utils" and last in REBUILDS:
        storage, offset, shape, stride = args[:4]
        return _stored(storage, offset, shape, stride, args[6] if last == REBUILDS[2] else None)
    if module == "torch._utils" and last in WRAPPERS:
        return args[0]
    if module == "torch._utils" and last in ODD:
        return Odd(ODD[last])
    if name == "torch._tensor._rebuild_from_type_v2" and isinstance(args[0], Name):
        found = make_tensor(args[0].text, args[2])
        plain = isinstance(args[1], Name) and args[1].text.startswith("torch.")
        return found if plain or not isinstance(found, StoredTensor) else Odd("of a class of its own")
    return None


def _stored(storage: Any, offset: Any, shape: Any, stride: Any, dtype: Any) -> StoredTensor:
    numbers = [offset, *shape, *stride]
    if not isinstance(storage, Storage) or not all(isinstance(n, int) and n >= 0 for n in numbers):
        raise ValueError("a tensor is not as it must be")
    if len(shape) != len(stride) or len(shape) > 64:
        raise ValueError("a tensor has sides without a step")
    kind = storage.dtype
    if dtype is not None or kind is None:
        kind = getattr(torch, dtype.text.removeprefix("torch."), None) if isinstance(dtype, Name) else None
    if not isinstance(kind, torch.dtype):
        raise ValueError("a tensor is of an unknown kind")
    return StoredTensor(storage, offset, tuple(shape), tuple(stride), kind)


# --------------------------------------------------------------------------- arrays of numpy


def array_of(value: Any) -> np.ndarray | None:
    """Return the array of numbers that a pickle of numpy describes, or None if it describes something
    else.
    """
    if not isinstance(value, PickledCall) or not value.name.endswith("multiarray._reconstruct"):
        return None
    try:
        _, shape, dtype, is_fortran, content = value.state
        raw = content.args[0].encode("latin-1") if isinstance(content, PickledCall) else content
        kind = np.dtype(f"{dtype.state[1]}{dtype.args[0]}".replace("|", ""))
        flat = np.frombuffer(raw, kind)
    except (TypeError, ValueError, AttributeError, IndexError):
        return None
    if kind.kind not in "fiub" or flat.size != int(np.prod(shape, dtype=object)):
        return None
    return flat.reshape(shape[::-1]).T if is_fortran else flat.reshape(shape)
