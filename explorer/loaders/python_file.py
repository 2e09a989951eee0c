"""A model from the user's own Python file. Its code runs, so it comes from the command line only."""

import copy
import importlib.util
import re
import sys
from collections.abc import Callable
from math import prod
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import LoadError
from ..machine.foreign_code import failure, note_file, told
from ..registry import LOADERS
from ..values.subject import Preset, Subject
from .foreign_forward import led, one_by_one, side_by_side
from .foreign_model import BUILDING, InputForm, seeded, subject_of, weights_of
from .own_weights import check_plain, fold_masks
from .weights import load_weights

SPEC = re.compile(r"^(?P<path>.+\.py)(:(?P<factory>[A-Za-z_]\w*))?(@(?P<shape>\d+([x+]\d+)*))?\Z")
Shapes = list[tuple[int, ...]]
DECLARED = "input_shape"  # of the model, or a name of the file


@LOADERS.register("python_file", rank=5, local_only=True)
def python_file(name: str, *, checkpoint: str | None = None) -> Subject:
    """A function of your own file that builds the model: path/file.py:factory (its code runs).

    The shape of one input comes from `@3x32x32` after the factory, or from a name `input_shape` of the model
    or the file; the model may also hold a `preset`. Several inputs are `@3x32x32+7`, or a list of shapes: one
    row holds them side by side.

    Args:
        name: "path/file.py:factory" or "path/file.py:factory@3x32x32".
        checkpoint: a safetensors file.
    Raises:
        LoadError: there is no such file or factory, it fails, or what it gives is no model that runs on such
            an input.
    """
    match = SPEC.match(name)
    if match is None:
        raise LoadError(
            "A model of your own is named path/file.py:factory or path/file.py:factory@3x32x32, got "
            f"{name[:200]!r}."
        )
    path = Path(match["path"]).expanduser()
    with BUILDING:
        file = _imported(path)
        model = _made(file, _factory(file, path, match["factory"]), path)
        check_plain(model, path.name)
        masks = fold_masks(model)
        shapes = _shapes(match["shape"], model, file, name)
        if len(shapes) > 1:
            led(model, side_by_side(shapes))
        shape = shapes[0] if len(shapes) == 1 else (sum(map(prod, shapes)),)
        batch = _batch(model, shape, path)
        if batch == 1:
            led(model, one_by_one)
    found = load_weights(model, checkpoint) if checkpoint else ""
    preset = getattr(model, "preset", None)
    preset = preset if isinstance(preset, Preset) else Preset()
    origin = weights_of(checkpoint, found) if checkpoint else "weights as it makes them"
    factory = match["factory"]
    made = f" {masks} masks of torch.nn.utils.prune are made permanent." if masks else ""
    about = f"{factory} of {path.name}, {origin}.{made}{_told(shapes, batch)}"
    return subject_of(
        model, f"{path.name}:{factory}", InputForm(shape, preset, batch), about, code=path.read_bytes()
    )


def _imported(path: Path) -> ModuleType:
    """The file as a module; files next to it can be imported by it, as when Python runs it.

    Raises:
        LoadError: there is no such file, or it fails.
    """
    if not path.is_file():
        raise LoadError(f"There is no file {str(path)!r}; give the path of a Python file.")
    spec = importlib.util.spec_from_file_location(f"explorer_file_{path.stem}", path.resolve())
    assert spec is not None and spec.loader is not None
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    beside = str(path.resolve().parent)
    if beside not in sys.path:
        sys.path.append(beside)
    loader = spec.loader
    note_file(path)
    _run(lambda: loader.exec_module(module), path)
    return module


def _run(action: Callable[[], Any], path: Path) -> Any:
    try:
        return action()
    except (
        Exception,
        SystemExit,
    ) as error:  # the border of the user's code: whatever it raises is told, with its line
        words = " ".join(str(error).split())[:200]
        sentence = failure(error) or f"{path.name} fails with {type(error).__name__}: {words}"
        raise LoadError(sentence) from error


def _factory(file: ModuleType, path: Path, name: str | None) -> Any:
    own = [key for key, value in vars(file).items() if not key.startswith("_") and _is_candidate(value, file)]
    if name is None or not hasattr(file, name):
        missing = f"{path.name} has no {name!r}" if name else f"{path.name} needs a factory after it"
        way = (
            f"name what builds the model, as {path.name}:NAME. It holds: {', '.join(own[:12]) or 'nothing'}."
        )
        raise LoadError(f"{missing}; {way}")
    return getattr(file, name)


