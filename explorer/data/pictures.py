"""Reads picture files as bytes in the size that a model reads. Foreign files: known formats only, and the
size is checked before decoding.
"""

import contextlib
import struct
import zlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
import torch
from torch import Tensor

from ..errors import LoadError
from ..machine.environment import usable_threads
from ..machine.optional_packages import optional
from .reader import Reader

if TYPE_CHECKING:
    from PIL.Image import Image

FORMATS = (
    "JPEG",
    "PNG",
    "WEBP",
    "BMP",
    "GIF",
    "TIFF",
    "PPM",
)  # pixel decoders; PIL has others that start programs (EPS)
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm")
MAX_PIXELS = 64_000_000  # of one picture: 256 MB when it is decoded
MAX_SIDE = 100_000  # pixels; few formats even allow more
HEADERS = 200  # of pictures that are checked beforehand
DEPTHS = {  # modes of PIL, in words
    **dict.fromkeys(("I;16", "I;16B", "I;16L", "I;16N", "I"), "16 bits"),
    "F": "floats",
}
MAX_SPLIT_BYTES = 8 * 1024**3
DAMAGED = (
    OSError,
    ValueError,
    SyntaxError,
    EOFError,
    IndexError,
    KeyError,
    TypeError,
    struct.error,
    zlib.error,
)


def open_picture(source: Path | str | BinaryIO, name: str, *, small: bool = False) -> "Image":
    """Decode the first frame of a picture file.

    Args:
        name: what to call it in errors.
        small: decode it at the smallest size that its format can produce quickly.

    Raises:
        LoadError: it is damaged, not of a known format, or its header says that it has too many pixels.
    """
    Image = optional("PIL.Image")
    try:
        picture = Image.open(source, formats=FORMATS)
        if picture.width * picture.height > MAX_PIXELS or max(picture.size) > MAX_SIDE:
            raise LoadError(
                f"Picture {name!r} has {picture.width} x {picture.height} pixels; up to {MAX_PIXELS:,} are "
                f"read, and up to {MAX_SIDE:,} a side."
            )
        if small:
            picture.draft(None, (32, 32))
        picture.load()
    except Image.DecompressionBombError as error:
        raise LoadError(f"Picture {name!r} has too many pixels; up to {MAX_PIXELS:,} are read.") from error
    except DAMAGED as error:
        known = ", ".join(FORMATS)
        raise LoadError(
            f"Picture {name!r} is damaged or of no known format ({known}); replace it, or leave such files "
            "out with ?skip_damaged=1."
        ) from error
    return picture


def is_sound(path: str) -> bool:
    """Whether a picture can be decoded; a JPEG is decoded at a small size, which shows the same damage."""
    try:
        open_picture(path, path, small=True)
    except LoadError:
        return False
    return True


def sound(paths: Sequence[str]) -> list[bool]:
    """Return which of many pictures can be decoded; they are checked in parallel."""
    with ThreadPoolExecutor(usable_threads()) as pool:
        return list(pool.map(is_sound, paths))


