"""One array as inputs, and perhaps a second one as targets: files such as numpy.save writes."""

from pathlib import Path

import numpy as np
from numpy import ndarray

from ..errors import LoadError
from ..registry import DATA
from ..values.subject import Task
from .arrays import MAX_BYTES, Arrays
from .npz import task_of
from .reader import ANY, Reader, check_request


@DATA.register("npy", rank=12, place="FILE", local_only=True)
def npy(
    path: str = "",
    reader: Reader = ANY,
    *,
    targets: str = "",
    samples: int = 10_000,
    mean: str = "",
    std: str = "",
) -> Task:
    """One array: inputs without labels, measured by agreement with the dense model; with ?targets=FILE.npy a
    pair.

    Args:
        path: of the inputs, as in npz:FILE.
        reader: the model that the data is for.
        targets: another file, with a row for each input; without a folder, next to the inputs.
        samples: maximum number per split.
        mean, std: of the channels, as in npz:FILE.
    Raises:
        LoadError: a file is damaged, or its array does not fit the model.
    """
    check_request("npy:FILE", path, samples)
    inputs = Path(path).expanduser()
    files = {"inputs": inputs}
    if targets:
        files["targets"] = inputs.parent / Path(targets).expanduser()
    return task_of(ArrayFiles(files), reader, samples, mean, std)


class ArrayFiles(Arrays):
    """Arrays by name, each in a file of its own, of which only the rows that are needed come into memory.

    Raises:
        LoadError: no such file, or no plain array.
    """

    kind = "npy"

    def __init__(self, files: dict[str, Path]):
        self._arrays = {name: _mapped(path) for name, path in files.items()}
        self.path, self.names = files["inputs"], tuple(files)
        stats = {name: path.stat() for name, path in files.items()}
        self.facts = tuple((name, stat.st_size, stat.st_mtime_ns) for name, stat in stats.items())

    def form(self, name: str) -> tuple[tuple[int, ...], np.dtype]:
        return self._arrays[name].shape, self._arrays[name].dtype

    def read(self, name: str) -> ndarray:
        return self.rows(name, np.arange(len(self._arrays[name])))

    def rows(self, name: str, numbers: ndarray) -> ndarray:
        array = self._arrays[name]
        wanted = len(numbers) * (array.nbytes // max(1, len(array)))
        if wanted > MAX_BYTES:
            raise LoadError(f"The {name} need {wanted:,} bytes; up to {MAX_BYTES:,} are read.")
        return np.array(array[numbers])


def _mapped(path: Path) -> ndarray:
    if not path.is_file():
        raise LoadError(f"There is no file {str(path)!r}; give the path of an .npy file.")
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError, EOFError, SyntaxError) as error:
        why = " ".join(str(error).split())[:120]
        raise LoadError(
            f"{path.name!r} is damaged or holds more than plain numbers ({why}); write it with numpy.save."
        ) from error
    if not isinstance(array, np.ndarray):
        raise LoadError(f"{path.name!r} holds several arrays; name it npz:{path.name}.")
    if not array.ndim:
        raise LoadError(f"{path.name!r} holds a single number; it takes an array with a row for each sample.")
    return array
