"""Inputs and targets in a file of arrays, such as numpy.savez writes."""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy import ndarray

from ..errors import LoadError
from ..registry import DATA
from ..values.subject import Normalisation, Task
from .any_targets import ALONE, of_classes, other_task
from .array_inputs import RATE, check_inputs, inputs_of, named_inputs
from .arrays import Arrays
from .pool import HALVES, Pool, fingerprint, halves, split_reader
from .reader import ANY, Reader, check_request, class_name, normalisation, rule_told

BOTH = (("inputs", "targets"), ("x", "y"), ("x_test", "y_test"))  # tuning and held-out in one pair
TRAINING = (("training_inputs", "training_targets"), ("x_train", "y_train"))
TARGETS, NAMES = ("targets", "y", "y_test"), "class_names"
PIXELS = (np.uint8, np.uint16)
MAX_CLASSES, MAX_SAMPLES = 100_000, 10_000_000
MAX_NAME_BYTES = 4096


@DATA.register("npz", rank=11, place="FILE", local_only=True)
def npz(
    path: str = "", reader: Reader = ANY, *, samples: int = 10_000, mean: str = "", std: str = ""
) -> Task:
    """A file of arrays: inputs and targets (or x and y), perhaps class_names, x_train and y_train; of a model
    with several inputs an array for each of their names.

    Args:
        path: of the file. Inputs are bytes (0 to 255), pixels of 16 bits, floats (as the model reads them) or
            whole numbers if the model reads such; (n, *shape) or channels last. With sampling_rate they are
            sounds.
        reader: the model that the data is for.
        samples: maximum number per split.
        mean, std: of the channels, from 0 to 1 for bytes; default: the model's own for bytes, none for
            floats.
    Raises:
        LoadError: the file is damaged, or its arrays are not valid.
    """
    check_request("npz:FILE", path, samples)
    return task_of(Arrays(Path(path).expanduser()), reader, samples, mean, std)


def task_of(arrays: Arrays, reader: Reader, samples: int, mean: str, std: str) -> Task:
    """Return the task of arrays by name.

    Raises:
        LoadError: as of `npz`.
    """
    pair = _pair(arrays, BOTH)
    if len(reader.parts) > 1 and not set(ALONE) & set(arrays.names):
        return _of_several(arrays, reader, samples, is_given=bool(mean or std))
    alone = next((name for name in ALONE if name in arrays.names), None)
    if alone and not of_classes(arrays, pair[1] if pair else None, reader):
        rule = _rule(arrays, alone, reader, mean, std)
        name, target = pair or (alone, None)
        check_inputs(arrays, name, reader)
        inputs = inputs_of(arrays, name, torch.arange(arrays.form(name)[0][0]), reader)
        task = other_task(arrays, inputs, target, reader, rule, samples)
        told = _told(arrays, name, rule, is_given=bool(mean or std)) if RATE in arrays.names else ()
        return replace(task, how=(*told, *task.how))
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
        f"{arrays.kind}:{arrays.path.name}",
        reader.shape,
        names,
        split_reader(pools, samples),
        rule,
        note=HALVES,
        source=str(arrays.path),
        fingerprint=fingerprint(facts),
        how=_told(arrays, pair[0], rule, is_given=bool(mean or std)),
    )


def _of_several(arrays: Arrays, reader: Reader, samples: int, *, is_given: bool) -> Task:
    """Return the task of a model with several inputs: an array of each of their names, and perhaps targets.

    Raises:
        LoadError: they do not fit the model, or a mean or std is given.
    """
    if is_given:
        raise LoadError("Several inputs are read as they are; leave mean and std out.")
    inputs = named_inputs(arrays, reader.parts)
    target = next((name for name in TARGETS if name in arrays.names), None)
    task = other_task(arrays, inputs, target, reader, Normalisation(), samples)
    is_named = task.tells_classes or task.metrics[0] == "accuracy"
    return replace(task, class_names=_texts(arrays)) if is_named and NAMES in arrays.names else task


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
    if RATE in arrays.names:
        return (f"Sounds of {_rate(arrays):,} samples a second are read as they are.",)
    said = [rule_told(rule, is_bytes=dtype in PIXELS, is_given=is_given)]
    if dtype == np.uint16:
        said.append("Pixels of 16 bits are scaled to bytes by the range of their type.")
    return tuple(said)


def _rate(arrays: Arrays) -> int:
    """Return the samples of a second.

    Raises:
        LoadError: it is not one whole number.
    """
    values = arrays.read(RATE).reshape(-1)
    if len(values) != 1 or values.dtype.kind not in "iuf" or not 0 < float(values[0]) == int(values[0]):
        raise LoadError(f"{RATE!r} in {arrays.path.name!r} must be one whole number, such as 16000.")
    return int(values[0])


def _pool(arrays: Arrays, inputs: str, targets: str, reader: Reader) -> Pool:
    """Read the targets now, and the inputs on request.

    Raises:
        LoadError: the targets are not class numbers, or not as many as the inputs.
    """
    numbers = _numbers(arrays, targets)
    shape, _ = arrays.form(inputs)
    if not shape or shape[0] != len(numbers):
        raise LoadError(
            f"{arrays.path.name!r} has {shape[0] if shape else 0:,} inputs but {len(numbers):,} targets."
        )
    check_inputs(arrays, inputs, reader)
    return Pool(torch.from_numpy(numbers), lambda chosen: inputs_of(arrays, inputs, chosen, reader))


def _numbers(arrays: Arrays, name: str) -> ndarray:
    """Return (n,) int64 class numbers."""
    shape, dtype = arrays.form(name)
    rule = f"{name!r} in {arrays.path.name!r} must be class numbers from 0, since the model gives scores"
    if dtype.kind not in "iu" or not shape or not 0 < shape[0] == math.prod(shape) <= MAX_SAMPLES:
        raise LoadError(
            f"{rule}, one for each input, got {dtype} of shape {shape}; for "
            "other targets, write a task of your own (--task FILE.py:make)."
        )
    numbers = arrays.read(name).reshape(-1)
    if not 0 <= int(numbers.min()) <= int(numbers.max()) < MAX_CLASSES:
        raise LoadError(f"{rule}, got {int(numbers.min())} to {int(numbers.max())}.")
    return numbers.astype(np.int64)


def _class_names(arrays: Arrays, pools: Sequence[Pool], reader: Reader) -> tuple[str, ...]:
    """Return the class names of the file, or the model's, or numbers.

    Raises:
        LoadError: there are targets beyond the names or beyond the model's classes.
    """
    highest = max(int(pool.targets.max()) for pool in pools)
    names: tuple[str, ...]
    if NAMES in arrays.names:
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
    shape, dtype = arrays.form(NAMES)
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
    names = arrays.read(NAMES).tolist()
    return tuple(
        class_name(name.decode(errors="replace") if isinstance(name, bytes) else name) for name in names
    )
