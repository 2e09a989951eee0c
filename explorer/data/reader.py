"""What data has to know of the model that reads it: shape, classes, and how pictures become its inputs."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import LoadError
from ..values.subject import Normalisation, Preset

IMAGENET = Preset(Normalisation(1 / 255, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)), resize=256)
NAME_LENGTH = 120  # characters of a class name that are kept


@dataclass(frozen=True)
class Reader:
    """The model that data is for.

    Args:
        shape: of one input.
        classes: how many it knows; None: any number.
        preset: how pictures become its inputs.
    """

    shape: tuple[int, ...] = (3, 224, 224)
    classes: int | None = None
    preset: Preset = IMAGENET


ANY = Reader()  # what most models of ImageNet read


def check_request(form: str, place: str, samples: int) -> None:
    """What every data set on disk is asked for.

    Args:
        form: how it is named, such as "folder:PATH".
    Raises:
        LoadError: no place, or no samples.
    """
    if not place:
        raise LoadError(
            f"Data set {form.partition(':')[0]!r} needs a place to read its splits from, such as {form}."
        )
    if samples < 1:
        raise LoadError(f"Option 'samples' must be at least 1, got {samples}.")


def normalisation(reader: Reader, mean: str, std: str, *, is_bytes: bool = True) -> Normalisation:
    """The model's own rule for bytes, none for floats; or what the user gave, such as mean="0.5,0.5,0.5" and
    std="0.25".

    Raises:
        LoadError: not numbers, not one a channel, or a std of zero.
    """
    if not mean and not std:
        return reader.preset.normalisation if is_bytes else Normalisation()
    return Normalisation(
        1 / 255 if is_bytes else 1.0,
        _numbers("mean", mean or "0", reader),
        _numbers("std", std or "1", reader),
    )


def _numbers(what: str, text: str, reader: Reader) -> tuple[float, ...]:
    try:
        values = tuple(float(part) for part in text.split(","))
    except ValueError:
        values = (math.nan,)
    if (
        len(values) not in (1, reader.shape[0])
        or not all(map(math.isfinite, values))
        or (what == "std" and min(values) <= 0)
    ):
        many = (
            f"one number, or {reader.shape[0]} with commas between," if reader.shape[0] > 1 else "one number"
        )
        raise LoadError(
            f"Option {what!r} takes {many} {'above 0' if what == 'std' else 'such as 0.5'}, got "
            f"{text[:40]!r}."
        )
    return values


def class_name(text: object) -> str:
    """A foreign name on one line, without control characters, of limited length; still foreign, so escape it
    where it is shown.

    >>> class_name("tabby\\n cat\\x1b")
    'tabby cat'
    """
    printable = "".join(c if c.isprintable() else " " for c in str(text))
    return " ".join(printable.split())[:NAME_LENGTH] or "unnamed"


def _key(name: str) -> str:
    return " ".join(name.replace("_", " ").replace("-", " ").lower().split())


def match_classes(found: Sequence[str], reader: Reader) -> tuple[tuple[int, ...], tuple[str, ...], str]:
    """Where the classes of the data stand among the model's.

    By name where the model names its classes and every class of the data is just one of them; else in the
    order given.

    Returns: the model's number of each class, the names of all numbers, and how it was done, in a sentence.
    """
    named = [_key(name) for name in reader.preset.class_names]
    places = {name: number for number, name in enumerate(named) if named.count(name) == 1}
    if len(named) == reader.classes and all(_key(name) in places for name in found):
        return (
            tuple(places[_key(name)] for name in found),
            reader.preset.class_names,
            "Classes are matched by their names.",
        )
    return (
        tuple(range(len(found))),
        tuple(found),
        "Classes are numbered in the alphabetical order of their names.",
    )
