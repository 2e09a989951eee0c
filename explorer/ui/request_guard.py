"""Checks every request first: refuses foreign host names and foreign pages, and tells browsers what the page
may do.
"""

import logging
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .allowed_hosts import AllowedHosts

MISDIRECTED, FORBIDDEN, POLICY_VIOLATION = 421, 403, 1008  # the last one closes a websocket
SHOWN = 100  # characters of a foreign name that are quoted
LOGGED = 20  # different refusals that are logged, so that nobody can fill the disk
# the page's own scripts are inline and created in the browser; nothing is fetched from or sent to other
# machines
POLICY = "; ".join(
    [
        "default-src 'self'",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        "media-src 'self' data: blob:",
        "connect-src 'self' data: blob:",
        "worker-src 'self' blob:",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    ]
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-frame-options": "DENY",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}

logger = logging.getLogger(__name__)


class RequestGuard:
    """The outermost part of the server.

    Args:
        app: answers the requests that pass.
        hosts: the names that a request may have.
    """

    def __init__(self, app: ASGIApp, hosts: AllowedHosts):
        self._app, self._hosts, self._logged = app, hosts, set[str]()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        found = refusal(Headers(scope=scope), self._hosts)
        if found is None:
            await self._app(_under_its_own_name(scope), receive, _with_headers(send))
            return
        status, why = found
        self._log(why)
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": POLICY_VIOLATION})
        else:
            await PlainTextResponse(f"{why}\n", status)(scope, receive, _with_headers(send))

    def _log(self, why: str) -> None:
        if why not in self._logged and len(self._logged) < LOGGED:
            self._logged.add(why)
            logger.warning("%s", why)


def refusal(headers: Headers, hosts: AllowedHosts) -> tuple[int, str] | None:
    """Return status and reason of a request that is not answered, or None."""
    named, origins = headers.getlist("host"), headers.getlist("origin")
    if len(named) != 1 or not hosts.allows(named[0]):
        shown = _shown(named)
        return MISDIRECTED, (
            f"This server does not answer under the name {shown}; if that is its name, start it with "
            "--trusted-host and this name."
        )
    if any(not hosts.allows_origin(origin, named[0]) for origin in origins):
        return FORBIDDEN, (
            f"Pages from {_shown(origins)} may not use this server; if they belong to it, start it with "
            "--trusted-host and the name of their host."
        )
    return None


def _under_its_own_name(scope: Scope) -> Scope:
    """Return the request with the host by which the page knows this server, if a proxy asks under another
    one.
    """
    origin = Headers(scope=scope).get("origin")
    if origin is None:
        return scope
    place = origin.partition("://")[2].encode("latin-1")
    others = [(name, text) for name, text in scope["headers"] if name != b"host"]
    return {**scope, "headers": [*others, (b"host", place)]}


def _shown(given: list[str]) -> str:
    return ascii(", ".join(given)[:SHOWN])


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers: Any = MutableHeaders(scope=message)
            for name, text in HEADERS.items():
                headers[name] = text
        await send(message)

    return sending
