"""Reads arrays of an .npz file, one at a time, or only some rows of a large one: no pickles, and no memory
before the header agrees with the file's bytes.
"""

import math
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy import ndarray

from ..errors import LoadError

Form = tuple[tuple[int, ...], bool, np.dtype]  # shape, whether it is stored column by column, type
PACKED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
MAX_BYTES = 4 * 1024**3  # of what is read of one array
LARGE = 256 * 1024**2  # bytes of an array of which only the rows that are needed come into memory
AT_ONCE = 16 * 1024**2  # bytes of a packed array that are unpacked at once
DAMAGED = (zipfile.BadZipFile, zlib.error, OSError, ValueError, EOFError, SyntaxError, RuntimeError, KeyError)


class Arrays:
    """The arrays of an .npz file by name; each is read only on request.

    Raises:
        LoadError: no such file, or not a whole .npz.
    """

    kind = "npz"

    def __init__(self, path: Path):
        self.path = path
        if not path.is_file():
            raise LoadError(f"There is no file {str(path)!r}; give the path of an .npz file.")
        try:
            with zipfile.ZipFile(path) as file:
                entries = [entry for entry in file.infolist() if entry.filename.endswith(".npy")]
        except DAMAGED as error:
            raise LoadError(
                f"{path.name!r} is damaged or not an .npz file; write it again with numpy.savez."
            ) from error
        self.names = tuple(entry.filename.removesuffix(".npy") for entry in entries)
        self.facts = tuple((entry.filename, entry.file_size, entry.CRC) for entry in entries)

    def form(self, name: str) -> tuple[tuple[int, ...], np.dtype]:
        """Return shape and type of one array, from its header alone.

        Raises:
            LoadError: as `read`.
        """
        return self._opened(name, lambda member, form: (form[0], form[2]), rows=0)

    def read(self, name: str) -> ndarray:
        """Read one array.

        Raises:
            LoadError: it is damaged, contains objects (which could run code), or is too large.
        """
        return self._opened(name, _filled)

    def rows(self, name: str, numbers: ndarray) -> ndarray:
        """Read some rows of one array, in the order of their numbers. Of a large array only they are in
        memory: one that is not packed is mapped (its checksum is not compared then), a packed one is read
        piece by piece.

        Raises:
            LoadError: as `read`.
        """
        (shape, is_fortran, dtype), packed, start = self._opened(name, self._place, rows=len(numbers))
        if is_fortran or math.prod(shape) * dtype.itemsize <= LARGE:
            return self.read(name)[numbers]
        if packed:
            return self._opened(name, lambda member, form: _picked(member, form, numbers), rows=len(numbers))
        try:
            return np.array(np.memmap(self.path, dtype, "r", start, shape)[numbers])
        except (OSError, ValueError) as error:
            raise LoadError(f"{name!r} in {self.path.name!r} cannot be read ({error}).") from error

    def _place(self, member: IO[bytes], form: Form) -> tuple[Form, bool, int]:
        """Return the form, whether it is packed, and the byte of the file at which its numbers begin."""
        with zipfile.ZipFile(self.path) as file:
            entry = file.getinfo(member.name)
        with self.path.open("rb") as raw:
            raw.seek(entry.header_offset + 26)  # of the lengths of its name and of what follows
            name, extra = struct.unpack("<HH", raw.read(4))
        packed = entry.compress_type != zipfile.ZIP_STORED
        return form, packed, entry.header_offset + 30 + name + extra + member.tell()

    def _opened(self, name: str, use: Callable[[IO[bytes], Form], Any], rows: int | None = None) -> Any:
        array = f"{name!r} in {self.path.name!r}"
        try:
            with zipfile.ZipFile(self.path) as file, file.open(f"{name}.npy") as member:
                form = _header(member)
                self._check(array, form, file.getinfo(f"{name}.npy"), member.tell())
                self._check_size(array, form, rows)
                return use(member, form)
        except DAMAGED as error:
            raise LoadError(f"{array} is damaged; write the file again with numpy.savez.") from error

    def _check(self, array: str, form: Form, entry: zipfile.ZipInfo, start: int) -> None:
        shape, _, dtype = form
        if dtype.hasobject:
            raise LoadError(f"{array} holds Python objects, which could run code; store plain numbers.")
        wanted = math.prod(shape) * dtype.itemsize
        if (
            min(shape, default=0) < 0
            or start + wanted != entry.file_size
            or entry.compress_type not in PACKED
        ):
            raise LoadError(
                f"{array} is not as long as its header says; write the file again with numpy.savez."
            )

    def _check_size(self, array: str, form: Form, rows: int | None) -> None:
        (first, *rest), dtype = (form[0] or (1,)), form[2]
        wanted = (first if rows is None else min(rows, first)) * math.prod(rest) * dtype.itemsize
        if wanted > MAX_BYTES:
            raise LoadError(f"{array} needs {wanted:,} bytes; up to {MAX_BYTES:,} are read.")


def _header(member: IO[bytes]) -> Form:
    version = np.lib.format.read_magic(member)
    if version == (1, 0):
        return np.lib.format.read_array_header_1_0(member)
    if version == (2, 0):
        return np.lib.format.read_array_header_2_0(member)
    raise ValueError(f"unknown version {version}")


def _filled(member: IO[bytes], form: Form) -> ndarray:
    shape, is_fortran, dtype = form
    flat = np.frombuffer(
        member.read(math.prod(shape) * dtype.itemsize), dtype
    )  # the zip compares its checksum at the end
    return flat.reshape(shape[::-1]).T if is_fortran else flat.reshape(shape)


def _picked(member: IO[bytes], form: Form, numbers: ndarray) -> ndarray:
    """Return some rows, read in pieces from the first to the last row of the array."""
    shape, _, dtype = form
    size = math.prod(shape[1:]) * dtype.itemsize
    step = max(1, AT_ONCE // max(1, size))
    order = np.argsort(numbers, kind="stable")
    wanted, rows = numbers[order], np.empty((len(numbers), *shape[1:]), dtype)
    for start in range(0, shape[0], step):
        count = min(step, shape[0] - start)
        piece = np.frombuffer(member.read(count * size), dtype).reshape(count, *shape[1:])
        low, high = np.searchsorted(wanted, (start, start + count))
        rows[order[low:high]] = piece[wanted[low:high] - start]
    return rows
