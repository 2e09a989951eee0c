"""Opens the data that no decision was based on: each opening is recorded and makes the level stricter."""

from dataclasses import replace

from ..engine.conditions import Conditions
from ..errors import ExplorerError
from ..measuring.statistics import openings_level
from ..values.subject import Subject
from .store import Store

STRICT_OPENINGS = 5  # after more openings than these, the data is no longer really held out


def held_out(subject: Subject, conditions: Conditions, store: Store) -> tuple[Conditions, str]:
    """Open the held-out split: return conditions with the level for this many openings, and the sentence that
    says so.

    Raises:
        ExplorerError: there is no such split, or the opening cannot be recorded.
    """
    if not has_held_out(subject):
        raise ExplorerError(f"{subject.name!r} has no held-out data; measure it on the tuning split.")
    if conditions.samples is not None and conditions.samples < 1:
        raise ExplorerError(f"The number of samples must be at least 1, got {conditions.samples}.")
    times = store.open_held_out(subject.id) + openings(subject, store, past=True)
    return replace(conditions, split="held_out", level=openings_level(times)), said(times)


def openings(subject: Subject, store: Store, *, past: bool = False) -> int:
    """Return how many times a model's held-out data has been opened.

    Args:
        past: under its former id alone.
    """
    return sum(store.held_out_openings(name) for name in subject.ids[1 if past else 0 :])


def has_held_out(subject: Subject) -> bool:
    """Whether there is data that no decision was based on."""
    return subject.task is not None and subject.task.has("held_out")


def said(times: int) -> str:
    """Return a sentence that says what this many openings mean.

    >>> said(2)
    'Held-out data: opened 2 times for this model, so judged at level 0.9917.'
    """
    counted = f"opened {times} time{'s' * (times > 1)} for this model"
    sentence = f"Held-out data: {counted}, so judged at level {openings_level(times):.4g}."
    if times > STRICT_OPENINGS:
        sentence += " After this many openings it can no longer be called held out."
    return sentence
