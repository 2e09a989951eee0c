"""How a page in a browser asks for news: a question that is answered once there are some.

A run of a Streamlit page costs kilobytes and a tenth of a second even if it draws nothing, so looks at a
running job don't use one. A question names its page by the secret that only this page was given, so no other
site can ask. If a question is not answered, such as behind some proxies, the browser notices and lets the
page run from time to time.
"""

import asyncio
import threading
import time
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import replace
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from streamlit.runtime import exists, get_instance
from streamlit.runtime.scriptrunner import add_script_run_ctx, get_script_run_ctx

from ...errors import ExplorerError
from .. import session
from ..shared import models
from . import pushed
from .protocol import LONGEST, NewsQuestion, read_question

HOLD_S = 2.0  # a question is answered after this time at the latest; a server that ends waits for it
# pauses between looks for a change, and between looks at what only time changes
LOOK_S, LOOK_AGAIN_S = 0.01, 0.2
# the answer to a move waits this long for its first number, which would otherwise need its own question
FIRST_S = 0.25
_pages: dict[str, Any] = {}  # secret of a page -> the context of its last run, in which its session is found


def page() -> str:
    """Return the secret of the page that runs."""
    return session.stamp()[0]


def open_for_questions() -> None:
    """Let the page's browser ask from now on; called in a run of the page. Pages of closed tabs are
    forgotten.
    """
    context = get_script_run_ctx()
    if context is None:
        return
    if exists():
        for secret, other in list(_pages.items()):
            if not get_instance().is_active_session(other.session_id):
                _pages.pop(secret, None)
    _pages[page()] = context


def forget(session: str) -> None:
    """Stop answering pages of this session."""
    for secret, context in list(_pages.items()):
        if context.session_id == session:
            _pages.pop(secret, None)


async def ask(request: Request) -> Response:
    """Answer a question of a page's browser; 404 to a stranger."""
    context = _pages.get(request.headers.get("x-explorer-page", ""))
    asked = read_question(await _body(request)) if context is not None else None
    if context is None or asked is None:
        return Response(status_code=404)
    until = time.monotonic() + HOLD_S
    patience = until if asked.move else 0.0  # until then an answer without a first number waits
    while True:
        seen = _stamp(context)  # before the look: news during the look is found by the next one
        news, is_measured = await _look(context, asked)
        asked = replace(asked, edit=None)  # it was taken
        looked = time.monotonic()
        if is_measured is not None:
            patience = 0.0 if is_measured else min(patience, looked + FIRST_S)
        if looked > until or (looked > patience and (news["told"] or news["draw"] or not news["busy"])):
            return JSONResponse(news)
        while _stamp(context) == seen and time.monotonic() < looked + LOOK_AGAIN_S:
            await asyncio.sleep(LOOK_S)


async def _body(request: Request) -> bytes:
    """Return the question, reading no more than the maximum length; what there is of it if the browser went
    away.
    """
    body = b""
    with suppress(ClientDisconnect):
        async for part in request.stream():
            body += part
            if len(body) > LONGEST:
                break
    return body


def _stamp(context: Any) -> tuple[int, ...]:
    """Return a value that changes whenever a lane has news; cheap."""
    return models.lanes().versions(context.session_id)


async def _look(context: Any, asked: NewsQuestion) -> tuple[dict[str, Any], bool | None]:
    """Find what is new, in a thread that has the session's state as a run of its page does.

    Returns: the answer; and whether the moves until then have a number (or an error), None if they have not
        arrived.
    """
    future: Future[tuple[dict[str, Any], bool | None]] = Future()

    def work() -> None:
        try:
            with session.still():
                future.set_result(_answered(asked))
        except ExplorerError:  # the page itself says what is wrong
            future.set_result(({"told": {}, "taken": 0, "draw": False, "busy": False}, True))
        except BaseException as error:  # passed to the waiting thread
            future.set_exception(error)

    add_script_run_ctx(threading.Thread(target=work, name=models.ANSWERS, daemon=True), context).start()
    return await asyncio.wrap_future(future)


def _answered(asked: NewsQuestion) -> tuple[dict[str, Any], bool | None]:
    pushed.take(asked)
    found = pushed.answer(asked.known)
    return found, session.is_answered() if found["taken"] >= asked.move else None
