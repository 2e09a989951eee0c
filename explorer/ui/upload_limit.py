"""Limits the size of uploads, of all visitors together and of each: Streamlit limits each file, and keeps the
files of every session.
"""

import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from streamlit.runtime import exists, get_instance
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.stats import CacheStat

ROUTE = "/_stcore/upload_file/"
MOST = 2 * 1024**3  # bytes, of all sessions together
LENGTH_REQUIRED, TOO_LARGE = 411, 413

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Uploads:
    """How many bytes uploads take now.

    Args:
        all: files of all sessions.
        of: session -> its files, and the weights that were read from them.
    """

    all: Callable[[], int]
    of: Callable[[str], int]


class UploadLimit:
    """Refuses uploads for which there is no room, before their first byte is read.

    A browser that disconnects during an upload is not an error.

    Args:
        app: takes the uploads that pass.
        most: bytes in all.
        quota: bytes of one session; None = as much as all together.
    """

    def __init__(
        self, app: ASGIApp, most: int = MOST, quota: int | None = None, uploads: Uploads | None = None
    ):
        self._app, self._most, self._quota = app, most, quota
        self._uploads = uploads or Uploads(held_bytes, held_bytes_of)
        self._coming: Counter[str] = Counter()  # session -> bytes that are being sent

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "PUT" or ROUTE not in scope["path"]:
            await self._app(scope, receive, send)
            return
        session = scope["path"].partition(ROUTE)[2].partition("/")[0]
        length = Headers(scope=scope).get("content-length", "")
        if not length.isdecimal() or len(length) > 15:
            refused = PlainTextResponse("An upload has to say its length.\n", LENGTH_REQUIRED)
            await refused(scope, receive, send)
        elif (refusal := self._refusal(session, int(length))) is not None:
            logger.warning("An upload was refused: %s", refusal)
            await PlainTextResponse(f"{refusal}\n", TOO_LARGE)(scope, receive, send)
        else:
            await self._take(session, int(length), scope, receive, send)

    def _refusal(self, session: str, length: int) -> str | None:
        """Return why there is no room, or None."""
        if (
            self._quota is not None
            and self._uploads.of(session) + self._coming[session] + length > self._quota
        ):
            return (
                f"Your uploads may take {self._quota:,} bytes, and there is no room left for {length:,}; "
                "remove one that you do not need, or upload a smaller file."
            )
        if self._uploads.all() + self._coming.total() + length > self._most:
            return (
                f"All uploads together may have {self._most:,} bytes, and there is no room left for "
                f"{length:,}; try again later, or start the program with --checkpoint."
            )
        return None

    async def _take(self, session: str, length: int, scope: Scope, receive: Receive, send: Send) -> None:
        self._coming[session] += length
        try:
            await self._app(scope, receive, send)
        except ClientDisconnect:
            return
        finally:
            self._coming[session] -= length
            self._coming += Counter()  # forgets sessions that send nothing


def held_bytes() -> int:
    """Return the bytes of uploaded files that Streamlit keeps for all sessions."""
    if not exists():
        return 0
    manager = get_instance().uploaded_file_mgr
    families = manager.get_stats(manager.stats_families)
    stats = [stat for found in families.values() for stat in found if isinstance(stat, CacheStat)]
    return sum(stat.byte_length for stat in stats)


def held_bytes_of(session: str) -> int:
    """Return the bytes of the files of one session, and of the weights that were read from them."""
    from .shared import models  # with torch, for which a server does not wait

    if not exists():
        return 0
    manager = get_instance().uploaded_file_mgr
    files = manager.file_storage.get(session, {}) if isinstance(manager, MemoryUploadedFileManager) else {}
    return sum(len(file.data) for file in list(files.values())) + models.uploaded_bytes(session)
