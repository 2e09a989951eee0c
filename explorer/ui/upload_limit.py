"""Limits the total size of uploads: Streamlit limits each file, and keeps the files of every session."""

import logging
from collections.abc import Callable

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from streamlit.runtime import exists, get_instance
from streamlit.runtime.stats import CacheStat

ROUTE = "/_stcore/upload_file/"
MOST = 2 * 1024**3  # bytes, of all sessions together
LENGTH_REQUIRED, TOO_LARGE = 411, 413

logger = logging.getLogger(__name__)


class UploadLimit:
    """Refuses uploads for which there is no room, before their first byte is read.

    A browser that disconnects during an upload is not an error.

    Args:
        app: takes the uploads that pass.
        most: bytes in all.
        held: bytes that are kept now.
    """

    def __init__(self, app: ASGIApp, most: int = MOST, held: Callable[[], int] | None = None):
        self._app, self._most, self._held, self._coming = app, most, held or held_bytes, 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "PUT" or ROUTE not in scope["path"]:
            await self._app(scope, receive, send)
            return
        length = Headers(scope=scope).get("content-length", "")
        if not length.isdecimal() or len(length) > 15:
            refused = PlainTextResponse("An upload has to say its length.\n", LENGTH_REQUIRED)
            await refused(scope, receive, send)
        elif self._held() + self._coming + int(length) > self._most:
            refusal = (
                f"All uploads together may have {self._most:,} bytes, and there is no room left for "
                f"{int(length):,}; try again later, or start the program with --checkpoint."
            )
            logger.warning("An upload was refused: %s", refusal)
            await PlainTextResponse(f"{refusal}\n", TOO_LARGE)(scope, receive, send)
        else:
            await self._take(int(length), scope, receive, send)

    async def _take(self, length: int, scope: Scope, receive: Receive, send: Send) -> None:
        self._coming += length
        try:
            await self._app(scope, receive, send)
        except ClientDisconnect:
            return
        finally:
            self._coming -= length


def held_bytes() -> int:
    """Return the bytes of uploaded files that Streamlit keeps for all sessions."""
    if not exists():
        return 0
    manager = get_instance().uploaded_file_mgr
    families = manager.get_stats(manager.stats_families)
    stats = [stat for found in families.values() for stat in found if isinstance(stat, CacheStat)]
    return sum(stat.byte_length for stat in stats)