def _is_candidate(value: Any, file: ModuleType) -> bool:
    return isinstance(value, nn.Module) or (
        callable(value) and getattr(value, "__module__", None) == file.__name__
    )


def _made(file: ModuleType, factory: Any, path: Path) -> nn.Module:
    """What the factory gives, from one seed.

    Raises:
        LoadError: it fails, or gives something else than a model.
    """
    made = (
        factory
        if isinstance(factory, nn.Module)
        else _run(lambda: seeded(factory), path)
        if callable(factory)
        else None
    )
    if not isinstance(made, nn.Module):
        what = type(made).__name__ if callable(factory) else type(factory).__name__
        raise LoadError(
            f"{path.name} gives a {what} instead of a torch.nn.Module; name a function that returns the "
            "model."
        )
    return made


def _told(shapes: Shapes, batch: int) -> str:
    """What is unusual about the way in which a model is called."""
    several = (
        f" Its {len(shapes)} inputs of shapes {', '.join(map(str, shapes))} are read side by side from one "
        "row."
    )
    return (several if len(shapes) > 1 else "") + (" It reads one sample at a time." if batch == 1 else "")


def _shapes(given: str | None, model: nn.Module, file: ModuleType, name: str) -> Shapes:
    """Of one sample's inputs, which are one as a rule: as given, else as the model or its file declares it.

    Raises:
        LoadError: nothing says it, or it is no list of whole numbers.
    """
    declared = getattr(model, DECLARED, getattr(file, DECLARED, None))
    if given:
        declared = [tuple(map(int, one.split("x"))) for one in given.split("+")]
    if declared is None:
        way = f"add it as {name[-80:]}@3x32x32, or write {DECLARED} = (3, 32, 32) into the file."
        raise LoadError(f"Nothing says which shape one input of {name[-80:]!r} has; {way}")
    several = (
        isinstance(declared, tuple | list)
        and bool(declared)
        and all(isinstance(one, tuple | list) for one in declared)
    )
    shapes = list(declared) if several else [declared]
    if not all(_is_shape(shape) for shape in shapes):
        told = (
            "must hold whole numbers from 1, such as (3, 32, 32), got "
            f"{str(shapes[0] if len(shapes) == 1 else shapes)[:80]}."
        )
        raise LoadError(f"{DECLARED} of {name[-80:]!r} {told}")
    return [tuple(shape) for shape in shapes]


def _is_shape(shape: Any) -> bool:
    return (
        isinstance(shape, tuple | list)
        and bool(shape)
        and all(isinstance(n, int) and 0 < n < 100_000 for n in shape)
    )


def _batch(model: nn.Module, shape: tuple[int, ...], path: Path) -> int:
    """Run the model once, which also gives lazy layers their sizes; returns 2, or 1 for one that reads no
    more at once.

    Raises:
        LoadError: it does not run on such an input.
    """
    own = {tensor.dtype for tensor in model.parameters() if tensor.is_floating_point()}
    model.eval().cpu().float()
    failures: list[BaseException] = []
    for batch in (2, 1):
        try:
            with torch.no_grad():
                found = seeded(lambda batch=batch: model(torch.zeros(batch, *shape)))  # type: ignore[misc]
            if batch == 1 or not isinstance(found, Tensor) or len(found) == batch:
                return batch
        except (Exception, SystemExit) as error:  # the border of the user's code
            failures.append(error)
    for dtype in own - {torch.float32}:
        if _runs_in(model, shape, dtype):
            name = str(dtype).removeprefix("torch.")
            raise LoadError(
                f"The model of {path.name} runs in {name} only, since its forward casts to that, but weights "
                "are loaded as float32; cast to the type of a weight, such as x.to(self.conv.weight.dtype)."
            ) from failures[0]
    raise LoadError(
        f"The model of {path.name} does not run on an input of shape {(2, *shape)} ({told(failures[0])})."
    ) from failures[0]


def _runs_in(model: nn.Module, shape: tuple[int, ...], dtype: torch.dtype) -> bool:
    """The model runs once its weights are of this type."""
    try:
        with torch.no_grad():
            copy.deepcopy(model).to(dtype)(torch.zeros(1, *shape))
    except Exception:  # the border of the user's code
        return False
    return True
