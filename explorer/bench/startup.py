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
from collections.abc import Iterator

from ..errors import ExplorerError
from ..machine.paths import PACKAGE
from .effort import Effort
from .timed_rows import Timeable, TimedRow, interleaved, row

IMPORTS = "import torch, streamlit"
SERVE = "import sys; from explorer.commands.main import main; main(sys.argv[1:])"
WAIT_S = 90.0


def startup(size: Effort, device: str) -> Iterator[TimedRow]:
    """Yield nothing if no starts are requested."""
    if size.starts < 1:
        return

    def make(index: int) -> tuple[Timeable, Timeable]:
        return _serve, lambda: subprocess.run([sys.executable, "-c", IMPORTS], check=True, env=_environment())

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
    port = _free_port()
    command = [sys.executable, "-c", SERVE, "--port", str(port), "--no-browser"]
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(command, env=_environment(), stdout=quiet, stderr=quiet)
    try:
        _wait(f"http://127.0.0.1:{port}/_stcore/health", process)
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
