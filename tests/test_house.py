"""The rules of the house: the order of its rooms, no circles, who may know what, where state is kept, and
clean style.
"""

import ast
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import cache, lru_cache
from pathlib import Path

import pytest

import explorer

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "explorer"
MODULES = sorted(PACKAGE.rglob("*.py"))
PAGES = sorted((ROOT / "pages").glob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))

# a room imports only rooms that are listed before it
LAYERS = """
errors words machine values registry metrics background graph signals data loaders criteria block_criteria
allocators pruning compaction inspection measuring repair engine planning audit training recovery runs lessons
studies cluster bench guide tables figures exporters
ui.browser ui.shared ui.session ui.live ui.drawing ui.kept_runs ui.sidebar ui.prune ui.frame ui.explore
ui.channels ui.structure ui.behaviour ui.criteria ui.learn ui.guide ui.recover ui.compare ui
commands pages
""".split()
ROOT_FILES = {"__init__.py", "__main__.py", "errors.py", "registry.py", "words.py", "tables.py"}
# the public names, and the one door to a session's state
REEXPORTS = {"explorer", "explorer.ui.session"}
# first of a dotted name -> the only rooms that may import it
KEPT_APART = {"streamlit": {"ui", "pages"}, "plotly": {"figures"}, "pandas": {"tables"}}


# --------------------------------------------------------------------------- what a file imports


