"""Uploads of all sessions together are bounded, and half a request is no error in the server's log."""

import argparse
import socket
import struct
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import serving
from protocol import Tab

from explorer.commands.app import quota_bytes
from explorer.loaders.model_text import load
from explorer.ui.shared import models
from explorer.ui.upload_limit import ROUTE, UploadLimit, Uploads

BOUNDARY = "multipart/form-data; boundary=b"
PART = b'--b\r\nContent-Disposition: form-data; name="f"; filename="a"\r\n\r\n'
SMALL = (
    "import explorer.ui.upload_limit as limit; limit.UploadLimit.__init__.__defaults__ = (5000, None, None); "
    "from dataclasses import replace; import explorer.ui.server as own; set_up = own.configure; "
    "own.configure = lambda settings: set_up(replace(settings, quota=4500))"
)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with serving.running(tmp_path_factory.mktemp("server"), "digits-mlp", before=SMALL) as found:
        yield found


def token(server) -> dict[str, str]:
    """What a page sends along, so that Streamlit takes its files."""
    cookie = server.ask("GET", "/_stcore/health").headers["set-cookie"].split(";")[0]
    return {"cookie": cookie, "x_xsrftoken": cookie.partition("=")[2], "content_type": BOUNDARY}


def put(server, tab, size: int, name: str = "file") -> serving.Answer:
    body = PART + bytes(size) + b"\r\n--b--\r\n"
    return server.ask("PUT", f"{ROUTE}{tab.session}/{name}", body, origin=server.url, **token(server))


def test_uploads_are_bounded_for_each_session_and_for_all_together(server):
    with Tab(server, "model=digits-mlp") as one, Tab(server, "model=digits-mlp") as other:
        one.open(), other.open()
        assert put(server, one, 3000).status == 204
        refused = put(server, one, 1700, "more")
        assert refused.status == 413 and b"Your uploads may take 4,500 bytes" in refused.body
        refused = put(server, other, 3000)
        assert refused.status == 413 and b"All uploads together may have 5,000 bytes" in refused.body
        assert put(server, other, 1000).status == 204
        removed = server.ask("DELETE", f"{ROUTE}{one.session}/file", origin=server.url, **token(server))
        assert removed.status == 204 and put(server, other, 3000, "again").status == 204
        unsaid = server.send(
            f"PUT {ROUTE}{one.session}/x HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n"
            "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n".encode()
        )
        assert unsaid.status == 411


def test_weights_that_were_read_count_for_whoever_uploaded_them():
    subject = load("digits-mlp")
    models.keep_upload(subject, "quota")
    assert models.uploaded_bytes("quota") == 4 * 6_570 and models.uploaded_bytes("another") == 0
    models.forget("quota")
    assert models.uploaded_bytes("quota") == 0


@pytest.mark.parametrize("text", ["", "200", "-1MB", "0MB", "x GB", "1e9GB", "9999999GB", "٣MB"])
def test_a_quota_that_is_no_size_is_refused(text):
    with pytest.raises(argparse.ArgumentTypeError, match="such as 200MB"):
        quota_bytes(text)


def broken_off(server, request: bytes, *, reset: bool) -> None:
    """Send a part of a request and go away."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as way:
        way.sendall(request)
        time.sleep(0.05)
        if reset:
            way.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@pytest.mark.parametrize("reset", [False, True])
def test_half_a_request_is_no_error(server, reset):
    before = server.log.read_text()
    with Tab(server, "model=digits-mlp") as tab:
        tab.open()
        host = f"Host: 127.0.0.1:{server.port}\r\nOrigin: {server.url}\r\n"
        extra = "".join(f"{key.replace('_', '-')}: {text}\r\n" for key, text in token(server).items())
        heads = [
            f"{method} {path} HTTP/1.1\r\n{host}{extra}Content-Length: 1000\r\n\r\n".encode()
            for path in (f"{ROUTE}{tab.session}/half", "/explorer-news", "/", "/_stcore/stream")
            for method in ("PUT", "POST", "GET")
        ]
        upgrade = (
            f"GET /_stcore/stream HTTP/1.1\r\n{host}Connection: Upgrade\r\nUpgrade: websocket\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            "Sec-WebSocket-Protocol: streamlit\r\n\r\n"
        ).encode()
        halves = [b"GET / HT", heads[0][:60], *(head + PART for head in heads)]
        halves += [upgrade[:90], upgrade, upgrade + b"\x82\xfe\x01", upgrade + b"\xff\xff\xff\xff"]
        for request in halves:
            broken_off(server, request, reset=reset)
        assert server.ask("GET", "/_stcore/health").status == 200
    time.sleep(0.5)
    added = server.log.read_text().removeprefix(before)
    assert "Traceback" not in added and "Exception" not in added, added


@pytest.mark.parametrize("most, quota", [(100, None), (1000, 100)])
def test_what_comes_at_the_same_time_is_counted(most, quota):
    """Two uploads that each fit, but not both; the second one is refused while the first still comes."""
    import asyncio

    answers: list[int] = []

    async def app(scope, receive, send):
        await asyncio.sleep(0.01)
        answers.append(204)

    async def send(message):
        if message["type"] == "http.response.start":
            answers.append(message["status"])

    async def both():
        guard = UploadLimit(app, most, quota, Uploads(lambda: 10, lambda session: 10))
        scope = {"type": "http", "method": "PUT", "path": f"{ROUTE}x/y"}
        scope["headers"] = [(b"content-length", b"60")]
        await asyncio.gather(*(guard(dict(scope), None, send) for _ in range(2)))
        await guard(dict(scope), None, send)

    with ThreadPoolExecutor(1) as another:  # a browser of another test may hold a loop in this one
        another.submit(lambda: asyncio.run(both())).result()
    assert answers == [413, 204, 204]
