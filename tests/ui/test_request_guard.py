"""Foreign names and foreign pages on every route of a running server, and what browsers are told."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator

import pytest
import serving

from explorer.ui.request_guard import HEADERS, LOGGED

TRUSTED = "prune.lab.example"
LIST_ROUTES = """
import json
import streamlit as st
from explorer.ui import server
from explorer.ui.allowed_hosts import AllowedHosts
app = st.App(server.SCRIPT, **server.parts(AllowedHosts()))._build_starlette_app()
print(json.dumps([[getattr(r, "path", "/"), sorted(getattr(r, "methods", None) or [])] for r in app.routes]))
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[serving.Server]:
    with serving.running(tmp_path_factory.mktemp("guarded"), "digits-mlp", trusted_hosts=[TRUSTED]) as found:
        yield found


@pytest.fixture(scope="module")
def routes() -> list[tuple[str, str]]:
    """Every path of the server, with values for its parameters, and a method; "WS" asks for a websocket."""
    done = subprocess.run(
        [sys.executable, "-c", LIST_ROUTES],
        capture_output=True,
        text=True,
        check=True,
        env=serving.environment(),
    )
    listed = json.loads(done.stdout.splitlines()[-1])
    return [
        (re.sub(r"{[^}]*}", "x", path) or "/", method)
        for path, methods in listed
        for method in methods or ("WS", "GET", "POST", "PUT", "DELETE", "OPTIONS")
    ]


def asked(server: serving.Server, path: str, method: str, **headers: str) -> serving.Answer:
    if method == "WS":
        return server.upgrade(path, **headers)
    return server.ask(method, path, b"{}" if method in ("POST", "PUT") else b"", **headers)


def test_there_are_routes_to_try(routes):
    paths = {path for path, _ in routes}
    assert len(routes) > 20
    assert paths >= {
        "/explorer-news",
        "/_stcore/stream",
        "/_stcore/upload_file/x/x",
        "/_stcore/metrics",
        "/prune",
    }


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8501", "localhost.evil.example"])
def test_no_route_answers_under_a_foreign_name(server, routes, host):
    for path, method in routes:
        for origin in ({}, {"origin": f"http://{host}"}):
            answer = asked(server, path, method, host=host, **origin)
            assert answer.status == (403 if method == "WS" else 421), (path, method, origin)


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://localhost:3000"])
def test_no_route_answers_a_foreign_page(server, routes, origin):
    for path, method in routes:
        assert asked(server, path, method, origin=origin).status == 403, (path, method)


def test_the_same_routes_answer_their_own_page(server, routes):
    """The negative control: what is refused above is refused for its name alone."""
    own = {"origin": f"http://127.0.0.1:{server.port}"}
    found = {(path, method): asked(server, path, method, **own).status for path, method in routes}
    assert found["/_stcore/stream", "WS"] == 101 and found["/prune", "GET"] == 200
    assert 421 not in found.values()
    # the agents' part of Streamlit is switched off, and an upload needs the token of a page
    refused = {path for (path, method), status in found.items() if status == 403 and method != "WS"}
    assert all("agent" in path or "upload_file" in path for path in refused), refused


def test_two_hosts_or_none_are_refused(server):
    two = f"GET / HTTP/1.1\r\nhost: 127.0.0.1:{server.port}\r\nhost: evil.example\r\n\r\n"
    assert server.send(two.encode()).status in (400, 421)
    assert server.send(b"GET / HTTP/1.0\r\n\r\n").status in (400, 421)
    assert server.send(f"GET / HTTP/1.0\r\nhost: localhost:{server.port}\r\n\r\n".encode()).status == 200


def test_a_trusted_name_is_answered_also_where_a_proxy_hides_it(server):
    page = f"https://{TRUSTED}"
    assert server.ask("GET", "/", host=TRUSTED).status == 200
    assert server.upgrade(host=TRUSTED, origin=page).status == 101
    assert server.upgrade(origin=page).status == 101  # the proxy asks 127.0.0.1
    assert server.upgrade(origin="https://evil.example", host=TRUSTED).status == 403


def test_every_answer_tells_the_browser_what_the_page_may_do(server, routes):
    for path, method in routes:
        if method == "WS":
            continue
        for host in ({}, {"host": "evil.example"}):
            headers = asked(server, path, method, **host).headers
            assert {name: headers.get(name) for name in HEADERS} == HEADERS, (path, method, host)
    assert "frame-ancestors 'none'" in HEADERS["content-security-policy"]


def test_refusals_say_what_to_do_and_are_logged_once_each_and_not_without_end(server):
    answer = server.ask("GET", "/", host="printed.example")
    assert b"'printed.example'; if that is its name, start it with --trusted-host" in answer.body
    for number in range(2 * LOGGED):
        server.ask("GET", "/", host="printed.example")
        server.ask("GET", "/", host=f"{number}.example")
    told = server.log.read_text(encoding="utf-8")
    assert told.count("does not answer under the name") <= LOGGED
    assert len(server.ask("GET", "/", host="x" * 8000).body) < 400


def test_streamlits_own_command_serves_with_the_same_guard(tmp_path):
    port, left = serving.free_port(), tmp_path / "outward.txt"
    program = (
        f"import sys; sys.path.insert(0, {str(serving.ROOT / 'tests')!r}); import outward; "
        f"outward.write_to({str(left)!r}); from streamlit.web.cli import main; main()"
    )
    script = str(serving.ROOT / "explorer" / "ui" / "app.py")
    command = [sys.executable, "-c", program, "run", script, "--server.port", str(port)]
    with serving.started(tmp_path, command, port, left) as server:
        for path in ("/", "/prune", "/explorer-news", "/_stcore/health"):
            assert server.ask("GET", path, host="evil.example").status == 421
        assert server.upgrade(host="evil.example", origin="http://evil.example").status == 403
        assert server.upgrade(origin="http://evil.example").status == 403
        assert server.upgrade(origin=server.url).status == 101
        assert (
            server.ask("POST", "/explorer-news", b"{}", origin=server.url).status == 404
        )  # there is such a way
        assert server.outward() == []
