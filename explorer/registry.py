"""Plug-ins by name. One new file with one decorated function is a new criterion, allocator, loader, data set
or exporter.

Installed packages bring their own: each entry point of a family's group (see `Registry.group`) names a module
that registers its plug-ins when it is imported.
"""

import importlib
import importlib.util
import inspect
import pkgutil
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import MappingProxyType, NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from .errors import RecipeError, UnknownNameError
from .machine import paths


@dataclass(frozen=True)
class Param:
    """One keyword-only parameter of a plug-in: a widget, a command-line flag and a JSON key."""

    name: str
    kind: type
    default: Any
    choices: tuple[Any, ...] = ()

    def check(self, value: Any) -> Any:
        """Return the value if it is allowed.

        Raises:
            RecipeError: a wrong type, or not one of the choices.
        """
        if self.choices and value not in self.choices:
            raise RecipeError(
                f"Parameter {self.name!r} must be one of {', '.join(map(str, self.choices))}, got {value!r}."
            )
        fits = isinstance(value, self.kind) or (self.kind is float and isinstance(value, int))
        if not self.choices and (not fits or (isinstance(value, bool) and self.kind is not bool)):
            raise RecipeError(f"Parameter {self.name!r} must be of type {self.kind.__name__}, got {value!r}.")
        return value


def _param(parameter: inspect.Parameter, hint: Any) -> Param:
    if get_origin(hint) is Literal:
        choices = get_args(hint)
        return Param(parameter.name, type(choices[0]), parameter.default, choices)
    if get_origin(hint) in (Union, UnionType):
        hint = next(kind for kind in get_args(hint) if kind is not NoneType)
    return Param(parameter.name, hint, parameter.default)