def depths(paths: Sequence[str]) -> set[str]:
    """Return what is unusual about the numbers in pictures, from the headers of some of them spread over all:
    "16 bits", "floats".
    """
    Image, modes = optional("PIL.Image"), set()
    for path in paths[:: max(1, len(paths) // HEADERS)]:
        with contextlib.suppress(*DAMAGED, Image.DecompressionBombError):
            with Image.open(path, formats=FORMATS) as picture:
                modes |= {DEPTHS[picture.mode]} if picture.mode in DEPTHS else set()
    return modes


def check_pictures(reader: Reader) -> None:
    """Check that pictures can be read at all, before any is looked for.

    Raises:
        LoadError: the model does not read grey or coloured pictures, or the package that decodes them is
            missing.
    """
    optional("PIL.Image")
    if len(reader.shape) != 3 or reader.shape[0] not in (1, 3):
        raise LoadError(
            f"The model reads inputs of shape {reader.shape}, not pictures; bring its inputs as npz:FILE."
        )


def fitted(picture: "Image", reader: Reader) -> Tensor:
    """Return a picture as the model reads it, before normalisation.

    A picture that already has the model's size is not resized. Sizes round as in torchvision's Resize and
    CenterCrop.

    Returns: (channels, height, width) uint8.
    """
    Image = optional("PIL.Image")
    channels, height, width = reader.shape
    preset = reader.preset
    if preset.fit == "crop":
        _check_sides(picture, (width, height), preset.resize)
    picture = eight_bits(picture).convert("L" if channels == 1 else "RGB")
    method = Image.Resampling[preset.interpolation.upper()]
    if picture.size != (width, height):
        if preset.fit == "stretch":
            picture = picture.resize((width, height), method)
        else:
            size = _covering(picture.size, (width, height), preset.resize)
            picture = picture if picture.size == size else picture.resize(size, method)
            left, top = (round((size[0] - width) / 2), round((size[1] - height) / 2))
            picture = picture.crop((left, top, left + width, top + height))
    pixels = np.asarray(picture, dtype=np.uint8).reshape(height, width, channels)
    return torch.from_numpy(pixels.transpose(2, 0, 1).copy())


def _check_sides(picture: "Image", wanted: tuple[int, int], resize: int) -> None:
    """Check the size of the resized picture: it is resized before its centre is cropped, so a long, narrow
    one would become huge.

    Raises:
        LoadError: it would have too many pixels.
    """
    width, height = _covering(picture.size, wanted, resize)
    if width * height > MAX_PIXELS:
        sides = f"{picture.width:,} x {picture.height:,}"
        told = f"has sides of {sides}, and would have {width * height:,} pixels before its centre is cropped"
        raise LoadError(f"Picture {_name(picture)!r} {told}; up to {MAX_PIXELS:,} are decoded. Remove it.")


def _name(picture: "Image") -> str:
    """Return the name of its file, if it has one."""
    return str(getattr(picture, "filename", "") or "without a name")


def eight_bits(picture: "Image") -> "Image":
    """Convert a picture of higher bit depth to bytes: 65,535, or 1 for floats, becomes 255.

    Raises:
        LoadError: its numbers have no such range.
    """
    if picture.mode not in DEPTHS:
        return picture
    values = np.asarray(picture)
    low, high = float(values.min()), float(values.max())
    top = 1.0 if picture.mode == "F" else 65535.0
    if not (low >= 0 and high <= top):  # also rejects NaN
        told = f"holds numbers from {low:g} to {high:g}, and those of its kind are read from 0 to {top:g}"
        raise LoadError(f"Picture {_name(picture)!r} {told}; store it with 8 or 16 bits per channel.")
    scaled = np.rint(values.astype(np.float64) * (255 / top)).astype(np.uint8)
    return optional("PIL.Image").fromarray(scaled)


def _covering(size: tuple[int, int], wanted: tuple[int, int], resize: int) -> tuple[int, int]:
    """Return width and height, in proportion, that cover the wanted size scaled to `resize` pixels on its
    shorter side.
    """
    side = max(resize, min(wanted))
    goal = [side * extent // min(wanted) for extent in wanted]
    tight = 0 if goal[0] * size[1] >= goal[1] * size[0] else 1
    other = max(goal[1 - tight], int(goal[tight] * size[1 - tight] / size[tight]))
    return (goal[0], other) if tight == 0 else (other, goal[1])


def stacked(numbers: Sequence[int], read: Callable[[int], "Image"], reader: Reader) -> Tensor:
    """Read many pictures in parallel.

    Args:
        numbers: which ones, in this order.
        read: number -> picture.
    Returns: (n, channels, height, width) uint8.
    Raises:
        LoadError: a picture cannot be read, or all together need too much memory.
    """
    channels, height, width = reader.shape
    if len(numbers) * channels * height * width > MAX_SPLIT_BYTES:
        fit = MAX_SPLIT_BYTES // (channels * height * width)
        raise LoadError(
            f"{len(numbers):,} pictures of {width} x {height} need more than 8 GiB; ask for up to "
            f"samples={fit}."
        )
    made = torch.empty(len(numbers), channels, height, width, dtype=torch.uint8)
    with ThreadPoolExecutor(usable_threads()) as pool:
        for place, picture in enumerate(pool.map(lambda number: fitted(read(number), reader), numbers)):
            made[place] = picture
    return made