def dotted(path: Path) -> str:
    """A file as Python names it: "explorer.values.recipe"."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@lru_cache(maxsize=2)
def nodes_of(source: str) -> tuple[ast.AST, ...]:
    """All nodes of a file, the module first."""
    return tuple(ast.walk(ast.parse(source)))


def imported(source: str, package: tuple[str, ...]) -> Iterator[str]:
    """Dotted names that a module imports anywhere, relative ones resolved against its package."""
    for node in nodes_of(source):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield from (f"{module}.{alias.name}" for alias in node.names)


@cache
def uses(path: Path) -> frozenset[str]:
    """The dotted names that a file imports."""
    package = path.relative_to(ROOT).with_suffix("").parts[:-1]
    return frozenset(imported(path.read_text(encoding="utf-8"), package))


def file_graph(files: Iterable[Path]) -> dict[str, set[str]]:
    """File -> the files of the house that it imports, wherever in its code."""
    known = {dotted(path): path for path in files}
    arrows = {}
    for name, path in known.items():
        targets = {use if use in known else use.rpartition(".")[0] for use in uses(path)}
        arrows[name] = {target for target in targets if target in known and target != name}
    return arrows


def room(name: str) -> str:
    """The room of a file: "explorer.graph.labels" is in "graph", "explorer.ui.live.ticker" in "ui.live"."""
    first, _, rest = name.partition(".")
    if first == "pages":
        return "pages"
    top, _, inner = rest.partition(".")
    part = inner.partition(".")[0]
    return f"ui.{part}" if top == "ui" and (PACKAGE / "ui" / part).is_dir() and part else top


def circles(arrows: Mapping[str, set[str]]) -> list[list[str]]:
    """Groups of names that reach one another; in a graph without circles there are none."""

    def reached(start: str) -> set[str]:
        seen: set[str] = set()
        todo = [start]
        while todo:
            for target in arrows.get(todo.pop(), ()):
                if target not in seen:
                    seen.add(target)
                    todo.append(target)
        return seen

    known = {name: reached(name) for name in arrows}
    groups = {frozenset(b for b in known[a] if a in known.get(b, ())) for a in arrows if a in known[a]}
    return sorted(sorted(group) for group in groups)


def upward(arrows: Mapping[str, set[str]], layers: list[str]) -> list[str]:
    """Arrows from a room to one that comes after it, as text."""
    place = {name: index for index, name in enumerate(layers)}
    return [
        f"{source} -> {target}"
        for source, targets in sorted(arrows.items())
        for target in sorted(targets)
        if place[room(source)] < place[room(target)]
    ]


ARROWS = file_graph(
    path for path in [*MODULES, *PAGES] if path not in (PACKAGE / "__init__.py", PACKAGE / "__main__.py")
)


@pytest.mark.parametrize(
    "source, expected",
    [
        ("from ..values import Recipe", {"explorer.values.Recipe"}),
        ("from . import laws", {"explorer.figures.laws"}),
        ("def f():\n    import plotly.graph_objects as go", {"plotly.graph_objects"}),
        ("from ..machine import paths", {"explorer.machine.paths"}),
    ],
)
def test_imports_are_seen_anywhere_in_a_file(source, expected):
    assert set(imported(source, ("explorer", "figures"))) == expected


# --------------------------------------------------------------------------- the order of the rooms


def test_every_file_is_in_a_room_of_the_list():
    assert {room(name) for name in ARROWS} - {""} == set(LAYERS)
    assert {path.name for path in PACKAGE.glob("*.py")} == ROOT_FILES


def test_a_room_imports_only_rooms_before_it():
    assert upward(ARROWS, LAYERS) == []


def test_an_arrow_that_runs_back_up_is_seen():
    planted = {**ARROWS, "explorer.values.recipe": {"explorer.engine.measure"}}
    assert upward(planted, LAYERS) == ["explorer.values.recipe -> explorer.engine.measure"]


def test_no_circle_between_files_or_rooms():
    assert circles(ARROWS) == []
    between: dict[str, set[str]] = {}
    for source, targets in ARROWS.items():
        between.setdefault(room(source), set()).update(room(target) for target in targets)
    assert circles({name: targets - {name} for name, targets in between.items()}) == []


def test_a_circle_is_seen():
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == [["a", "b", "c"]]
    back = {"explorer.errors": {"explorer.commands.main"}}
    assert any("explorer.errors" in group for group in circles({**ARROWS, **back}))


def borrowed(path: Path) -> list[str]:
    """Names that a file imports from a file that only imports them itself."""
    names = []
    for use in uses(path):
        module, _, name = use.rpartition(".")
        known = module not in ARROWS or module in REEXPORTS or use in ARROWS
        if not known and name not in definitions(by_name()[module]) | definitions(path):
            names.append(f"{dotted(path)} imports {use}, which is defined elsewhere")
    return names


def test_a_name_is_imported_from_the_file_that_defines_it():
    assert [name for path in MODULES for name in borrowed(path)] == []


@cache
def by_name() -> dict[str, Path]:
    return {dotted(path): path for path in [*MODULES, *PAGES]}


@cache
def definitions(path: Path) -> frozenset[str]:
    """Names that a file defines itself, at its top level."""
    return frozenset(_bound(ast.parse(path.read_text(encoding="utf-8")).body))


def _bound(body: list[ast.stmt]) -> Iterator[str]:
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from (part.id for t in targets for part in ast.walk(t) if isinstance(part, ast.Name))
        elif isinstance(node, ast.If | ast.Try | ast.With):
            yield from _bound([*node.body, *getattr(node, "orelse", [])])


# --------------------------------------------------------------------------- who may know what


def test_only_the_front_knows_pandas_plotly_and_streamlit():
    wrong = [
        f"{dotted(path)} imports {library}"
        for path in [*MODULES, *PAGES]
        for library in {name.split(".")[0] for name in uses(path)} & set(KEPT_APART)
        if room(dotted(path)).split(".")[0] not in KEPT_APART[library]
    ]
    assert wrong == []


def test_importing_the_package_and_the_core_loads_no_user_interface():
    code = (
        "import sys, explorer, explorer.engine.measure, explorer.exporters.export; "
        "print(*{'streamlit', 'plotly', 'pandas'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == ""


def test_importing_the_package_alone_does_not_even_load_torch():
    code = "import sys, explorer; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout == "False\n"


FIRST_PAGE = """
import sys, time
from streamlit.testing.v1 import AppTest
import explorer.ui.server
from explorer.ui.shared import settings
settings.configure(settings.Settings(("digits-cnn",), "cpu"))
heavy = ("torch", "pandas", "sympy", "torch._dynamo")
print(*(name in sys.modules for name in heavy))
app = AppTest.from_file(sys.argv[1], default_timeout=200)
end = time.monotonic() + 240
while time.monotonic() < end:
    app.run()
    if any("Final: measured" in element.proto.json for element in app.get("bidi_component")):
        break
    time.sleep(1)  # for the measurement, which shares this process
else:
    raise SystemExit("no last number came")
