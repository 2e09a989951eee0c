"""A measurement that starts only on request, and only under the current settings."""

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
    """The job of a button. It has no model, so that buttons of a page may remember it.

    Args:
        lane: where it runs.
        key: what it depends on; a request under another key does not count.
    """

    lane: Lane
    key: Hashable

    @property
    def asked(self) -> bool:
        """Whether exactly this was requested and not stopped."""
        return session.recalled(_memory(self.lane)) == self.key

    def state(self, make: Callable[[], Work[Any]]) -> JobState:
        """Return the state of the lane; the job is started if it was requested.

        Args:
            make: starts it, on the worker, which has no session to ask.
        """
        return session.job(self.lane, self.key, make) if self.asked else session.lane_state(self.lane)

    def value(self, kind: type[T]) -> T | None:
        """Return its latest value, whether it was requested or not."""
        state = session.lane_state(self.lane)
        return state.value if state.key == self.key and isinstance(state.value, kind) else None

    def start(self) -> None:
        """In a callback: request it."""
        session.resume(self.lane)
        session.remember(_memory(self.lane), self.key)
        regions.hurry()
        st.rerun()

    def stop(self) -> None:
        """In a callback: stop it."""
        session.cancel(self.lane, session.recalled(_memory(self.lane)) or self.key)
        session.remember(_memory(self.lane), None)


def asked_news(lane: Lane) -> Hashable:
    """Return a value that changes when something is requested, starts, ends, fails or has a new value."""
    state = session.lane_state(lane)
    return session.recalled(_memory(lane)), state.busy, state.error, state.version


def _memory(lane: Lane) -> str:
    return f"{lane.name} asked for"
