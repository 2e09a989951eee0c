"""What only tests call is no part of the program: it goes, or gets a user."""

import ast
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from test_house import MODULES, PACKAGE, PAGES, ROOT, dotted, imported, nodes_of

import explorer

SAMPLE_FILES = sorted((ROOT / "sample_models").rglob("*.py"))
PROSE = [ROOT / "README.md", *sorted((PACKAGE / "guide").rglob("*.md"))]
# name at the end -> who calls it without naming its file, or why it is there though nobody does
EXCEPTED = {
    "add_arguments": "each verb of the command line has one, which its parser calls",
    "bordering": "the package itself calls it when a public verb is taken from it",
    "to_bytes": "writes the formats whose sizes are counted without it: the counts are proven by it",
}
CODE = re.compile(r"```.*?```|`[^`]+`", re.DOTALL)


def public(module: ast.AST) -> Iterator[ast.FunctionDef | ast.ClassDef]:
    """Functions and classes that a file offers. One that is registered was given to its registry."""
    for node in ast.iter_child_nodes(module):
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            marks = [ast.unparse(mark) for mark in node.decorator_list]
            if not any(".register(" in mark or mark.startswith("rule(") for mark in marks):
                yield node


@dataclass(frozen=True)
class Use:
    """What a file takes from others, as dotted names, and what it offers that it does not use itself."""

    takes: frozenset[str]
    offers: tuple[str, ...]


def use_of(source: str, package: tuple[str, ...], known: Collection[str]) -> Use:
    """Look at one file.

    Args:
        known: files and packages whose attributes count as taken where they are imported.
    """
    nodes, takes = nodes_of(source), set(imported(source, package))
    files = {name.rpartition(".")[2]: name for name in takes & set(known)}
    imports = (node for node in nodes if isinstance(node, ast.ImportFrom))
    called = {alias.asname: alias.name for node in imports for alias in node.names if alias.asname}
    for node in nodes:
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            file = files.get(called.get(node.value.id, node.value.id))
            takes |= {f"{file}.{node.attr}"} if file else set()
    mentions = Counter(node.id for node in nodes if isinstance(node, ast.Name))
    offers = []
    for node in public(nodes[0]):
        own = sum(isinstance(part, ast.Name) and part.id == node.name for part in ast.walk(node))
        offers += [node.name] if mentions[node.name] == own else []
    return Use(frozenset(takes), tuple(offers))


def unused(sources: Mapping[str, str], users: Mapping[str, str], prose: Iterable[str] = ()) -> list[str]:
    """Public functions and classes of some files that nobody needs.

    Args:
        sources, users: dotted name of a file -> its text; users may use what the sources offer. A package
            that imports its files only hands their names on, which is no use.
        prose: texts whose code may use it, too.
    """
    known = {*sources, *(name.rpartition(".")[0] for name in sources)}
    uses = {n: use_of(text, tuple(n.split(".")[:-1]), known) for n, text in {**sources, **users}.items()}
    taken = {name for use in uses.values() for name in use.takes}
    shown = {word for text in prose for code in CODE.findall(text) for word in re.findall(r"\w+", code)}
    return [
        f"{file}.{name}"
        for file in sources
        for name in uses[file].offers
        if not {f"{file}.{name}", f"{file.rpartition('.')[0]}.{name}"} & taken and name not in shown
    ]


@cache
def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def test_nothing_is_there_for_tests_alone():
    files = [path for path in MODULES if path.name != "__init__.py"]
    sources = {dotted(path): text_of(path) for path in files}
    users = {dotted(path): text_of(path) for path in [*PAGES, *SAMPLE_FILES]}
    left = [
        name
        for name in unused(sources, users, map(text_of, PROSE))
        if name.rpartition(".")[2] not in {*EXCEPTED, *explorer.__all__}
    ]
    assert left == [], "only tests call these; remove them, or give them a user:\n" + "\n".join(left)


def test_what_is_excepted_is_still_there():
    verbs = [path for path in MODULES if path.parent.name == "commands"]
    files = [*verbs, PACKAGE / "pruning" / "checks.py", PACKAGE / "measuring" / "storage_size.py"]
    offered = {node.name for path in files for node in public(ast.parse(text_of(path)))}
    assert set(EXCEPTED) <= offered


def test_what_nobody_calls_is_seen():
    home = (
        "def a(): return b()\ndef b(): pass\nclass C: pass\n@X.register('d')\ndef d(): pass\ndef _e(): pass"
    )
    sources = {"house.home": home, "house.other": "from . import home as it\ndef f(): return it.C"}
    assert unused(sources, {}) == ["house.home.a", "house.other.f"]
    assert unused(sources, {"pages.page": "from house.home import a"}) == ["house.other.f"]
    assert unused(sources, {}, ["call `f()`, a well-known one"]) == ["house.home.a"]
    recursive = {"house.home": "def a(): return a()"}
    assert unused(recursive, {}) == ["house.home.a"]