assert not app.exception
print(*(name in sys.modules for name in heavy))
"""


@pytest.mark.timeout(900)  # two starts, on a slow machine
def test_the_first_page_waits_for_no_import_that_it_does_not_need():
    """The server answers before torch is there, which is imported while the browser opens; what takes half a
    second or more besides is not needed at all for a model whose graph was kept.
    """
    command = [sys.executable, "-c", FIRST_PAGE, str(PACKAGE / "ui" / "app.py")]
    for _ in range(2):  # the first start keeps the graph
        done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout == "False False False False\nTrue False False False\n"


def test_every_public_name_is_there():
    assert set(explorer.HOMES) == set(explorer.__all__) - {"__version__"}
    assert all(getattr(explorer, name) is not None for name in explorer.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = explorer.nothing


def test_session_state_is_kept_in_one_room():
    holders = {
        path.parent for path in [*MODULES, *PAGES] if "session_state" in path.read_text(encoding="utf-8")
    }
    assert holders == {PACKAGE / "ui" / "session"}


# --------------------------------------------------------------------------- values in place of long lists

MOST_PARAMETERS = 6


def crowded(source: str) -> list[str]:
    """Functions with more parameters than anyone can keep apart, `self` and `cls` not counted; nor are the
    keywords of a registered plug-in, which are the form that its user fills in.
    """
    wide = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            given = node.args
            form = any(".register(" in ast.unparse(mark) for mark in getattr(node, "decorator_list", ()))
            keywords = [] if form else given.kwonlyargs
            every = [*given.posonlyargs, *given.args, *keywords, given.vararg, given.kwarg]
            names = [one.arg for one in every if one is not None and one.arg not in ("self", "cls")]
            if len(names) > MOST_PARAMETERS:
                wide.append(f"{getattr(node, 'name', 'lambda')}: {len(names)}")
    return wide


def bags(source: str) -> list[str]:
    """Dicts with fixed keys that a function fills and then spreads over the parameters of another of ours."""
    filled_then_spread = []
    for function in ast.walk(ast.parse(source)):
        if isinstance(function, ast.FunctionDef):
            inside = list(ast.walk(function))
            filled = {name for node in inside for name in _filled(node)}
            calls = (
                node for node in inside if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
            )
            spread = {ast.unparse(word.value) for call in calls for word in call.keywords if word.arg is None}
            filled_then_spread += [f"{function.name}: {name}" for name in sorted(filled & spread)]
    return filled_then_spread


def _filled(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(node.value, ast.Dict):
        keys, targets = node.value.keys, node.targets if isinstance(node, ast.Assign) else [node.target]
        if keys and all(isinstance(key, ast.Constant) for key in keys):
            yield from (target.id for target in targets if isinstance(target, ast.Name))


def test_parameters_that_travel_together_are_one_value():
    for path in [*MODULES, *PAGES]:
        source = path.read_text(encoding="utf-8")
        assert (crowded(source), bags(source)) == ([], []), path


def test_a_crowded_function_and_a_bag_of_keywords_are_seen():
    seven = "def f(self, a, b, c, *d, e, g, **h): pass"
    assert crowded(seven) == ["f: 7"] and crowded(seven.replace(", **h", "")) == []
    assert crowded(f"@DATA.register('x')\n{seven}") == [] != crowded(f"@DATA.other('x')\n{seven}")
    bag = "def f(x):\n    how: dict[str, Any] = {'a': 1}\n    return g(x, **how)"
    assert bags(bag) == ["f: how"] and bags(bag.replace("**how", "a=how['a']")) == []


# --------------------------------------------------------------------------- one word, one thing


def classes(source: str) -> list[str]:
    return [node.name for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ClassDef)]


def cache_labels(source: str) -> list[str]:
    """What the page calls the caches that a file makes."""
    calls = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call))
    makers = (call for call in calls if ast.unparse(call.func) == "Cache" and len(call.args) > 1)
    return [ast.unparse(call.args[1]) for call in makers]


def lanes(source: str) -> list[str]:
    """Names of the lanes that a file defines."""
    calls = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call))
    return [ast.unparse(call.args[0]) for call in calls if ast.unparse(call.func) == "Lane" and call.args]


def twice(names: Iterable[str]) -> list[str]:
    return sorted(name for name, count in Counter(names).items() if count > 1)


SOURCES = [path.read_text(encoding="utf-8") for path in MODULES]


def test_no_two_classes_share_a_name():
    assert twice(name for source in SOURCES for name in classes(source)) == []


def test_no_two_caches_share_a_label():
    assert twice(label for source in SOURCES for label in cache_labels(source)) == []


def test_no_two_lanes_share_a_name():
    names = [name for source in SOURCES for name in lanes(source)]
    assert twice(names) == [] and len(names) > 20


def test_a_name_that_is_used_twice_is_seen():
    assert twice([*classes("class Step: pass"), *classes("class Step: pass\nclass Place: pass")]) == ["Step"]
    assert twice(cache_labels("a, b = Cache(1, 'models'), Cache(2, 'models', 8)")) == ["'models'"]
    assert twice(lanes("A = Lane('scan')\nB, C = Lane('scan', 2), Lane('curve')")) == ["'scan'"]
    assert len([label for source in SOURCES for label in cache_labels(source)]) > 10


# --------------------------------------------------------------------------- one spelling of what is removed

SPELLINGS = {"channel", "channels", "weight", "weights", "block", "blocks"}
# where such a word is the name of something else, or is what others write down
OTHER_MEANINGS = {
    "values/granularity.py": "the home of the words",
    "values/recipe.py": "keys of a recipe in JSON",
    "words.py": "entries of the glossary",
    "graph": "parts of a module's parameters",
    "compaction": "parts of a module's parameters",
    "loaders": "parts of a module's parameters, and names in configurations",
    "criteria": "the traits that a plug-in is registered with",
    "recovery/training_plan.py": "what is rewound",
    "exporters/figures_html.py": "the name of a figure",
    "figures/weight_distribution.py": "the name of a trace",
    "audit/conditioned_model.py": "the end of a parameter's name",
    "commands/app.py": "a folder of files",
    "ui/frame/menu.py": "the file of a page",
    "ui/frame/page_head.py": "the file of a page",
    "ui/prune/block_switches.py": "the name of a lane and its region",
    "ui/sidebar/job_chip.py": "the name of a lane",
}


def spelled(source: str) -> list[str]:
    """Places that spell a granularity themselves, or make its plural with an s."""
    words = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Constant)]
    lines = [word.lineno for word in words if isinstance(word.value, str) and word.value in SPELLINGS]
    plurals = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.JoinedStr))
    lines += [node.lineno for node in plurals if re.search(r"granularity\}s\b", ast.unparse(node))]
    return [f"line {line}" for line in sorted(lines)]


def test_a_granularity_is_spelled_in_one_place():
    own = {path: str(path.relative_to(PACKAGE)) for path in MODULES}
    files = [p for p, name in own.items() if not {name, name.split("/")[0]} & set(OTHER_MEANINGS)]
    names = [f"{own[path]}, {line}" for path in files for line in spelled(path.read_text("utf-8"))]
    assert names == [], "take it from values/granularity.py:\n" + "\n".join(names)
    assert all((PACKAGE / name).exists() for name in OTHER_MEANINGS)


def test_a_granularity_that_is_spelled_anywhere_is_seen():
    assert spelled("def f(kind):\n    return kind == 'channels'") == ["line 2"]
    assert spelled("x = f'no {plan.granularity}s here'") == ["line 1"]
    assert spelled("x = {CHANNEL: 1, 'channelled': recipe.channels}\ny = f'{granularity} so'") == []


# --------------------------------------------------------------------------- names say what a thing is

VAGUE = {"found", "told", "made"}
LONGEST_LIFE = 5  # lines, from the first use of such a name to the last
SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


def inside(scope: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a scope without those of the functions in it."""
    for node in ast.iter_child_nodes(scope):
        yield node
        if not isinstance(node, SCOPES):
            yield from inside(node)


