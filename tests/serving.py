"""A real server in a process of its own, and plain requests to it: also what a browser never sends."""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
START_SECONDS = 240  # on a machine with neighbours
# what leaves the machine is written down by the server itself, from its first line on
PROGRAM = (
    "import sys; sys.path.insert(0, {tests!r}); import outward; outward.write_to({left!r}); "
    "{before}\nfrom explorer.ui.server import serve; from explorer.ui.shared.settings import Settings; "
    "serve(Settings({models!r}, 'cpu'), port={port}, open_browser=False, **{options!r})"
)


@dataclass(frozen=True)
class Server:
    """Where a server answers, and what it has written.

    Args:
        log: its standard output and errors.
        left: a file with a line for each connection that it wanted to make to another machine.
    """

    port: int
    process: subprocess.Popen
    log: Path
    left: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def outward(self) -> list[str]:
        """The connections to other machines that it wanted to make."""
        return self.left.read_text(encoding="utf-8").splitlines() if self.left.is_file() else []

    def threads(self) -> int:
        """How many threads it has, where the system tells."""
        return len(list(Path(f"/proc/{self.process.pid}/task").iterdir()))

    def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> "Answer":
        """One request with just these headers, however odd; host is 127.0.0.1 unless it is given."""
        named = {
            "host": f"127.0.0.1:{self.port}",
            **{key.replace("_", "-"): text for key, text in headers.items()},
        }
        if body:
            named["content-length"] = str(len(body))
        lines = [f"{method} {path} HTTP/1.1", *(f"{key}: {text}" for key, text in named.items()), "", ""]
        return self.send("\r\n".join(lines).encode("latin-1") + body)

    def upgrade(self, path: str = "/_stcore/stream", **headers: str) -> "Answer":
        """Ask for a websocket."""
        words = {
            "connection": "Upgrade",
            "upgrade": "websocket",
            "sec_websocket_version": "13",
            "sec_websocket_key": "dGhlIHNhbXBsZSBub25jZQ==",
            "sec_websocket_protocol": "streamlit",
        }
        return self.ask("GET", path, **{**words, **headers})

    def send(self, request: bytes) -> "Answer":
        """Raw bytes, and the head of the answer with as much of its body as comes along."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as way:
            way.sendall(request)
            received = b""
            while b"\r\n\r\n" not in received:
                more = way.recv(65536)
                if not more:
                    break
                received += more
            head, _, rest = received.partition(b"\r\n\r\n")
            status, *lines = head.decode("latin-1").split("\r\n")
            found = {key.lower(): text.strip() for key, _, text in (line.partition(":") for line in lines)}
            length = 0 if request.startswith(b"HEAD ") else int(found.get("content-length", "0"))
            while len(rest) < length and (more := way.recv(65536)):
                rest += more
        return Answer(int((status.split() or ["", "0"])[1]), found, rest)


@dataclass(frozen=True)
class Answer:
    """The answer to one request; a status of 0 is no answer."""

    status: int
    headers: dict[str, str]
    body: bytes


def free_port() -> int:
    """A port that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def environment() -> dict[str, str]:
    """That of a process that finds this package from any folder."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
    return {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}


@contextmanager
def running(
    folder: Path, *models: str, before: str = "", until: str = "", **options: object
) -> Iterator[Server]:
    """A server with these models until the end of the block; options as those of `serve`.

    Args:
        before: lines of Python that it runs first.
        until: the base path at which it is asked whether it is well.
    """
    port, left = free_port(), folder / "outward.txt"
    program = PROGRAM.format(
        tests=str(ROOT / "tests"), left=str(left), models=models, port=port, options=options, before=before
    )
    with started(
        folder, [sys.executable, "-c", program], port, left, health=f"{until}/_stcore/health"
    ) as server:
        yield server


@contextmanager
def started(
    folder: Path,
    command: list[str],
    port: int,
    left: Path,
    *,
    health: str = "/_stcore/health",
    variables: Mapping[str, str] | None = None,
) -> Iterator[Server]:
    """What a command starts on a port, until the end of the block; `health` is answered once it is there.

    Args:
        variables: of its environment, besides the usual ones.
    """
    log = folder / "log.txt"
    with log.open("w", encoding="utf-8") as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment() | dict(variables or {}),
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            server = Server(port, process, log, left)
            _wait(server, health)
            yield server
        finally:
            process.terminate()
            process.wait(60)


def _wait(server: Server, health: str) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        if server.process.poll() is not None:
            raise RuntimeError(f"The server ended:\n{server.log.read_text(encoding='utf-8')}")
        try:
            with urllib.request.urlopen(f"{server.url}{health}", timeout=20):
                return
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            time.sleep(0.1)
    raise TimeoutError(f"The server did not answer within {START_SECONDS} s.")
