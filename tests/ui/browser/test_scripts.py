"""The scripts of the page, state by state: the tests beside this file, run by node's own test runner."""

import subprocess
from pathlib import Path

import pytest

from explorer.ui.browser.elements import ELEMENTS, HERE

driver = pytest.importorskip("playwright._impl._driver")  # brings a node of its own
TESTS = sorted(Path(__file__).parent.glob("*.test.mjs"))


def run(*files: Path) -> subprocess.CompletedProcess:
    node, _ = driver.compute_driver_executable()
    return subprocess.run([node, "--test", *map(str, files)], capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.name.removesuffix(".test.mjs"))
def test_the_states_of(path):
    done = run(path)
    assert done.returncode == 0, done.stdout
    assert "# pass 0" not in done.stdout


def test_a_state_that_is_wrong_is_seen(tmp_path):
    """The fault of before is planted: what had turn 0 was taken for something old."""
    folder = tmp_path / "tests" / "ui" / "browser"
    folder.mkdir(parents=True)
    for file in Path(__file__).parent.glob("*.mjs"):
        (folder / file.name).write_text(file.read_text(encoding="utf-8"), encoding="utf-8")
    scripts = tmp_path / "explorer" / "ui" / "browser"
    scripts.mkdir(parents=True)
    for file in HERE.glob("*.js"):
        (scripts / file.name).write_text(file.read_text(encoding="utf-8"), encoding="utf-8")
    assert run(folder / "protocol.test.mjs").returncode == 0
    protocol = scripts / "protocol.js"
    right = "turn >= (elements.get(name)?.turn ?? 0)"
    assert right in protocol.read_text(encoding="utf-8")
    protocol.write_text(
        protocol.read_text(encoding="utf-8").replace(right, right.replace(">=", ">")), "utf-8"
    )
    assert run(folder / "protocol.test.mjs").returncode == 1


@pytest.mark.parametrize("name", list(ELEMENTS))
def test_every_element_has_its_script_and_says_which_function_draws(name):
    files, renderer, style, _ = ELEMENTS[name]
    assert f"function {renderer}(" in (HERE / files[-1]).read_text(encoding="utf-8")
    assert all((HERE / file).is_file() for file in (*files, *([style] if style else [])))