def bound_in(scope: ast.AST) -> set[str]:
    """The names that a function or a module gives a value, its parameters included."""
    names = {n.id for n in inside(scope) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    return names | {n.arg for n in inside(scope) if isinstance(n, ast.arg)}


def lines_of(name: str, scope: ast.AST) -> list[int]:
    """The lines that use a name of a scope, in the functions in it too where they mean the same."""
    lines = []
    for node in inside(scope):
        if (isinstance(node, ast.Name) and node.id == name) or (
            isinstance(node, ast.arg) and node.arg == name
        ):
            lines.append(node.lineno)
        elif isinstance(node, SCOPES) and name not in bound_in(node):
            lines += lines_of(name, node)
    return lines


def vague(source: str) -> list[str]:
    """Functions, classes and attributes with a name that says nothing, and locals that keep one for long."""
    tree, names = ast.parse(source), []
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            for name in sorted(bound_in(node) & VAGUE):
                lines = lines_of(name, node)
                if max(lines) - min(lines) >= LONGEST_LIFE:
                    names.append(f"{name} in lines {min(lines)} to {max(lines)}")
        if isinstance(node, ast.Attribute) and node.attr in VAGUE:
            names.append(f".{node.attr} in line {node.lineno}")
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name in VAGUE:
            names.append(f"{node.name}() in line {node.lineno}")
        if isinstance(node, ast.ClassDef):
            fields = (one.target for one in node.body if isinstance(one, ast.AnnAssign))
            names += [f"{node.name}.{ast.unparse(one)}" for one in fields if ast.unparse(one) in VAGUE]
    return names


def test_names_say_what_a_thing_is():
    files = [*MODULES, *PAGES, *TESTS]
    names = [f"{path.relative_to(ROOT)}: {name}" for path in files for name in vague(path.read_text("utf-8"))]
    assert names == [], "call it what it is:\n" + "\n".join(names)


def test_a_name_that_says_nothing_is_seen():
    body = "".join(f"    {name} = 0\n" for name in "abcd")
    long = f"def f():\n    found = 1\n{body}    return found\n"
    assert vague(long) == ["found in lines 2 to 7"] and vague(long.replace("    d = 0\n", "")) == []
    inner = long.replace("    return found", "    def g():\n        return found\n    return g")
    assert vague(inner) == ["found in lines 2 to 8"]
    assert vague(inner.replace("def g():", "def g(found):")) == []
    assert vague("def told(): pass\nx = y.made") == ["told() in line 1", ".made in line 2"]
    assert vague("class A:\n    found: int\n    other: int") == ["A.found"]


# --------------------------------------------------------------------------- one way to be long

STREAMS = {"Iterator", "Generator"}


def mixed(source: str) -> list[str]:
    """Streams whose items are of several kinds, or no item at all: long work yields a `Step`."""
    streams = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Subscript) and ast.unparse(node.value).rpartition(".")[2] in STREAMS:
            item = node.slice.elts[0] if isinstance(node.slice, ast.Tuple) else node.slice
            parts = (part for part in ast.walk(item) if isinstance(part, ast.Name | ast.Constant))
            kinds = {ast.unparse(part) for part in parts}
            if isinstance(item, ast.BinOp) and {"Progress", "None", "Step"} & kinds:
                streams.append(ast.unparse(node))
    return streams


