"""Serves a page that is opened by its own address, by a link or a reload.

Streamlit's browser part first asks below that address for the server, is refused, and writes an error into
the console. Here such an address is answered with the same first page, which says where the server is.
"""

from pathlib import Path

import streamlit as st
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from ..machine import paths

# the address of the page without its name, so below any prefix that the server knows, or a proxy strips
WHERE = "<script>window.__streamlit = {BACKEND_BASE_URL: new URL('.', window.location.href).href};</script>"
HEAD = "<head>"


def routes() -> list[Route]:
    """Return one route for each page, to be added to the server."""
    first_page = Path(st.__file__).with_name("static") / "index.html"
    if not first_page.is_file():
        return []
    base = "".join(f"/{name}" for name in str(st.get_option("server.baseUrlPath") or "").split("/") if name)
    text = first_page.read_text(encoding="utf-8").replace(HEAD, HEAD + WHERE, 1)

    async def answer(request: Request) -> Response:
        return HTMLResponse(text, headers={"cache-control": "no-cache"})

    return [Route(f"{base}/{page.stem}", answer) for page in sorted(paths.pages().glob("[!_]*.py"))]
