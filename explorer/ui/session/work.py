"""Background jobs of this session, and the measurement of its recipe."""

from collections.abc import Callable, Hashable, Iterable
from dataclasses import replace
from typing import Any

from ...background.jobs import JobState
from ...background.lane import LIVE, Lane
from ...engine.conditions import first_look
from ...engine.measure import stream
from ...engine.repaired import repairs_quickly
from ...measuring.kept_activations import trail_for
from ...pruning.decision import calibrate
from ...values.progress import Work
from ...values.report import Report
from ..shared import models, settings
from .choices import conditions
from .models import model, task_key
from .recipes import recipe
from .state import identity, state

LIVE_LANE = Lane("live", LIVE)


def job(lane: Lane, key: Hashable, make: Callable[[], Work[Any]]) -> JobState:
    """Return the state of a lane; the job is started unless it is running, is done, or was cancelled by the
    user.
    """
    if state().cancelled.get(lane) != key:
        models.lanes().submit(identity(), lane, key, make)
    return lane_state(lane)


def lane_state(lane: Lane) -> JobState:
    return models.lanes().state(identity(), lane)


def cancel(lane: Lane, key: Hashable) -> None:
    """Stop a job; it stays stopped until `resume`, or until the recipe changes."""
    state().cancelled[lane] = key
    models.lanes().cancel(identity(), lane)


def put_off(lane: Lane) -> None:
    """Stop a job for now; `job` starts it again."""
    if lane_state(lane).busy:
        models.lanes().cancel(identity(), lane)


def resume(lane: Lane) -> None:
    state().cancelled.pop(lane, None)


def is_cancelled(lane: Lane, key: Hashable) -> bool:
    return state().cancelled.get(lane) == key


def live_key() -> Hashable:
    return (task_key(), recipe().fingerprint, conditions())


def live() -> JobState:
    """Return the measurement of the current recipe, started if needed."""
    shown, wanted, how = model(), recipe(), conditions()
    key, room = live_key(), settings.current().classroom

    def measure() -> Work[Report]:
        if not wanted.is_empty:
            yield from calibrate(shown, wanted, how.device)
        subject = shown.subject
        quick = repairs_quickly(shown, wanted, how.device)
        data = subject.task.fingerprint if subject.task else None
        # who waits together shares the time that one of them would have
        look = first_look(subject, how.device, max(1, models.lanes().first_numbers))
        yield from stream(
            shown,
            wanted,
            replace(how, repaired=quick, first_look=look),
            trail=trail_for((subject.id, data, how.split, how.device), how.device),
        )

    return job(LIVE_LANE, key, measure if room is None else lambda: room.measured.steps(key, measure))


def report() -> Report | None:
    """Return the newest Report of the current recipe, or None before the first chunk."""
    found = live()
    return found.value if found.key == live_key() else None


def is_answered() -> bool:
    """Whether the current recipe has a first number, or will not get one."""
    found = lane_state(LIVE_LANE)
    return (
        found.key == live_key() and (found.value is not None or found.error is not None)
    ) or not found.busy


def versions(lanes: Iterable[Lane]) -> dict[Lane, int]:
    """Return lane -> version: another version means that there is news."""
    return {lane: lane_state(lane).version for lane in lanes}
