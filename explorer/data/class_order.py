"""Matches the classes of the data to the model's: by names, by numbers, as the user says, or in their order.

The user is always told how, since a wrong order looks like a bad model.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import LoadError
from ..machine.bounded_file import read_bounded
from ..machine.optional_packages import uses_torchvision
from .reader import Reader, class_name

SYNSET = re.compile(r"n\d{8}")  # an id of WordNet, which ImageNet uses as names of folders
IMAGENET_CLASSES = 1000
NAMES_LIMIT = 4_000_000  # bytes of a file of names


@dataclass(frozen=True)
class ClassOrder:
    """The positions of the data's classes among the model's.

    Args:
        places: the model's number of each class of the data.
        names: of all numbers.
        sentence: how they were matched, a sentence.
    """

    places: tuple[int, ...]
    names: tuple[str, ...]
    sentence: str


def class_order(classes: Sequence[str], reader: Reader, given: str = "", usual: str = "") -> ClassOrder:
    """Return the positions of the data's classes among the model's.

    Args:
        classes: their names, in the order that they have in the data.
        given: all names in the model's order, separated by commas, or a text file with one per line.
        usual: where that order comes from, if it is not alphabetical.
    Raises:
        LoadError: `given` lacks a class of the data, names one twice, or does not have the length of the
            model's list.
    """
    if given:
        return _as_given(classes, _given_names(given), reader)
    return (
        _by_name(classes, reader)
        or (None if usual else _by_synset(classes, reader) or _by_number(classes, reader))
        or ClassOrder(tuple(range(len(classes))), tuple(classes), usual or ALPHABET)
    )


ALPHABET = "Classes are numbered in the alphabetical order of their names."


def key(name: str) -> str:
    """Return the part of a name that counts when it is compared."""
    return " ".join(name.replace("_", " ").replace("-", " ").lower().split())


def _by_name(classes: Sequence[str], reader: Reader) -> ClassOrder | None:
    """Match by name, if the model names its classes and every class of the data is exactly one of them."""
    named = [key(name) for name in reader.preset.class_names]
    places = {name: number for number, name in enumerate(named) if named.count(name) == 1}
    if len(named) != reader.classes or not all(key(name) in places for name in classes):
        return None
    numbers = tuple(places[key(name)] for name in classes)
    return ClassOrder(numbers, reader.preset.class_names, "Classes are matched by their names.")


def _by_synset(classes: Sequence[str], reader: Reader) -> ClassOrder | None:
    """Match folders of ImageNet, all of them or some."""
    if reader.classes != IMAGENET_CLASSES or not all(SYNSET.fullmatch(name) for name in classes):
        return None
    synsets = sorted(classes)
    if len(classes) < IMAGENET_CLASSES:
        info = uses_torchvision("timm").data.ImageNetInfo()
        synsets = [info.index_to_label_name(number) for number in range(IMAGENET_CLASSES)]
    places = {name: number for number, name in enumerate(synsets)}
    if not all(name in places for name in classes):
        return None
    named = reader.preset.class_names
    names = named if len(named) == IMAGENET_CLASSES else tuple(synsets)
    return ClassOrder(
        tuple(places[name] for name in classes), names, "Classes are matched by the ids of ImageNet."
    )


def _by_number(classes: Sequence[str], reader: Reader) -> ClassOrder | None:
    """Match names that are whole numbers: they give their class, from 0, or from 1 if all are there."""
    if not all(name.isascii() and name.isdigit() and len(name) < 8 for name in classes):
        return None
    numbers = [int(name) for name in classes]
    count = reader.classes or max(numbers) + (0 in numbers)
    first = 0 if max(numbers) < count and (0 in numbers or len(classes) < count) else 1
    if len(set(numbers)) < len(numbers) or not first <= min(numbers) <= max(numbers) < count + first:
        return None
    names = {number - first: name for number, name in zip(numbers, classes, strict=True)}
    return ClassOrder(
        tuple(number - first for number in numbers),
        tuple(names.get(number, str(number + first)) for number in range(count)),
        f"Classes are numbered as their names say, from {first}.",
    )


def _given_names(text: str) -> tuple[str, ...]:
    path = Path(text).expanduser()
    if "," not in text and path.suffix and path.is_file():
        try:
            lines = read_bounded(path, NAMES_LIMIT).decode("utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise LoadError(f"Option 'classes' names the file {text!r}, which cannot be read.") from error
        return tuple(class_name(line) for line in lines if line.strip())
    return tuple(class_name(part) for part in text.split(","))


def _as_given(classes: Sequence[str], names: tuple[str, ...], reader: Reader) -> ClassOrder:
    wrong = "Option 'classes' takes the names of all classes in the model's order, with commas between"
    if reader.classes is not None and len(names) != reader.classes:
        raise LoadError(f"{wrong}: {reader.classes:,} of them, got {len(names):,}.")
    places = {key(name): number for number, name in enumerate(names)}
    if len(places) < len(names):
        raise LoadError(f"{wrong}, each once; two of those given are the same.")
    missing = [name for name in classes if key(name) not in places]
    if missing:
        raise LoadError(f"{wrong}; {missing[0]!r} is among the data and not among them.")
    return ClassOrder(
        tuple(places[key(name)] for name in classes), names, "Classes are in the order that you gave."
    )
