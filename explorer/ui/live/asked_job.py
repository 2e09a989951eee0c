"""A measurement that begins when somebody asks for it, and only under the settings of that moment."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, TypeVar

import streamlit as st

from ...background.jobs import JobState
from ...background.lane import Lane
from ...values.progress import Work
from .. import session
from . import regions

T = TypeVar("T")


@dataclass(frozen=True)
class AskedJob:
    """What a button asks for. It holds no model, so that buttons of a page may remember it.

    Args:
        lane: where it runs.
        key: what it depends on; under another key it was not asked for.
    """

    lane: Lane
    key: Hashable

    @property
    def asked(self) -> bool:
        """Somebody asked for just this, and has not stopped it."""
        return session.recalled(_memory(self.lane)) == self.key

    def state(self, make: Callable[[], Work[Any]]) -> JobState:
        """The state of the lane; the job is begun if it was asked for.

        Args:
            make: begins it, on the worker, which has no session to ask.
        """
        return session.job(self.lane, self.key, make) if self.asked else session.lane_state(self.lane)

    def value(self, kind: type[T]) -> T | None:
        """What it has come to, asked for or not."""
        state = session.lane_state(self.lane)
        return state.value if state.key == self.key and isinstance(state.value, kind) else None

    def start(self) -> None:
        """In a callback: ask for it."""
        session.resume(self.lane)
        session.remember(_memory(self.lane), self.key)
        regions.hurry()
        st.rerun()

    def stop(self) -> None:
        """In a callback: stop what was asked for."""
        session.cancel(self.lane, session.recalled(_memory(self.lane)) or self.key)
        session.remember(_memory(self.lane), None)


def asked_news(lane: Lane) -> Hashable:
    """Changes when something is asked for, begins, ends, fails or has a new value."""
    state = session.lane_state(lane)
    return session.recalled(_memory(lane)), state.busy, state.error, state.version


def _memory(lane: Lane) -> str:
    return f"{lane.name} asked for"
