"""The rules of the house: which way imports point, who may know what, where state stands, and clean style."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import explorer

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "explorer"
MODULES = sorted(PACKAGE.rglob("*.py"))
PAGES = sorted((ROOT / "pages").glob("*.py"))

FOUNDATION = {"errors", "paths", "registry", "values"}
SOURCES = {"loaders", "data", "graph", "signals", "statistics"}
PLUGINS = {"criteria", "allocators"}
VIEWS = {"tables", "figures"}
FRONT = {"__main__", "cli", "commands", "ui"}
# first of a dotted name -> the only places that may import it
KEPT_APART = {"streamlit": {"ui", "pages"}, "plotly": {"figures"}, "pandas": {"tables"}}


def imported(source: str, package: tuple[str, ...]) -> Iterator[str]:
    """Dotted names that a module imports anywhere, relative ones resolved against its package."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield from (f"{module}.{alias.name}" for alias in node.names)


def area(path: Path) -> str:
    """The subject that a file belongs to: its folder in the package, or its own name."""
    if path.parent == ROOT / "pages":
        return "pages"
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def uses(path: Path) -> set[str]:
    """The dotted names that a file imports."""
    package = path.relative_to(ROOT).with_suffix("").parts[:-1]
    return set(imported(path.read_text(encoding="utf-8"), package))


def inner(path: Path) -> set[str]:
    """The areas of this package that a file imports, other than its own."""
    found = {name.split(".")[1] for name in uses(path) if name.startswith("explorer.")}
    return found - {area(path), "__version__"}


@pytest.mark.parametrize(
    "source, expected",
    [
        ("from ..values import Recipe", {"explorer.values.Recipe"}),
        ("from . import laws", {"explorer.figures.laws"}),
        ("def f():\n    import plotly.graph_objects as go", {"plotly.graph_objects"}),
        ("from .. import paths", {"explorer.machine.paths"}),
    ],
)
def test_imports_are_seen_wherever_they_stand(source, expected):
    assert set(imported(source, ("explorer", "figures"))) == expected


def test_there_is_something_to_check():
    assert (
        len(MODULES) > 40
        and {area(path) for path in MODULES} >= FOUNDATION | SOURCES | PLUGINS | VIEWS | FRONT
    )


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_arrows_point_one_way(path):
    here, found = area(path), inner(path)
    if here == "__init__":
        return
    if here in FOUNDATION:
        assert found <= FOUNDATION
    if here in PLUGINS:
        assert found <= FOUNDATION | {"signals", "allocation"}
    if here in SOURCES:
        assert not found & (PLUGINS | {"masking", "compaction", "engine"})
    if here not in FRONT:
        assert not found & FRONT
    if here not in FRONT | VIEWS | {"exporters"}:  # an export may hold tables and figures
        assert not found & VIEWS
    if here in VIEWS:
        assert not found & {"engine"}, "a view reads values; it measures nothing"


@pytest.mark.parametrize("path", [*MODULES, *PAGES], ids=lambda path: str(path.relative_to(ROOT)))
def test_only_the_front_knows_pandas_plotly_and_streamlit(path):
    roots = {name.split(".")[0] for name in uses(path)}
    for library, allowed in KEPT_APART.items():
        assert library not in roots or area(path) in allowed, f"{library} is imported here"


def test_importing_the_package_and_the_core_loads_no_user_interface():
    code = (
        "import sys, explorer, explorer.engine.measure, explorer.exporters; print(*{'streamlit', 'plotly', "
        "'pandas'} & set(sys.modules))"
    )
    assert (
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
        ).stdout.strip()
        == ""
    )


def test_importing_the_package_alone_does_not_even_load_torch():
    code = "import sys, explorer; print('torch' in sys.modules)"
    assert (
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
        ).stdout
        == "False\n"
    )


def test_every_public_name_is_there():
    assert set(explorer.HOMES) == set(explorer.__all__) - {"__version__"}
    assert all(getattr(explorer, name) is not None for name in explorer.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = explorer.nothing


def test_session_state_stands_in_one_room():
    holders = {
        path.parent for path in [*MODULES, *PAGES] if "session_state" in path.read_text(encoding="utf-8")
    }
    assert holders == {PACKAGE / "ui" / "session"}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_a_page_is_wiring(path):
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 100
    assert "torch" not in {name.split(".")[0] for name in uses(path)}
    assert ast.get_docstring(ast.parse(text))


@pytest.mark.parametrize(
    "path", [p for p in MODULES if p.name != "__init__.py"], ids=lambda path: str(path.relative_to(PACKAGE))
)
def test_a_module_opens_with_its_idea(path):
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("check", ["ruff check .", "ruff format --check .", "mypy"])
def test_style_is_clean(check):
    done = subprocess.run(
        [sys.executable, "-m", *check.split()], cwd=ROOT, capture_output=True, text=True, timeout=280
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
