"""Time from the command to a page that answers, over the bare imports of torch and Streamlit: both in fresh
processes.
"""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator

from ..errors import ExplorerError
from ..machine.paths import PACKAGE
from .effort import Effort
from .timed_rows import Timeable, TimedRow, interleaved, row

IMPORTS = "import torch, streamlit"
SERVE = "import sys; from explorer.commands.main import main; main(sys.argv[1:])"
CLIENT = "explorer.ui.first_page"  # speaks Streamlit's protocol, so it is run, not imported
WAIT_S = 90.0


def startup(size: Effort, device: str) -> Iterator[TimedRow]:
    """Yield nothing if no starts are requested."""
    if size.starts < 1:
        return

    def make(index: int) -> tuple[Timeable, Timeable]:
        return _serve, lambda: subprocess.run([sys.executable, "-c", IMPORTS], check=True, env=_environment())

    def make_usable(index: int) -> tuple[Timeable, Timeable]:
        return _serve_first_page, make(index)[1]

    pairs = interleaved(make, size.starts)
    ours, bare = pairs.medians
    yield row(
        "startup_over_imports",
        pairs,
        f"python -c '{IMPORTS}'",
        goal=1.5,
        bound_by=f"{bare:.2f} s of imports that are needed in any case, {max(0.0, ours - bare):.2f} s for "
        "the rest",
        details=pairs.details,
    )
    usable = interleaved(make_usable, size.starts)
    whole, bare = usable.medians
    yield row(
        "usable_over_imports",
        usable,
        f"python -c '{IMPORTS}'",
        goal=2.0,
        bound_by=f"{whole:.2f} s until the Prune page is sent, {bare:.2f} s of them imports; a browser's "
        "own time is not in it",
        details=usable.details,
    )


def _environment() -> dict[str, str]:
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(PACKAGE.parent), os.environ.get("PYTHONPATH", "")]),
    }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _serve() -> None:
    """Start the server, wait for its first answer, and end it."""
    _served(lambda port, process: _wait(f"http://127.0.0.1:{port}/_stcore/health", process))


def _serve_first_page() -> None:
    """Start the server, wait until it has sent the whole first page, and end it."""
    _served(lambda port, process: _open_page(port))


def _open_page(port: int) -> None:
    """Let another process open the page, whose own start goes on while the server starts."""
    client = [sys.executable, "-m", CLIENT, str(port)]
    done = subprocess.run(client, env=_environment(), capture_output=True, text=True, timeout=2 * WAIT_S)
    if done.returncode:
        raise ExplorerError(f"The first page did not come: {done.stderr.strip()[-200:]}")


def _served(wait: Callable[[int, subprocess.Popen], None]) -> None:
    """Start the server, wait for something, and end it."""
    port = _free_port()
    command = [sys.executable, "-c", SERVE, "--port", str(port), "--no-browser"]
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(command, env=_environment(), stdout=quiet, stderr=quiet)
    try:
        wait(port, process)
    finally:
        process.kill()  # a graceful end takes a second, which is not what is timed
        process.wait()


def _wait(url: str, process: subprocess.Popen) -> None:
    until = time.monotonic() + WAIT_S
    while time.monotonic() < until and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=1):
                return
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            time.sleep(0.02)
    raise ExplorerError(f"The server did not answer within {WAIT_S:.0f} s; start it by hand to see why.")
