"""Arrays of a file as inputs of a model: their arrangement, type and range."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy import ndarray
from torch import Tensor

from ..errors import LoadError
from ..values.inputs import InputPart
from .arrays import Arrays
from .reader import Reader, class_name

RATE = "sampling_rate"  # the array that says that inputs are sounds, in samples a second
LOUDEST = 32768  # of sounds of 16 bits


def check_inputs(arrays: Arrays, name: str, reader: Reader) -> None:
    """Check type and shape of an array from its header alone.

    Raises:
        LoadError: the model does not read such.
    """
    shape, dtype = arrays.form(name)
    what = f"{name!r} in {arrays.path.name!r}"
    if reader.whole and dtype.kind not in "iufb":
        raise LoadError(f"{what} must be whole numbers, got {dtype}.")
    is_sound = dtype == np.int16 and RATE in arrays.names
    if not reader.whole and not is_sound and dtype.kind != "f" and dtype not in (np.uint8, np.uint16):
        raise LoadError(
            f"{what} must be bytes (uint8), pixels of 16 bits (uint16) or floats, got {dtype}; sounds of 16 "
            f"bits (int16) need their {RATE} beside them."
        )
    arrangement(shape[1:], reader, arrays.path.name)


def arrangement(shape: tuple[int, ...], reader: Reader, file: str) -> str:
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


def inputs_of(arrays: Arrays, name: str, chosen: Tensor, reader: Reader) -> Tensor:
    """Return (k, *shape) uint8, float32, or int64 if the model reads whole numbers.

    Raises:
        LoadError: numbers are not finite, or not among those that the model reads.
    """
    shape, _ = arrays.form(name)
    how, what = arrangement(shape[1:], reader, arrays.path.name), f"{name!r} in {arrays.path.name!r}"
    values: ndarray = arrays.rows(name, chosen.numpy())
    if reader.whole:
        tensor = _whole_numbers(values, what, reader.numbers)
    else:
        tensor = torch.from_numpy(np.ascontiguousarray(_bytes_or_floats(values, what)))
    if how == "channels last":
        return tensor.permute(0, 3, 1, 2).contiguous()
    return tensor.unsqueeze(1) if how == "one channel" else tensor


def named_inputs(arrays: Arrays, parts: Sequence[InputPart]) -> dict[str, Tensor]:
    """Return the inputs of a model that reads several, by their names.

    Raises:
        LoadError: an array is missing, of another shape, or holds numbers that the model does not read.
    """
    missing = [part.name for part in parts if part.name not in arrays.names]
    if missing:
        there = ", ".join(class_name(name) for name in arrays.names[:8]) or "nothing"
        raise LoadError(
            f"{arrays.path.name!r} holds {there}, but the model reads "
            f"{', '.join(repr(part.name) for part in parts)}; store an array of each of these names, and "
            "targets."
        )
    inputs, file = {}, arrays.path.name
    for part in parts:
        values, what = arrays.read(part.name), f"{part.name!r} in {file!r}"
        if values.shape[1:] != part.shape or not len(values):
            raise LoadError(f"{what} has rows of shape {values.shape[1:]}, but the model reads {part.shape}.")
        if values.dtype.kind not in "iufb":
            raise LoadError(f"{what} must hold numbers, got {values.dtype}.")
        if part.is_whole:
            inputs[part.name] = _whole_numbers(values, what, part.numbers)
        else:
            inputs[part.name] = torch.from_numpy(np.ascontiguousarray(_finite(values, what)))
    rows = {name: len(tensor) for name, tensor in inputs.items()}
    if len(set(rows.values())) > 1:
        counted = ", ".join(f"{count:,} of {name!r}" for name, count in rows.items())
        raise LoadError(f"{file!r} has {counted}; give as many rows of each.")
    return inputs


def _bytes_or_floats(values: ndarray, what: str) -> ndarray:
    if values.dtype == np.uint16:
        return np.rint(values / 257).astype(np.uint8)
    if values.dtype == np.int16:
        return values.astype(np.float32) / LOUDEST
    return values if values.dtype == np.uint8 else _finite(values, what)


def _finite(values: ndarray, what: str) -> ndarray:
    values = values.astype(np.float32)
    if not np.isfinite(values).all():
        raise LoadError(f"{what} holds NaN or infinite values; clean the data first.")
    return values


def _whole_numbers(values: ndarray, what: str, numbers: int | None) -> Tensor:
    """Return int64 of the same shape.

    Raises:
        LoadError: there are fractions, or numbers for which the model holds no entry.
    """
    whole = values.astype(np.int64)
    if not np.array_equal(whole, values):
        raise LoadError(f"{what} holds fractions, but this model reads whole numbers; give those.")
    low, high = (int(whole.min()), int(whole.max())) if whole.size else (0, 0)
    if low < 0 or (numbers is not None and high >= numbers):
        most = "from 0" if numbers is None else f"from 0 to {numbers - 1:,}"
        raise LoadError(f"{what} holds numbers from {low:,} to {high:,}, but this model reads those {most}.")
    return torch.from_numpy(np.ascontiguousarray(whole))
