"""What the page learns of a sign-in that fails: Streamlit's own routes lead back to it without a word."""

from urllib.parse import parse_qs

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .shared.sign_in import CALLBACK, REFUSED, UNREACHABLE

LOGIN = "/auth/login"
SIGNED_IN = "_streamlit_user="  # the cookie of whoever is signed in
REDIRECT, BAD_REQUEST = 302, 400


class SignInAnswers:
    """Adds to the way back from a provider why nobody is signed in.

    Args:
        app: answers the requests.
        home: the address of the page, such as "/lab/pruning/".
    """

    def __init__(self, app: ASGIApp, home: str):
        self._app, self._home = app, home

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        place = scope.get("path", "").rstrip("/")
        is_here = scope["type"] == "http" and place.endswith((CALLBACK, LOGIN))
        if is_here and place.endswith(CALLBACK):  # without a state it is the way back from signing out
            is_here = "state" in parse_qs(scope["query_string"].decode("latin-1"))

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                if place.endswith(LOGIN):
                    why = UNREACHABLE if message["status"] == BAD_REQUEST else ""
                else:
                    cookies = headers.getlist("set-cookie")
                    why = "" if any(_signs_in(cookie) for cookie in cookies) else REFUSED
                if why:
                    message["status"] = REDIRECT
                    headers["location"] = f"{self._home}?sign_in={why}"
            await send(message)

        await self._app(scope, receive, sending if is_here else send)


def _signs_in(cookie: str) -> bool:
    """Whether it is the cookie of a person, not the one that removes it."""
    return cookie.startswith(SIGNED_IN) and cookie[len(SIGNED_IN) :].strip('"')[:1] not in ("", ";", '"')
