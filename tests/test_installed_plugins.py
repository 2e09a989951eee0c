"""Packages that bring plug-ins of their own: a tiny one is built and installed, and its criterion is used."""

import json
import os
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from explorer.registry import Registry

ROOT = Path(__file__).parents[1]
PROJECT = """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "tiny-plugins"
version = "1.0"

[project.entry-points."pruning_explorer.criteria"]
tiny = "tiny_plugins.centre"
broken = "tiny_plugins.broken"
absent = "tiny_plugins.nowhere"

[project.entry-points."pruning_explorer.exporters"]
lines = "tiny_plugins.lines"
"""
MODULES = {
    "__init__": "",
    "centre": """
from explorer import CRITERIA


@CRITERIA.register("centre", level="weight")
def centre(layer):
    '''How far a weight is from the mean of its layer.'''
    return (layer.weight - layer.weight.mean()).abs()
""",
    "broken": "raise RuntimeError('this needs a newer library')",
    "lines": """
from explorer import EXPORTERS


@EXPORTERS.register("lines", extension=".txt")
def lines(pruned):
    '''The names of the layers, one a line.'''
    return "\\n".join(name for name, _ in pruned.model.named_parameters()).encode()
""",
}


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """A folder into which the tiny package is installed."""
    source, site = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("site")
    (source / "tiny_plugins").mkdir()
    (source / "pyproject.toml").write_text(PROJECT)
    for name, text in MODULES.items():
        (source / "tiny_plugins" / f"{name}.py").write_text(text)
    install = "pip install --quiet --no-deps --no-build-isolation --no-index --target".split()
    subprocess.run([sys.executable, "-m", *install, str(site), str(source)], check=True, timeout=120)
    return site


def run(site: Path, *words: str) -> subprocess.CompletedProcess:
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{site}"}
    command = [sys.executable, "-m", "explorer", *words]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)


def test_an_installed_criterion_prunes(site):
    words = "prune digits-mlp --weights 0.5 --criterion centre --no-latency --json".split()
    done = run(site, *words)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["recipe"]["criterion"]["name"] == "centre"
    assert report["pruned"]["nonzero_params"] < report["baseline"]["nonzero_params"]
    without = run(ROOT, *words)  # the negative control: without the package there is no such criterion
    assert without.returncode == 2 and "No criterion named 'centre'" in without.stderr


def test_what_is_broken_is_said_in_one_sentence_and_stops_nothing(site):
    done = run(site, "criteria", "--json")
    names = [entry["name"] for entry in json.loads(done.stdout)]
    assert done.returncode == 0 and {"l1", "taylor", "centre"} <= set(names)
    said = done.stderr.strip().splitlines()
    assert len(said) == 2 and "Traceback" not in done.stderr
    assert "'absent' (tiny_plugins.nowhere) is left out" in said[0]
    assert "'broken' (tiny_plugins.broken) is left out: this needs a newer library" in said[1]


def test_an_installed_exporter_writes(site, tmp_path):
    target = tmp_path / "names.txt"
    done = run(site, *"export digits-mlp --channels 0.5 --format lines -o".split(), str(target))
    assert done.returncode == 0, done.stderr
    assert "output.weight" in target.read_text().splitlines()


def offered(registry: Registry, traits: dict) -> str | None:
    """Why a registry leaves out a plug-in of another package, or None."""

    class Point(EntryPoint):
        def load(self):
            registry.register(self.name, **traits)(lambda layer: layer)

    registry._load_installed(Point("l1" if "taken" in traits else "own", "a.module", "group"))
    return next(iter(registry.broken.values()), None)


def test_a_plugin_of_others_keeps_the_contract(capsys):
    def registry() -> Registry:
        made = Registry("gadget", "explorer.allocators", required=("level",), usual={"scope": "part"})
        made._loaded = True
        made.register("l1", level="weight")(abs)
        return made

    assert "must be registered with level" in str(offered(registry(), {}))
    assert "the name 'l1' is taken" in str(offered(registry(), {"level": "weight", "taken": True}))
    good = registry()
    assert offered(good, {"level": "weight"}) is None
    # names from links and lessons must not reach code of others
    assert good["own"].traits == {"local_only": True, "scope": "part", "level": "weight"}
    assert good["l1"].function is abs and "local_only" not in good["l1"].traits
