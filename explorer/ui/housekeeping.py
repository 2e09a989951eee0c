"""Releases what closed tabs leave behind: each session after a while, and memory once it is free.

Streamlit releases a closed session only when another one is closed, and the C library keeps freed memory.
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

from ..machine import allocator
from . import arrival

# a tab may be away this long (a lost connection, a reload of a proxy) and find its session again; shorter
# than server.disconnectedSessionTTL, after which Streamlit does not find it any more
GRACE_S = 45.0
EVERY_S = 5.0
LAST_STEP_S = 5.0
TRIM_BYTES = 32 * 2**20  # more than this is worth a pause of a few milliseconds
BUSY_BYTES = 2 * TRIM_BYTES  # while something is measured, which needs a part of it again at once

logger = logging.getLogger(__name__)


@dataclass
class Visits:
    """The sessions that have run a page, and when each was last known to be open, by time.monotonic()."""

    last: dict[str, float] = field(default_factory=dict)
    lock: Any = field(default_factory=threading.Lock)

    def note(self, session: str) -> None:
        """Record that a session runs a page now."""
        with self.lock:
            self.last[session] = time.monotonic()

    def gone(self, is_open: Callable[[str], bool]) -> list[str]:
        """Return the sessions that have been closed for too long to come back, and forget them here."""
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
        """Whether no session is open or can come back."""
        return not self.last


@dataclass(frozen=True)
class TabCount:
    """How many sessions are open, and how many are kept including those that were closed a short while
    ago.
    """

    open: int
    kept: int


_visits = Visits()


def visits() -> TabCount:
    """Return the current counts."""
    known = list(_visits.last)
    is_open = get_instance().is_active_session
    return TabCount(sum(map(is_open, known)), len(known))


def greet() -> None:
    """Record the session; called in each run of a page."""
    context = get_script_run_ctx()
    if context is not None and exists():
        _visits.note(context.session_id)


@asynccontextmanager
async def keeping_house(app: object) -> AsyncIterator[dict[str, Any]]:
    """Tidy up from time to time while the server runs; when it ends, let each job end after its next step."""
    task = asyncio.create_task(_keep(), name="explorer-housekeeping")
    try:
        yield {}
    finally:
        task.cancel()
        with suppress(TimeoutError):  # a step that takes long ends with the process
            await asyncio.wait_for(asyncio.to_thread(_shut_down), LAST_STEP_S)


def _shut_down() -> None:
    from .shared import models  # with torch, for which a server does not wait

    models.lanes().shutdown()


async def _keep() -> None:
    await asyncio.to_thread(arrival.wait)
    trimmed = allocator.resident_bytes() or 0
    while True:
        await asyncio.sleep(EVERY_S)
        try:
            trimmed = await _tidy_up(trimmed)
        except Exception:  # continue: a server that never tidies up again would only grow
            logger.exception("Tidying up failed.")


async def _tidy_up(trimmed: int) -> int:
    """Tidy up once; return how much memory was in use after it was last returned to the system."""
    from .shared import models

    runtime = get_instance()
    gone = _visits.gone(runtime.is_active_session)
    for session in gone:
        forget(session)
        runtime.close_session(session)
    if gone and _visits.nobody:
        rest()
    held = allocator.resident_bytes() or 0
    if not gone and not is_worth_a_pause(held - trimmed, models.lanes().idle):
        return min(held, trimmed)
    await asyncio.to_thread(allocator.give_back)
    return allocator.resident_bytes() or 0


def is_worth_a_pause(grown: int, idle: bool) -> bool:
    """Whether so many bytes more than after the last time are returned to the system now."""
    return grown >= (TRIM_BYTES if idle else BUSY_BYTES)


def forget(session: str) -> None:
    """Release everything that is kept for a session."""
    from .live import news_route
    from .shared import models

    models.forget(session)
    news_route.forget(session)


def rest() -> None:
    """Keep what the next visitor would have to wait for, as at the start, and nothing else; called when
    nobody is there.
    """
    from ..machine import cache

    cache.rest()
    st.cache_data.clear()
