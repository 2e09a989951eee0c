"""Gives back what closed tabs leave behind: each session after a while, and memory once it is free.

Streamlit lets a closed session go only when another one is closed, and the C library keeps what was freed.
"""

import asyncio
import logging
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import streamlit as st
from streamlit.runtime import exists, get_instance
from streamlit.runtime.scriptrunner import get_script_run_ctx

from ..machine import allocator, cache
from .live import news_route
from .shared import models

# so long a tab may be away (a lost connection, a reload of a proxy) and find its session again; shorter than
# server.disconnectedSessionTTL, after which Streamlit does not find it any more
GRACE_S = 30.0
EVERY_S = 5.0
LAST_STEP_S = 5.0
TRIM_BYTES = 32 * 2**20  # more than this is worth the pause of a few milliseconds

logger = logging.getLogger(__name__)


@dataclass
class Visits:
    """The sessions that have run a page, and when each was last known to be open, by time.monotonic()."""

    last: dict[str, float] = field(default_factory=dict)
    lock: Any = field(default_factory=threading.Lock)

    def note(self, session: str) -> None:
        """It runs a page now."""
        with self.lock:
            self.last[session] = time.monotonic()

    def gone(self, is_open: Callable[[str], bool]) -> list[str]:
        """The sessions that have been closed for too long to come back; they are forgotten here."""
        now = time.monotonic()
        with self.lock:
            for session in self.last:
                if is_open(session):
                    self.last[session] = now
            found = [session for session, at in self.last.items() if now - at >= GRACE_S]
            for session in found:
                del self.last[session]
        return found

    @property
    def nobody(self) -> bool:
        """No session is open, nor could come back."""
        return not self.last


@dataclass(frozen=True)
class TabCount:
    """How many sessions are open, and how many are kept with those that were closed a short while ago."""

    open: int
    kept: int


_visits = Visits()


def visits() -> TabCount:
    """Of now."""
    known = list(_visits.last)
    is_open = get_instance().is_active_session
    return TabCount(sum(map(is_open, known)), len(known))


def greet() -> None:
    """Called in each run of a page."""
    context = get_script_run_ctx()
    if context is not None and exists():
        _visits.note(context.session_id)


@asynccontextmanager
async def keeping_house(app: object) -> AsyncIterator[dict[str, Any]]:
    """While the server runs, tidy up now and then; when it ends, let each job end after its next step."""
    task = asyncio.create_task(_keep(), name="explorer-housekeeping")
    try:
        yield {}
    finally:
        task.cancel()
        with suppress(TimeoutError):  # a step that takes long ends with the process
            await asyncio.wait_for(asyncio.to_thread(models.lanes().shutdown), LAST_STEP_S)


async def _keep() -> None:
    trimmed = allocator.resident_bytes() or 0
    while True:
        await asyncio.sleep(EVERY_S)
        try:
            trimmed = await _tidy_up(trimmed)
        except Exception:  # it goes on: a server that never tidies up again would only grow
            logger.exception("Tidying up failed.")


async def _tidy_up(trimmed: int) -> int:
    """One round; returns how much was held after memory was last given back."""
    runtime = get_instance()
    gone = _visits.gone(runtime.is_active_session)
    for session in gone:
        forget(session)
        runtime.close_session(session)
    if gone and _visits.nobody:
        rest()
    held = allocator.resident_bytes() or 0
    # while a measurement goes on, it would need the memory again at once
    if not gone and (held - trimmed < TRIM_BYTES or not models.lanes().idle):
        return min(held, trimmed)
    await asyncio.to_thread(allocator.give_back)
    return allocator.resident_bytes() or 0


def forget(session: str) -> None:
    """Let go of everything that is kept for a session."""
    models.forget(session)
    news_route.forget(session)


def rest() -> None:
    """Nobody is there: keep what the next one would have to wait for, as at the start, and nothing else."""
    cache.rest()
    st.cache_data.clear()
