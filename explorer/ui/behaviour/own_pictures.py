"""Samples whose answer changed, as the user's task shows them, or with their nearest neighbours."""

from collections.abc import Sequence

from torch import Tensor

from ...measuring.number_words import format_value
from ...studies.shown_answers import ShownAnswer
from ...studies.who_pays import SampleChange
from ...values.subject import Subject
from ..drawing import gallery
from ..drawing.png import is_picture, pixels_of

SIDES = ("the sample", "before", "now")
NEAREST = ("the sample", "nearest before", "nearest now")


def changes_drawn(
    subject: Subject, answers: Sequence[ShownAnswer], changes: Sequence[SampleChange], unit: str | None
) -> str:
    """Return the samples as HTML, three tiles each; nothing if they are shown in another way."""
    draw = {"own": _own, "neighbours": _neighbours}.get(answers[0].kind)
    if draw is None:
        return ""
    tiles = []
    for change, answer in zip(changes, answers, strict=True):
        values = f"{format_value(change.before, unit)} before, {format_value(change.after, unit)} now"
        tiles += draw(subject, answer, (f"sample {change.sample:,}", values))
    return gallery.gallery(tiles, tile_rem=9.5)


def _own(subject: Subject, answer: ShownAnswer, heading: tuple[str, str]) -> list[str]:
    first, values = heading
    lines = ((first, SIDES[0]), (first, SIDES[1]), (first, SIDES[2], values))
    return [
        gallery.tile(shown, words) if isinstance(shown, Tensor) else gallery.tile(None, (*words, shown))
        for shown, words in zip((answer.truth, answer.before, answer.after), lines, strict=True)
    ]


def _neighbours(subject: Subject, answer: ShownAnswer, heading: tuple[str, str]) -> list[str]:
    places = [tuple(part.tolist()) for part in (answer.truth, answer.before, answer.after)]
    tiles = []
    for side, (number, label) in zip(NEAREST, places, strict=True):
        words = (f"sample {number:,}", side, f"label {label}", *(heading[1:] if side == NEAREST[2] else ()))
        tiles.append(gallery.tile(_picture(subject, number), words))
    return tiles


def _picture(subject: Subject, number: int) -> Tensor | None:
    task = subject.task
    split = task.split("tuning") if task else None
    if task is None or split is None or not is_picture(tuple(subject.example.shape[1:])):
        return None
    return pixels_of(split.inputs_at(number, number + 1)[0], task.normalisation.scale)
