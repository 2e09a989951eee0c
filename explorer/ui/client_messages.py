"""Passes on the messages that a page sends to Streamlit, and drops all others that Streamlit would obey.

Streamlit also clears the caches of all sessions, reads the Git repository around the program and installs
files if a client asks for it. No page here does.
"""

import logging
from collections.abc import Callable
from typing import Any

from google.protobuf.message import DecodeError
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit.proto.BackMsg_pb2 import BackMsg

USED = frozenset({"rerun_script", "stop_script", "file_urls_request", "app_heartbeat"})
OPERATION = "backend_operation_request"
USED_OPERATIONS = frozenset({"deferred_file", "dataframe_chunk"})

logger = logging.getLogger(__name__)


class ClientMessages:
    """Drops messages that no page sends from every websocket.

    Args:
        app: gets the messages that pass.
    """

    def __init__(self, app: ASGIApp):
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        logged: set[str] = set()

        def passes(data: bytes) -> bool:
            kind = unused(data)
            if kind is not None and kind not in logged:
                logged.add(kind)
                logger.warning("A browser sent %r, which no page here does; it was ignored.", kind)
            return kind is None

        await self._app(scope, sifted(receive, passes) if scope["type"] == "websocket" else receive, send)


def sifted(receive: Receive, passes: Callable[[bytes], bool]) -> Receive:
    """Return the messages of a websocket without those of a browser that do not pass."""

    async def receiving() -> Message:
        while True:
            message = await receive()
            data: Any = message.get("bytes") if message["type"] == "websocket.receive" else None
            if data is None or passes(data):
                return message

    return receiving


def client_message(data: bytes) -> BackMsg | None:
    """Return what a browser sent, or None if that is no message: Streamlit ends the session that sent it."""
    message = BackMsg()
    try:
        message.ParseFromString(data)
    except DecodeError:
        return None
    return message


def unused(data: bytes) -> str | None:
    """Return what a message asks for if no page here does so, or None if it may pass, as data that is not a
    message may.
    """
    message = client_message(data)
    kind = message.WhichOneof("type") if message is not None else None
    if message is None or kind is None or kind in USED:
        return None
    operation = message.backend_operation_request.WhichOneof("payload") if kind == OPERATION else None
    return None if operation in USED_OPERATIONS else operation or kind
