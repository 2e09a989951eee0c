"""What a starting server does while the browser opens, and who waits for it."""

import asyncio
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse

from explorer.ui import arrival, metrics_route, server


@pytest.fixture
def starting(monkeypatch):
    """A server that is importing until the event is set."""
    there = threading.Event()
    monkeypatch.setattr(arrival, "_imported", there)
    return there


def test_an_address_that_needs_torch_answers_once_it_is_there(starting, monkeypatch):
    seen = []

    async def answer(request: Request) -> PlainTextResponse:
        seen.append(starting.is_set())
        return PlainTextResponse("numbers")

    monkeypatch.setattr(metrics_route, "answer", answer)
    threading.Timer(0.2, starting.set).start()
    late = arrival.late("metrics_route", "answer")
    asked = late(Request({"type": "http", "method": "GET", "headers": []}))
    with ThreadPoolExecutor(1) as apart:  # a browser test before may have left a loop in this thread
        response = apart.submit(asyncio.run, asked).result()
    assert (response.body, seen) == (b"numbers", [True])


def test_an_import_that_fails_lets_the_page_go_on_and_say_so(starting, monkeypatch):
    def broken() -> None:
        raise ImportError("no torch")

    monkeypatch.setattr(arrival, "_import", broken)
    with pytest.raises(ImportError, match="no torch"):
        arrival._prepare()
    arrival.wait()


def test_the_browser_opens_as_soon_as_the_server_listens_and_not_before(monkeypatch):
    opened = []
    monkeypatch.setattr(server.webbrowser, "open", opened.append)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        way = listening.getsockname()
        opener = threading.Thread(target=server._open_browser, args=(way, "http://page"))
        opener.start()
        time.sleep(0.3)
        assert opened == []
        listening.listen()
        opener.join(10)
    assert opened == ["http://page"]
