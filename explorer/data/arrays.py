"""Reads arrays of an .npz file, one at a time: no pickles, and no memory before the header agrees with the
file's bytes.
"""

import math
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
MAX_BYTES = 4 * 1024**3  # of one array
DAMAGED = (zipfile.BadZipFile, zlib.error, OSError, ValueError, EOFError, SyntaxError, RuntimeError, KeyError)


class Arrays:
    """The arrays of an .npz file by name; each is read only on request.

    Raises:
        LoadError: no such file, or not a whole .npz.
    """

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
        return self._opened(name, lambda member, form: (form[0], form[2]))

    def read(self, name: str) -> ndarray:
        """Read one array.

        Raises:
            LoadError: it is damaged, contains objects (which could run code), or is too large.
        """
        return self._opened(name, _filled)

    def _opened(self, name: str, use: Callable[[IO[bytes], Form], Any]) -> Any:
        array = f"{name!r} in {self.path.name!r}"
        try:
            with zipfile.ZipFile(self.path) as file, file.open(f"{name}.npy") as member:
                form = _header(member)
                self._check(array, form, file.getinfo(f"{name}.npy"), member.tell())
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
