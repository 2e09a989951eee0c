"""Experiments of lessons in the background: each is measured once and shared by all sessions of the
process.
"""

import threading
from collections.abc import Hashable

from ...background.jobs import JobState
from ...background.lane import Lane
from ...background.shared_measurements import Sharing
from ...graph.analysed import Analysed, analyse
from ...lessons.evidence import Evidence
from ...lessons.experiment import run
from ...lessons.values import Lesson
from ...loaders.model_text import load_named
from ...machine.cache import Cache
from .. import session

LANE = Lane("lesson")
_evidence, _loading = Sharing(Cache(64, "findings of lessons")), threading.Lock()
_models = Cache(8, "models of lessons and their data", 4 * 2**30, growing=True)


def opened(name: str) -> Analysed:
    """Return a sample model, whatever else the server offers; shared, so never modified."""
    with _loading:
        found: Analysed | None = _models.get(name)
        if found is None:
            subject = load_named(name)
            found = _models.put(name, analyse(subject))
        return found


def key_of(lesson: Lesson, model: str) -> Hashable:
    return ("lesson", lesson.name, model, session.conditions().device)


def finished(lesson: Lesson, model: str) -> Evidence | None:
    """Return what the experiment found, or None while it is not finished."""
    return _evidence.results.get(key_of(lesson, model))


def begin(lesson: Lesson, model: str) -> JobState:
    """Measure, unless it is known or already running."""
    key, device = key_of(lesson, model), session.conditions().device
    return session.job(
        LANE, key, lambda: _evidence.steps(key, lambda: run(lesson.experiment, model, opened, device))
    )
