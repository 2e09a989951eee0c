"""The state of a learner: the open lesson and step, predictions, answers, lessons done. Kept for the session
and in the URL.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import streamlit as st

from ...lessons.prediction_scores import Guess
from ...lessons.values import Lesson
from .. import session
from ..shared import settings

KEPT = "learner"
KEYS = ("lesson", "step", "done")
PREDICT, MEASURE, VERDICT, CHECK, TRY = "Predict", "Measure", "Verdict", "Check", "Try it"


@dataclass(frozen=True)
class Learner:
    """What a learner has done.

    Args:
        lesson: the open one, "" = the list.
        step: its position in `steps`.
        models: lesson -> sample model that was chosen for it.
        guesses: lesson -> prediction; None = measured without one.
        answers: lesson -> position of the answer that was chosen last.
        done: names of lessons whose check question was answered correctly.
    """

    lesson: str = ""
    step: int = 0
    models: Mapping[str, str] = field(default_factory=dict)
    guesses: Mapping[str, Guess | None] = field(default_factory=dict)
    answers: Mapping[str, int] = field(default_factory=dict)
    done: frozenset[str] = frozenset()


def steps(lesson: Lesson) -> tuple[str, ...]:
    """Return the screens of a lesson by name."""
    read = (
        ["Read"]
        if len(lesson.sections) == 1
        else [f"Read {place}" for place in range(1, len(lesson.sections) + 1)]
    )
    return (*read, PREDICT, MEASURE, VERDICT, CHECK, TRY)


def current() -> Learner:
    """Return the learner of this session, at first from the URL."""
    found = session.recalled(KEPT)
    if found is None:
        session.remember(KEPT, found := _from_url(st.query_params.to_dict()))
    return found


def change(**values: object) -> None:
    """Change fields of the learner."""
    session.remember(KEPT, replace(current(), **values))  # type: ignore[arg-type]


def note(what: str, name: str, value: object) -> None:
    """Put an entry into one of the learner's maps."""
    change(**{what: {**getattr(current(), what), name: value}})


def _from_url(query: Mapping[str, str]) -> Learner:
    """Return what can be read from the URL; the rest is left out, since a link may be for an older course."""
    known = settings.current().lessons
    by_number = {str(lesson.number): name for name, lesson in known.items()}
    done = frozenset(by_number[number] for number in query.get("done", "").split(".") if number in by_number)
    name = query.get("lesson", "")
    if name not in known:
        return Learner(done=done)
    step, last = query.get("step", "1"), len(steps(known[name]))
    place = int(step) - 1 if step.isascii() and step.isdigit() and len(step) < 3 else 0
    return Learner(name, min(max(place, 0), last - 1), done=done)


def to_url(learner: Learner) -> dict[str, str]:
    """Return the URL keys that this learner needs."""
    numbers = sorted(
        lesson.number for name, lesson in settings.current().lessons.items() if name in learner.done
    )
    found = {"done": ".".join(map(str, numbers))} if numbers else {}
    return found | ({"lesson": learner.lesson, "step": str(learner.step + 1)} if learner.lesson else {})


def write_url() -> None:
    """Keep the progress in the URL; other keys are not changed."""
    wanted = to_url(current())
    for key in KEYS:
        if key in wanted and st.query_params.get(key) != wanted[key]:
            st.query_params[key] = wanted[key]
        elif key not in wanted and key in st.query_params:
            del st.query_params[key]