@dataclass(frozen=True)
class Plugin:
    """A decorated function with its traits."""

    name: str
    function: Callable
    traits: Mapping[str, Any] = field(default_factory=dict)

    def __call__(self, *args: Any, **params: Any) -> Any:
        return self.function(*args, **params)

    @property
    def tooltip(self) -> str:
        """Return the first paragraph of the docstring as one line."""
        return " ".join((inspect.getdoc(self.function) or "").split("\n\n")[0].split("\n"))

    @property
    def params(self) -> dict[str, Param]:
        """Return the keyword-only parameters of the function by name."""
        hints = get_type_hints(self.function)
        parameters = inspect.signature(self.function).parameters.values()
        return {
            p.name: _param(p, hints[p.name]) for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY
        }

    def check(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Validate foreign parameters.

        Raises:
            UnknownNameError, RecipeError: there is no such parameter, or its value is not allowed.
        """
        known = self.params
        for name in params:
            if name not in known:
                raise UnknownNameError(f"parameter of {self.name!r}", name, known)
        return {name: known[name].check(value) for name, value in params.items()}


class Registry(Mapping[str, Plugin]):
    """A family of plug-ins. When it is first read, it imports the modules of its package (or the files of its
    folder), then the plug-ins that installed packages offer under the family's entry point group.

    Args:
        kind: what one plug-in is, in words.
        package: the package with the built-in plug-ins.
        folder: a folder of files, if they are not a package.
        required: traits without which a foreign plug-in is refused.
        usual: default traits of foreign plug-ins.
    """

    def __init__(
        self,
        kind: str,
        package: str,
        folder: Callable[[], Path] | None = None,
        *,
        required: tuple[str, ...] = (),
        usual: Mapping[str, Any] = MappingProxyType({}),
    ):
        self.kind, self._package, self._folder = kind, package, folder
        self._required, self._usual = required, usual
        self._plugins: dict[str, Plugin] = {}
        self._loaded, self._lock = False, threading.RLock()
        self.broken: dict[str, str] = {}  # entry point -> why its plug-ins are missing, one sentence

    @property
    def group(self) -> str:
        """Return the entry point group under which installed packages offer plug-ins of this family."""
        return f"pruning_explorer.{self._package.rpartition('.')[2]}"

    def register(self, name: str, **traits: Any) -> Callable[[Callable], Callable]:
        """Decorate a function to be the plug-in of that name."""

        def decorate(function: Callable) -> Callable:
            self._plugins[name] = Plugin(name, function, traits)
            return function

        return decorate

    def _load(self) -> None:
        with self._lock:
            if self._loaded:
                return
            if self._folder:
                self._load_files(self._folder())
            else:
                self._load_package()
            self._loaded = True  # from here on, foreign plug-ins may look up the built-in ones
            for point in sorted(entry_points(group=self.group), key=lambda point: point.name):
                self._load_installed(point)

    def _load_package(self) -> None:
        package = importlib.import_module(self._package)
        for module in sorted(pkgutil.iter_modules(package.__path__), key=lambda m: m.name):
            importlib.import_module(f"{self._package}.{module.name}")

    def _load_installed(self, point: EntryPoint) -> None:
        """Import what a package offers. If it is broken, save one sentence about it and continue."""
        before = dict(self._plugins)
        try:
            point.load()
            self._accept(before)
        except Exception as error:  # foreign code may raise anything
            self._plugins = before
            reason = " ".join(str(error).split()) or type(error).__name__
            self.broken[point.name] = (
                f"The {self.kind} plug-in {point.name!r} ({point.value}) is left out: {reason[:300]}"
            )
            sys.stderr.write(f"{self.broken[point.name]}\n")

    def _accept(self, before: Mapping[str, Plugin]) -> None:
        """Check what was registered since, and give it the default traits.

        Raises:
            RecipeError: a name is taken, or a trait is missing.
        """
        for name, plugin in self._plugins.items():
            if name in before:
                if plugin is not before[name]:
                    raise RecipeError(f"the name {name!r} is taken; choose another one.")
                continue
            missing = [trait for trait in self._required if trait not in plugin.traits]
            if missing:
                raise RecipeError(f"{name!r} must be registered with {', '.join(missing)}.")
            # a foreign plug-in may read files or run code, so only the command line may name it
            traits = {"local_only": True, **self._usual, **plugin.traits}
            self._plugins[name] = Plugin(name, plugin.function, traits)

    def _load_files(self, folder: Path) -> None:
        # by path, since the folder is next to the package in a checkout and inside it in a wheel
        for path in sorted(folder.glob("[!_]*.py")):
            name = f"{self._package}.{path.stem}"
            spec = importlib.util.spec_from_file_location(name, path)
            if spec and spec.loader:
                module = sys.modules[name] = importlib.util.module_from_spec(spec)
                spec.loader.exec_module(module)

    def __getitem__(self, name: str) -> Plugin:
        self._load()
        if name not in self._plugins:
            raise UnknownNameError(self.kind, name, self)
        return self._plugins[name]

    def __iter__(self) -> Iterator[str]:
        self._load()
        return iter(sorted(self._plugins, key=lambda n: (self._plugins[n].traits.get("rank", 100), n)))

    def __len__(self) -> int:
        self._load()
        return len(self._plugins)

    def __contains__(self, name: object) -> bool:
        self._load()
        return name in self._plugins


CRITERIA = Registry(
    "criterion",
    "explorer.criteria",
    required=("level",),
    usual={"reduction": "sum_abs", "scope": "part", "needs": (), "trap": ""},
)
BLOCK_CRITERIA = Registry("criterion of blocks", "explorer.block_criteria", usual={"needs": (), "trap": ""})
ALLOCATORS = Registry("allocator", "explorer.allocators", usual={"needs_scores": True, "needs_scan": False})
LOADERS = Registry("loader", "explorer.loaders")
DATA = Registry("data set", "explorer.data", usual={"place": "PLACE"})
METRICS = Registry("metric", "explorer.metrics")
EXPORTERS = Registry(
    "export format",
    "explorer.exporters",
    required=("extension",),
    usual={"media_type": "application/octet-stream"},
)
SAMPLES = Registry("sample model", "sample_models", paths.sample_models)
