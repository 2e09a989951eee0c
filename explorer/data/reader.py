"""What data has to know about the model that reads it: shape, classes, and how pictures become its inputs."""

import math
from dataclasses import dataclass, replace
from typing import Literal

from ..errors import LoadError
from ..values.inputs import InputPart
from ..values.subject import Normalisation, Preset
from ..values.text import TextForm

Kinds = Literal["classes", "one number", "anything"]
IMAGENET = Preset(Normalisation(1 / 255, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)), resize=256)
NAME_LENGTH = 120  # maximum characters of a class name


@dataclass(frozen=True)
class Reader:
    """The model that data is for.

    Args:
        shape: of one input.
        classes: how many it knows; None: any number.
        preset: how pictures become its inputs.
        whole: it reads whole numbers, such as words of a vocabulary.
        numbers: how many of them there are, from 0; None: not known.
        answer: what the model gives for a sample: a row of class scores, one number, or anything else.
        text: how text becomes its input; None: it has no vocabulary.
        parts: its inputs, if it reads several.
    """

    shape: tuple[int, ...] = (3, 224, 224)
    classes: int | None = None
    preset: Preset = IMAGENET
    whole: bool = False
    numbers: int | None = None
    answer: Kinds = "classes"
    text: TextForm | None = None
    parts: tuple[InputPart, ...] = ()

    @property
    def any_answer(self) -> bool:
        """Whether the model gives anything but a row of class scores."""
        return self.answer != "classes"


ANY = Reader()  # what most models of ImageNet read


def check_request(form: str, place: str, samples: int) -> None:
    """Check what every data set on disk requires.

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
    """Return the model's own rule for bytes, none for floats; or what the user gave, such as
    mean="0.5,0.5,0.5" and std="0.25".

    Raises:
        LoadError: not numbers, not one per channel, or a std of zero.
    """
    if not mean and not std:
        return reader.preset.normalisation if is_bytes else Normalisation()
    return Normalisation(
        1 / 255 if is_bytes else 1.0,
        _numbers("mean", mean or "0", reader),
        _numbers("std", std or "1", reader),
    )


def picture_rule(reader: Reader, mean: str = "", std: str = "") -> Normalisation:
    """Return the rule for decoded pictures, whose bytes go up to 255, whatever the model's own data go up to.

    Raises:
        LoadError: as of `normalisation`.
    """
    return replace(normalisation(reader, mean, std), scale=1 / 255)


def rule_told(rule: Normalisation, *, is_bytes: bool, is_given: bool) -> str:
    """Return a sentence that says how numbers are converted for the model.

    >>> rule_told(Normalisation(1 / 255, (0.5,), (0.25,)), is_bytes=True, is_given=True)
    'Pixels are scaled to 0 to 1, less 0.5, divided by 0.25, as you asked.'
    """
    top = round(1 / rule.scale) if rule.scale else 255
    pixels = "Pixels" if top == 255 else f"Pixels from 0 to {top:,}"
    what = f"{pixels} are scaled to 0 to 1" if is_bytes else "Numbers are read as they are"
    whose = "as you asked" if is_given else "as the model says"
    if any(rule.mean) or set(rule.std) != {1.0}:
        mean, std = (", ".join(f"{value:.4g}" for value in values) for values in (rule.mean, rule.std))
        return f"{what}, less {mean}, divided by {std}, {whose}."
    way = "if the model was trained otherwise, say so with ?mean= and ?std="
    return f"{what} and not normalised further; {way}."


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
    """Return a foreign name on one line, without control characters, of limited length; still foreign, so
    escape it where it is shown.

    >>> class_name("tabby\\n cat\\x1b")
    'tabby cat'
    """
    printable = "".join(c if c.isprintable() else " " for c in str(text))
    return " ".join(printable.split())[:NAME_LENGTH] or "unnamed"
