"""Shared fixtures: a running server and a browser for what only a browser shows."""

import os
import shutil
from collections.abc import Iterator

import outward
import pytest
import serving
import torch
from hypothesis import settings
from signs import Signs

from explorer.machine import paths

REQUIRE_BROWSER = "PRUNING_EXPLORER_REQUIRE_BROWSER"

outward.forbid(outward.seen.append)
settings.register_profile("any machine", deadline=None)  # an example may take long where others work, too
settings.load_profile("any machine")


def pytest_addoption(parser) -> None:
    parser.addoption(
        "--heavy", action="store_true", help="also run the long tables, of which a sample always runs"
    )


# what waits for a browser or for child processes comes first: at the end it would leave a processor idle
FIRST = ("tests/ui/prune/", "tests/ui/test_walk.py", "tests/test_house.py", "tests/ui/", "tests/commands/")


def _turn(item) -> int:
    path = item.location[0].replace(os.sep, "/")
    return next((turn for turn, start in enumerate(FIRST) if path.startswith(start)), len(FIRST))


def pytest_collection_modifyitems(config, items) -> None:
    """Begin with what takes longest; leave out what is marked heavy, unless it is asked for."""
    items.sort(key=_turn)
    if not config.getoption("--heavy"):
        left_out = pytest.mark.skip(reason="a long table: runs with --heavy")
        for item in items:
            if "heavy" in item.keywords:
                item.add_marker(left_out)


@pytest.fixture(autouse=True)
def nothing_leaves_the_machine() -> Iterator[None]:
    """No test reaches another machine, not even where the attempt is caught."""
    before = len(outward.seen)
    yield
    assert outward.seen[before:] == []


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


def pytest_xdist_auto_num_workers(config) -> int:
    """Three processes for the whole suite: CI has two cores, and a quarter of the time they wait for browsers
    and child processes. None where single files are named.
    """
    return 3 if config.args == config.getini("testpaths") else 0


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


@pytest.fixture(scope="session")
def browser_context_args(browser_context_args):
    """Without animations: a skeleton that shimmers costs a processor more than all else of a page."""
    return {**browser_context_args, "reduced_motion": "reduce"}


@pytest.fixture(scope="session")
def server(tmp_path_factory) -> Iterator[serving.Server]:
    """A running server with small models, started from another folder."""
    pytest.importorskip("pytest_playwright")
    folder = tmp_path_factory.mktemp("server")
    with serving.running(folder, "digits-cnn", "digits-mlp", "shapes-mobilenet") as found:
        yield found
        assert found.outward() == []


@pytest.fixture
def served(server) -> str:
    """The address of the page."""
    return server.url


@pytest.fixture
def signs(server) -> Signs:
    """What goes wrong in the browser and on the server during this test."""
    return Signs(server.url, server.log)


@pytest.fixture
def context(context, signs):
    """A browser's context, in which nothing may go wrong: it fails the test, whatever else it looked at."""
    signs.watch(context)
    yield context
    signs.check()
