"""The way by which a page in a browser asks for news: a question that is answered once there are some.

A run of a Streamlit page costs kilobytes and a tenth of a second even if it draws nothing, so looks at a
running job don't take one. A question names its page by the secret that only this page was given, so no other
site can ask. Where a question is not answered, such as behind some proxies, the browser notices and lets the
page run now and then.
"""

import asyncio
import json
import threading
import time
from concurrent.futures import Future
from typing import Any

import streamlit as st
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from streamlit.runtime import exists, get_instance
from streamlit.runtime.scriptrunner import add_script_run_ctx, get_script_run_ctx

from ...errors import ExplorerError
from .. import session
from ..shared import models

WAY = "/explorer-news"
HOLD_S = 2.0  # a question is answered after so long at the latest; a server that ends waits for it
LOOK_S, LOOK_AGAIN_S = (
    0.01,
    0.2,
)  # pauses between looks for a change, and between looks at what only time changes
# so long the answer to a move waits for its first number, which would else need a question of its own
FIRST_S = 0.25
MOVE = (
    "x-explorer-move"  # header: the page has let go of a fader, and waits for a state after so many changes
)
LONGEST = 20_000  # bytes of a question
_pages: dict[str, Any] = {}  # secret of a page -> the context of its last run, in which its session is found


def route() -> Route:
    """To be added to the server."""
    return Route(WAY, _ask, methods=["POST"])


def path() -> str:
    """Where the browser asks."""
    base = str(st.get_option("server.baseUrlPath") or "").strip("/")
    return f"/{base}{WAY}" if base else WAY


def page() -> str:
    """The secret of the page that runs."""
    return session.stamp()[0]


def open_for_questions() -> None:
    """In a run of the page: from now on its browser may ask. Pages of closed tabs are forgotten."""
    context = get_script_run_ctx()
    if context is None:
        return
    if exists():
        for secret, other in list(_pages.items()):
            if not get_instance().is_active_session(other.session_id):
                _pages.pop(secret, None)
    _pages[page()] = context


def forget(session: str) -> None:
    """No page of this session asks any more."""
    for secret, context in list(_pages.items()):
        if context.session_id == session:
            _pages.pop(secret, None)


async def _ask(request: Request) -> Response:
    context = _pages.get(request.headers.get("x-explorer-page", ""))
    known = _known(await _body(request)) if context is not None else None
    if context is None or known is None:
        return Response(status_code=404)
    until, moved = time.monotonic() + HOLD_S, _count(request.headers.get(MOVE, ""))
    patience = until if moved else 0.0  # until then an answer without a first number waits
    while True:
        seen = _stamp(context)  # before the look: what comes during it is found by the next one
        found, is_measured = await _look(context, known, moved)
        looked = time.monotonic()
        if is_measured is not None:
            patience = 0.0 if is_measured else min(patience, looked + FIRST_S)
        if looked > until or (looked > patience and (found["told"] or found["draw"] or not found["busy"])):
            return JSONResponse(found)
        while _stamp(context) == seen and time.monotonic() < looked + LOOK_AGAIN_S:
            await asyncio.sleep(LOOK_S)


async def _body(request: Request) -> bytes:
    """The question, read no further than it may be long."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > LONGEST:
            break
    return body


def _known(body: bytes) -> dict[str, int] | None:
    """What a browser says that it shows: element -> turn; None if it is no such thing."""
    try:
        found = json.loads(body) if len(body) <= LONGEST else None
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict) or not all(isinstance(turn, int) for turn in found.values()):
        return None
    return found


def _count(text: str) -> int:
    """A count that a browser names, or 0."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else 0


def _stamp(context: Any) -> tuple[int, ...]:
    """Changes whenever a lane has news; cheap."""
    return models.lanes().versions(context.session_id)


async def _look(context: Any, known: dict[str, int], moved: int) -> tuple[dict[str, Any], bool | None]:
    """What is new, found in a thread that stands in the session as a run of its page does.

    Returns: the answer; and whether the moves until then have a number (or an error), None where they have
        not arrived.
    """
    from . import pushed

    future: Future[tuple[dict[str, Any], bool | None]] = Future()

    def work() -> None:
        try:
            with session.still():
                future.set_result(
                    (pushed.answer(known), session.is_answered() if session.stamp()[1] >= moved else None)
                )
        except ExplorerError:  # the page itself says what is wrong
            future.set_result(({"told": {}, "draw": False, "busy": False}, True))
        except BaseException as error:  # handed to the one who waits
            future.set_exception(error)

    add_script_run_ctx(threading.Thread(target=work, daemon=True), context).start()
    return await asyncio.wrap_future(future)
