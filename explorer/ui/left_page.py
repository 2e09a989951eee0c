"""A browser that left a page may still ask for parts of it; such messages are dropped.

Streamlit runs a fragment for the page that the browser names. If that is the page that was just left, the run
begins with its name, and the browser throws away all that it shows of the new page, without an error. Edits
of our own elements are not lost, since the next question for news brings them, too.
"""

from google.protobuf.message import DecodeError
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from .client_messages import client_message, sifted

LONGEST = 32_000  # bytes of a message that names the open page; it lists all pages


class OpenPage:
    """The page that a browser is on, or on the way to: the last one that it asked for or was sent."""

    def __init__(self) -> None:
        self._page = ""

    def sent(self, data: bytes) -> None:
        """Note what the server sends."""
        if len(data) > LONGEST:
            return
        message = ForwardMsg()
        try:
            message.ParseFromString(data)
        except DecodeError:
            return
        if message.WhichOneof("type") == "navigation":
            self._page = message.navigation.page_script_hash

    def is_left(self, data: bytes) -> bool:
        """Note what a browser sends; return whether it asks for a part of a page that it has left."""
        message = client_message(data)
        if message is None or message.WhichOneof("type") != "rerun_script":
            return False
        asked = message.rerun_script
        if not asked.fragment_id:
            self._page = asked.page_script_hash  # empty where it asks by name
            return False
        return self._page not in ("", asked.page_script_hash)


class LeftPage:
    """Follows the open page of every websocket, and drops what belongs to another one.

    Args:
        app: gets the messages.
    """

    def __init__(self, app: ASGIApp):
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "websocket":
            await self._app(scope, receive, send)
            return
        page = OpenPage()

        async def sending(message: Message) -> None:
            if message["type"] == "websocket.send" and message.get("bytes") is not None:
                page.sent(message["bytes"])
            await send(message)

        await self._app(scope, sifted(receive, lambda data: not page.is_left(data)), sending)
