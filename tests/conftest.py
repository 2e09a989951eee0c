"""Shared fixtures: a running server and a browser for what only a browser shows."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from explorer.machine import paths

REQUIRE_BROWSER = "PRUNING_EXPLORER_REQUIRE_BROWSER"
START_SECONDS = 90
SERVE = (
    "from explorer.ui.server import serve; from explorer.ui.shared.settings import Settings; "
    "serve(Settings(({models}), 'cpu'), {rest})"
)


@pytest.fixture(autouse=True, scope="session")
def nothing_of_the_user(tmp_path_factory) -> Iterator[None]:
    """No test reads or fills the cache of whoever runs them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(paths.CACHE_VARIABLE, str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture
def own_cache(tmp_path, monkeypatch) -> None:
    """A cache for one test alone."""
    monkeypatch.setenv(paths.CACHE_VARIABLE, str(tmp_path))


@pytest.fixture
def one_thread() -> Iterator[None]:
    """What is small computes fastest, and the same everywhere, on one thread."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def _missing(why: str) -> None:
    if os.environ.get(REQUIRE_BROWSER) == "1":
        pytest.fail(f"{why}, and {REQUIRE_BROWSER}=1 asks for it")
    pytest.skip(why)


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args):
    """pytest-playwright's launch arguments, with the system's Chromium."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        _missing("No Chromium on this machine")
    return {**browser_type_launch_args, "executable_path": found, "args": ["--no-sandbox"]}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _wait(url: str, process: subprocess.Popen) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        if process.poll() is not None:
            raise RuntimeError(f"The server ended with {process.returncode}.")
        try:
            with urllib.request.urlopen(f"{url}/_stcore/health", timeout=1):
                return
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            time.sleep(0.1)
    raise TimeoutError(f"The server did not answer within {START_SECONDS} s.")


@pytest.fixture(scope="session")
def served(tmp_path_factory) -> Iterator[str]:
    """The address of the page, served from another folder with small models."""
    pytest.importorskip("pytest_playwright")
    root, port = Path(__file__).parents[1], free_port()
    program = SERVE.format(
        models="'digits-cnn', 'digits-mlp', 'shapes-mobilenet'", rest=f"port={port}, open_browser=False"
    )
    environment = {**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}
    log = tmp_path_factory.mktemp("server") / "log.txt"
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-c", program],
            cwd=log.parent,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            _wait(f"http://127.0.0.1:{port}", process)
            yield f"http://127.0.0.1:{port}"
            told = log.read_text()
        finally:
            process.terminate()
            process.wait(20)
    # what a callback or a page raises is written there; Streamlit's own complaints of closed tabs are too
    assert f'File "{root / "explorer"}' not in told, told
