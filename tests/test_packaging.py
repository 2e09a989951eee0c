"""The wheel is whole: pages, sample models and their files are inside, and its command runs from
any folder.
"""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import explorer
from explorer.guide import markdown_pages

ROOT = Path(__file__).parents[1]
BUILD = "import sys; from hatchling.build import build_wheel; print(build_wheel(sys.argv[1]))"
MAIN = "import sys; from importlib.metadata import entry_points; "
MAIN += "sys.exit(next(iter(entry_points(group='console_scripts', name='pruning-explorer'))).load()())"


def files(folder: str) -> list[str]:
    """What a folder of the checkout holds, as paths inside it."""
    base = ROOT / folder
    return [
        path.relative_to(base).as_posix()
        for path in sorted(base.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    ]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> zipfile.ZipFile:
    folder = tmp_path_factory.mktemp("wheel")
    built = subprocess.run(
        [sys.executable, "-c", BUILD, str(folder)], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert built.returncode == 0, built.stderr
    return zipfile.ZipFile(folder / built.stdout.split()[-1])


@pytest.mark.parametrize(
    "folder, inside",
    [("explorer", "explorer"), ("pages", "explorer/_pages"), ("sample_models", "explorer/_sample_models")],
)
def test_the_wheel_holds_every_file(wheel, folder, inside):
    expected = {f"{inside}/{name}" for name in files(folder)}
    assert expected and expected <= set(wheel.namelist())


def test_the_wheel_holds_what_the_program_reads_at_run_time(wheel):
    names = set(wheel.namelist())
    sample = ("data/digits.npz", "weights/digits-cnn.safetensors", "cards/digits-cnn.json")
    assert {
        "explorer/ui/.streamlit/config.toml",
        *(f"explorer/_sample_models/{name}" for name in sample),
    } <= names
    assert any(name.startswith("explorer/_pages/") for name in names)
    assert {f"explorer/guide/{name}.md" for name in markdown_pages.pages()} <= names


def test_the_wheel_holds_nothing_else(wheel):
    strays = [
        n
        for n in wheel.namelist()
        if not n.startswith(("explorer/", f"pruning_explorer-{explorer.__version__}.dist-info/"))
    ]
    assert strays == [] and not any(
        "__pycache__" in name or name.startswith("explorer/tests") for name in wheel.namelist()
    )


def test_the_wheel_says_who_it_is(wheel):
    about = wheel.read(f"pruning_explorer-{explorer.__version__}.dist-info/METADATA").decode()
    assert (
        "Name: pruning-explorer" in about
        and "License-Expression: MIT" in about
        and "# Pruning Explorer" in about
    )
    assert "Requires-Dist: torch" in about


def test_the_installed_command_runs_from_another_folder(wheel, tmp_path):
    # a wheel of pure Python is installed by unpacking it; its requirements are those that run this test
    wheel.extractall(tmp_path / "site")
    (tmp_path / "elsewhere").mkdir()

    def run(code, *words):
        environment = {
            **os.environ,
            "PYTHONPATH": str(tmp_path / "site"),
            "PRUNING_EXPLORER_CACHE": str(tmp_path / "cache"),
        }
        done = subprocess.run(
            [sys.executable, "-c", code, *words],
            cwd=tmp_path / "elsewhere",
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    where = run(
        "import explorer.machine.paths as p; print(p.__file__); print(p.pages()); print(p.sample_models())"
    ).split()
    assert all(line.startswith(str(tmp_path / "site")) for line in where)
    report = json.loads(run(MAIN, "prune", "digits-mlp", "--channels", "0.25", "--no-latency", "--json"))
    assert report["pruned"]["samples"] == 450 and report["pruned"]["accuracy"] > 0.5
