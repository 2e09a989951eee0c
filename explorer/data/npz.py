"""Inputs and targets in a file of arrays, such as numpy.savez writes."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy import ndarray
from torch import Tensor

from ..errors import LoadError
from ..registry import DATA
from ..values.subject import Normalisation, Task
from .any_targets import ALONE, of_classes, other_task
from .arrays import Arrays
from .pool import HALVES, Pool, fingerprint, halves, split_reader
from .reader import ANY, Reader, check_request, class_name, normalisation, rule_told

BOTH = (("inputs", "targets"), ("x", "y"), ("x_test", "y_test"))  # tuning and held-out in one pair
TRAINING = (("training_inputs", "training_targets"), ("x_train", "y_train"))
PIXELS = (np.uint8, np.uint16)
MAX_CLASSES, MAX_SAMPLES = 100_000, 10_000_000
MAX_NAME_BYTES = 4096


@DATA.register("npz", rank=11, place="FILE", local_only=True)
def npz(
    path: str = "", reader: Reader = ANY, *, samples: int = 10_000, mean: str = "", std: str = ""
) -> Task:
    """A file of arrays: inputs and targets (or x and y), perhaps class_names, x_train and y_train.

    Args:
        path: of the file. Inputs are bytes (0 to 255), pixels of 16 bits, floats (as the model reads them) or
            whole numbers if the model reads such; (n, *shape) or channels last.
        reader: the model that the data is for.
        samples: maximum number per split.
        mean, std: of the channels, from 0 to 1 for bytes; default: the model's own for bytes, none for
            floats.
    Raises:
        LoadError: the file is damaged, or its arrays are not valid.
    """
    check_request("npz:FILE", path, samples)
    arrays = Arrays(Path(path).expanduser())
    pair = _pair(arrays, BOTH)
    alone = next((name for name in ALONE if name in arrays.names), None)
    if alone and not of_classes(arrays, pair[1] if pair else None, reader):
        rule = _rule(arrays, alone, reader, mean, std)
        return other_task(arrays, pair or (alone, None), reader, rule, samples)
    if pair is None:
        found = ", ".join(class_name(name) for name in arrays.names[:8]) or "nothing"
        raise LoadError(
            f"{arrays.path.name!r} holds {found}; it takes two arrays: inputs and targets, or x and y."
        )
    pools, rule = {"both": _pool(arrays, *pair, reader)}, _rule(arrays, pair[0], reader, mean, std)
    if training := _pair(arrays, TRAINING):
        pools["training"] = _pool(arrays, *training, reader)
    names = _class_names(arrays, list(pools.values()), reader)
    pools |= halves(pools.pop("both"))
    facts = [*arrays.facts, reader.shape, rule, names, samples]
    return Task(
        f"npz:{arrays.path.name}",
        reader.shape,
        names,
        split_reader(pools, samples),
        rule,
        note=HALVES,
        source=str(path),
        fingerprint=fingerprint(facts),
        how=_told(arrays, pair[0], rule, is_given=bool(mean or std)),
    )


def _pair(arrays: Arrays, choices: Sequence[tuple[str, str]]) -> tuple[str, str] | None:
    return next((pair for pair in choices if set(pair) <= set(arrays.names)), None)


def _rule(arrays: Arrays, name: str, reader: Reader, mean: str, std: str) -> Normalisation:
    if reader.whole:
        if mean or std:
            raise LoadError("This model reads whole numbers, which have no mean and std; leave both out.")
        return Normalisation(whole=True)
    return normalisation(reader, mean, std, is_bytes=arrays.form(name)[1] in PIXELS)


def _told(arrays: Arrays, name: str, rule: Normalisation, *, is_given: bool) -> tuple[str, ...]:
    """Return sentences that say how the inputs are interpreted."""
    if rule.whole:
        return ("Whole numbers are read as they are.",)
    dtype = arrays.form(name)[1]
    said = [rule_told(rule, is_bytes=dtype in PIXELS, is_given=is_given)]
    if dtype == np.uint16:
        said.append("Pixels of 16 bits are scaled to bytes by the range of their type.")
    return tuple(said)


def _pool(arrays: Arrays, inputs: str, targets: str, reader: Reader) -> Pool:
    """Read the targets now, and the inputs on request.

    Raises:
        LoadError: the targets are not class numbers, or not as many as the inputs.
    """
    numbers = _numbers(arrays, targets)
    shape, dtype = arrays.form(inputs)
    if not shape or shape[0] != len(numbers):
        raise LoadError(
            f"{arrays.path.name!r} has {shape[0] if shape else 0:,} inputs but {len(numbers):,} targets."
        )
    if reader.whole and dtype.kind not in "iufb":
        raise LoadError(f"{inputs!r} in {arrays.path.name!r} must be whole numbers, got {dtype}.")
    if not reader.whole and dtype not in PIXELS and dtype.kind != "f":
        told = "must be bytes (uint8), pixels of 16 bits (uint16) or floats"
        raise LoadError(f"{inputs!r} in {arrays.path.name!r} {told}, got {dtype}.")
    _arrangement(shape[1:], reader, arrays.path.name)
    return Pool(torch.from_numpy(numbers), lambda chosen: _inputs(arrays, inputs, chosen, reader))


def _numbers(arrays: Arrays, name: str) -> ndarray:
    """Return (n,) int64 class numbers."""
    shape, dtype = arrays.form(name)
    rule = f"{name!r} in {arrays.path.name!r} must be class numbers from 0"
    if dtype.kind not in "iu" or not shape or not 0 < shape[0] == math.prod(shape) <= MAX_SAMPLES:
        raise LoadError(f"{rule}, one for each input, got {dtype} of shape {shape}.")
    numbers = arrays.read(name).reshape(-1)
    if not 0 <= int(numbers.min()) <= int(numbers.max()) < MAX_CLASSES:
        raise LoadError(f"{rule}, got {int(numbers.min())} to {int(numbers.max())}.")
    return numbers.astype(np.int64)


def _arrangement(shape: tuple[int, ...], reader: Reader, file: str) -> str:
    """Return how arrays become inputs: "as is", "one channel" to add, or "channels last".

    Raises:
        LoadError: the model does not read this shape.
    """
    if shape == reader.shape:
        return "as is"
    if reader.shape[0] == 1 and shape == reader.shape[1:]:
        return "one channel"
    if len(shape) == 3 and (shape[2], shape[0], shape[1]) == reader.shape:
        return "channels last"
    raise LoadError(f"Inputs in {file!r} have the shape {shape}, but the model reads {reader.shape}.")


def _inputs(arrays: Arrays, name: str, chosen: Tensor, reader: Reader) -> Tensor:
    """Return (k, *shape) uint8 or float32.

    Raises:
        LoadError: they are neither bytes nor finite floats.
    """
    whole = arrays.read(name)
    how = _arrangement(whole.shape[1:], reader, arrays.path.name)
    values: ndarray = whole[chosen.numpy()]
    if reader.whole:
        return _whole_numbers(values, f"{name!r} in {arrays.path.name!r}", reader)
    if values.dtype == np.uint16:
        values = np.rint(values / 257).astype(np.uint8)
    if values.dtype != np.uint8:
        values = values.astype(np.float32)
        if not np.isfinite(values).all():
            raise LoadError(
                f"{name!r} in {arrays.path.name!r} holds NaN or infinite values; clean the data first."
            )
    tensor = torch.from_numpy(np.ascontiguousarray(values))
    if how == "channels last":
        return tensor.permute(0, 3, 1, 2).contiguous()
    return tensor.unsqueeze(1) if how == "one channel" else tensor


def _whole_numbers(values: ndarray, what: str, reader: Reader) -> Tensor:
    """Return (k, *shape) int64.

    Raises:
        LoadError: there are fractions, or numbers for which the model holds no entry.
    """
    whole = values.astype(np.int64)
    if not np.array_equal(whole, values):
        raise LoadError(f"{what} holds fractions, but this model reads whole numbers; give those.")
    low, high = (int(whole.min()), int(whole.max())) if whole.size else (0, 0)
    if low < 0 or (reader.numbers is not None and high >= reader.numbers):
        most = "from 0" if reader.numbers is None else f"from 0 to {reader.numbers - 1:,}"
        raise LoadError(f"{what} holds numbers from {low:,} to {high:,}, but this model reads those {most}.")
    return torch.from_numpy(np.ascontiguousarray(whole))


def _class_names(arrays: Arrays, pools: Sequence[Pool], reader: Reader) -> tuple[str, ...]:
    """Return the class names of the file, or the model's, or numbers.

    Raises:
        LoadError: there are targets beyond the names or beyond the model's classes.
    """
    highest = max(int(pool.targets.max()) for pool in pools)
    names: tuple[str, ...]
    if "class_names" in arrays.names:
        names = _texts(arrays)
    elif len(reader.preset.class_names) == reader.classes:
        names = reader.preset.class_names
    else:
        names = tuple(str(number) for number in range(reader.classes or highest + 1))
    if highest >= len(names):
        raise LoadError(
            f"{arrays.path.name!r} has targets up to {highest}, but there are {len(names)} classes, numbered "
            "from 0."
        )
    return names


def _texts(arrays: Arrays) -> tuple[str, ...]:
    shape, dtype = arrays.form("class_names")
    if (
        len(shape) != 1
        or dtype.kind not in "US"
        or not 0 < shape[0] <= MAX_CLASSES
        or dtype.itemsize > MAX_NAME_BYTES
    ):
        raise LoadError(
            f"'class_names' in {arrays.path.name!r} must be a list of short texts, got {dtype} of shape "
            f"{shape}."
        )
    names = arrays.read("class_names").tolist()
    return tuple(
        class_name(name.decode(errors="replace") if isinstance(name, bytes) else name) for name in names
    )