def pauses(source: str) -> list[str]:
    """Functions that yield nothing, or None, and are no context managers."""
    silent = []
    for function in ast.walk(ast.parse(source)):
        if isinstance(function, ast.FunctionDef):
            yields = [node.value for node in ast.walk(function) if isinstance(node, ast.Yield)]
            empty = any(value is None or ast.unparse(value) == "None" for value in yields)
            if empty and not any("contextmanager" in ast.unparse(m) for m in function.decorator_list):
                silent.append(function.name)
    return silent


def test_long_work_yields_steps():
    for path in [*MODULES, *PAGES]:
        source = path.read_text(encoding="utf-8")
        assert (mixed(source), pauses(source)) == ([], []), path


def test_a_stream_of_mixed_items_and_a_pause_without_a_step_are_seen():
    for kind in (
        "Iterator[Report | Progress]",
        "Iterator[Report | None]",
        "Generator[Progress | int, None, int]",
    ):
        assert mixed(f"def work() -> {kind}: ...") == [kind]
    for kind in (
        "Iterator[Report]",
        "Generator[Step[Never], None, int | None]",
        "Iterator[tuple[int, None]]",
    ):
        assert mixed(f"def work() -> {kind}: ...") == []
    held = "def f():\n    while busy():\n        yield None\n"
    assert pauses(held) == ["f"] and pauses(held.replace("yield None", "yield PAUSE")) == []
    assert pauses(f"@contextmanager\n{held}") == []


# --------------------------------------------------------------------------- style


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_a_page_is_wiring(path):
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 100
    assert "torch" not in {name.split(".")[0] for name in uses(path)}
    assert ast.get_docstring(ast.parse(text))


def test_a_module_opens_with_its_idea():
    silent = [p for p in MODULES if not ast.get_docstring(ast.parse(p.read_text(encoding="utf-8")))]
    assert silent == []


def test_nobody_fights_the_formatter():
    pattern = re.compile(r"#\s*fmt:\s*(skip|off)|noqa: " + "E731")
    files = [path for path in [*MODULES, *PAGES, *TESTS] if pattern.search(path.read_text(encoding="utf-8"))]
    assert files == []


@pytest.mark.timeout(900)  # all types, on a slow machine
@pytest.mark.parametrize("check", ["ruff check .", "ruff format --check .", "mypy"])
def test_style_is_clean(check):
    done = subprocess.run(
        [sys.executable, "-m", *check.split()], cwd=ROOT, capture_output=True, text=True, timeout=880
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
