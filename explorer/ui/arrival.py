"""What a starting server does while the browser opens: it imports torch and the page, then loads the first
model.

The server answers before that. Whatever needs torch is imported late, and waits here until it is there.
"""

import asyncio
import pkgutil
import threading
from collections.abc import Awaitable, Callable
from importlib import import_module

from starlette.requests import Request
from starlette.responses import Response

from ..machine.collector import without_collector

PAGE = ("whole_page", "frame.tour")
FIRST = "prune"  # the page that opens first, of which every module is needed

_imported = threading.Event()
_imported.set()  # unless a server is starting there is nothing to wait for


def begin() -> None:
    """Import and load in the background."""
    _imported.clear()
    threading.Thread(target=_prepare, name="explorer-arrival").start()


def wait() -> None:
    """Return once everything is imported."""
    _imported.wait()


def late(module: str, name: str) -> Callable[[Request], Awaitable[Response]]:
    """Return an endpoint that waits until everything is imported, and then asks the one of that module.

    Args:
        module: of this package, such as "live.news_route".
    """

    async def answer(request: Request) -> Response:
        if not _imported.is_set():
            await asyncio.to_thread(wait)
        response: Response = await getattr(import_module(f"{__package__}.{module}"), name)(request)
        return response

    return answer


def _prepare() -> None:
    with without_collector():
        try:
            _import()
        finally:  # an error comes again where a page imports the same
            _imported.set()
        from .shared import models

        models.look_ahead()


def _import() -> None:
    import torch

    from ..machine.environment import usable_threads

    torch.set_num_threads(usable_threads())
    package = import_module(f"{__package__}.{FIRST}")
    modules = [f"{FIRST}.{module.name}" for module in pkgutil.iter_modules(package.__path__)]
    for module in [*PAGE, *modules]:
        import_module(f"{__package__}.{module}")
