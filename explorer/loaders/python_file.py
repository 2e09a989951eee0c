"""Loads a model from the user's own Python file. Its code runs, so the name comes from the command line
only.
"""

import copy
import importlib.util
import inspect
import os
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

import torch
from torch import nn

from ..errors import LoadError
from ..machine.foreign_code import failure, note_file
from ..machine.kept_settings import kept_settings
from ..machine.optional_packages import with_operators
from ..registry import LOADERS
from ..values.identity import judged_id
from ..values.inputs import in_one_row, sizes
from ..values.subject import Normalisation, Preset, Subject
from .foreign_forward import as_taken, led, one_by_one
from .foreign_model import BUILDING, InputForm, seeded, subject_of, weights_of
from .own_inputs import Declared, Inputs, declared, fitting, trouble
from .own_outputs import DECLARED, check_pick, picking
from .own_weights import check_plain, fold_masks, keep_tensors_alone, uncompiled
from .weights import load_weights

RATE = "sampling_rate"  # name in the model, or in its file
SPEC = re.compile(r"^(?P<path>.+\.py)(:(?P<factory>[A-Za-z_]\w*))?(@(?P<shape>\d{1,9}([x+]\d{1,9})*))?\Z")


@LOADERS.register("python_file", rank=5, local_only=True)
def python_file(name: str, *, checkpoint: str | None = None) -> Subject:
    """A function of your own file that builds the model: path/file.py:factory (its code runs).

    The shape of one input comes from `@3x32x32` after the factory, or from a name `input_shape` of the model
    or the file; the model may also hold a `preset`. Several inputs are `@3x32x32+7`, or a list of shapes:
    they are side by side in one row. A model that does not run on fractions is tried with whole numbers; a
    name `example_input` (a tensor, or a tuple or dict of tensors, the batch first) says exactly what it
    takes. A name `outputs` (a key, a place, or a function) says which of several outputs is judged.

    Args:
        name: "path/file.py:factory" or "path/file.py:factory@3x32x32".
        checkpoint: a safetensors file.
    Raises:
        LoadError: there is no such file or factory, it fails, or what it returns is not a model that runs on
            such an input.
    """
    match = SPEC.match(name)
    if match is None:
        raise LoadError(
            "A model of your own is named path/file.py:factory or path/file.py:factory@3x32x32, got "
            f"{name[:200]!r}."
        )
    path = Path(match["path"]).expanduser()
    with BUILDING:
        file = imported(path)
        model = uncompiled(_made(file, _factory(file, path, match["factory"]), path))
        keep_tensors_alone(model)
        check_plain(model, path.name)
        masks = fold_masks(model)
        inputs = _inputs(declared(match["shape"], model, file, name), model, path)
        form = _form(inputs, model, getattr(model, RATE, getattr(file, RATE, 0)), path)
        if form.reads or inputs.by_name:
            led(model, as_taken(inputs))
        if inputs.batch == 1:
            led(model, one_by_one)
    found = load_weights(model, checkpoint) if checkpoint else ""
    origin = weights_of(checkpoint, found) if checkpoint else "weights as it creates them"
    factory = match["factory"]
    made = f" {masks} masks of torch.nn.utils.prune are made permanent." if masks else ""
    about = f"{factory} of {path.name}, {origin}.{made}{_told(inputs)}"
    subject = subject_of(model, f"{path.name}:{factory}", form, about, code=path.read_bytes())
    wanted = getattr(model, DECLARED, getattr(file, DECLARED, None))
    pick = picking(wanted, subject.name)
    if pick is None:
        return subject
    with torch.inference_mode():
        check_pick(pick, model(subject.example), subject.name)
    return replace(subject, outputs=pick, id=judged_id(subject.id, wanted))


class _AsWritten(SourceFileLoader):
    """Compiles the file as it is now. Python's own byte code is taken for new where the size is equal and
    the second as well, so a file that was changed at once would run as it was before.
    """

    def get_code(self, fullname: str) -> CodeType:
        return self.source_to_code(self.get_data(self.path), self.path)


def imported(path: Path) -> ModuleType:
    """Import the file as a module; it can import files next to it, as when Python runs it.

    Raises:
        LoadError: there is no such file, or it fails.
    """
    if not path.is_file():
        raise LoadError(f"There is no file {str(path)!r}; give the path of a Python file.")
    name = f"explorer_file_{path.stem}"
    loader = _AsWritten(name, str(path.resolve()))
    spec = importlib.util.spec_from_file_location(name, loader.path, loader=loader)
    assert spec is not None
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    beside = str(path.resolve().parent)
    if beside not in sys.path:
        sys.path.append(beside)
    note_file(path)
    run_foreign(lambda: loader.exec_module(module), path)
    return module


def run_foreign(action: Callable[[], Any], path: Path) -> Any:
    """Run code from the user's file and return its result.

    Raises:
        LoadError: it fails; the message says where.
    """
    process = os.getpid()
    try:
        with kept_settings():
            return with_operators(action)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # the border of the user's code: whatever it raises is told with its line
        words = " ".join(str(error).split())[:200]
        sentence = failure(error) or f"{path.name} fails with {type(error).__name__}: {words}"
        raise LoadError(sentence) from error
    finally:
        if os.getpid() != process:  # a copy of this program that the user's code made, and forgot
            os._exit(0)


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
    """Return the factory's result, built from one seed.

    Raises:
        LoadError: it fails, or returns something other than a model.
    """
    model = (
        factory
        if isinstance(factory, nn.Module)
        else run_foreign(lambda: seeded(factory), path)
        if callable(factory)
        else None
    )
    if inspect.iscoroutine(model):
        model.close()  # it is not waited for, and would warn of that
    if not isinstance(model, nn.Module):
        what = type(model).__name__ if callable(factory) else type(factory).__name__
        raise LoadError(
            f"{path.name} gives a {what} instead of a torch.nn.Module; name a function that returns the "
            "model."
        )
    return model


def _form(inputs: Inputs, model: nn.Module, rate: Any, path: Path) -> InputForm:
    """Return the form of one input as it is, or of several side by side in one row.

    Raises:
        LoadError: the declared rate of sounds is no whole number.
    """
    parts, preset = inputs.parts, getattr(model, "preset", None)
    preset = preset if isinstance(preset, Preset) else Preset()
    if type(rate) is not int or rate < 0:
        raise LoadError(f"{RATE} of {path.name} must be a whole number such as 16000, got {str(rate)[:40]}.")
    preset = replace(preset, rate=rate or preset.rate)
    if len(parts) > 1:
        return InputForm((sum(sizes(parts)),), preset, in_one_row(inputs.example), parts)
    if parts[0].is_whole:
        preset = replace(preset, normalisation=Normalisation(whole=True))
    return InputForm(parts[0].shape, preset, inputs.example[0], parts if parts[0].is_whole else ())


def _told(inputs: Inputs) -> str:
    """Return what is unusual about how the model is called."""
    parts = inputs.parts
    shapes = ", ".join(str(part.shape) for part in parts)
    several = f" Its {len(parts)} inputs of shapes {shapes} are read side by side from one row."
    said = [several] if len(parts) > 1 else []
    for part in parts:
        if part.is_whole:
            whose = f" Its input {part.name!r} takes" if len(parts) > 1 else " It reads"
            most = f" from 0 to {part.numbers - 1:,}" if part.numbers else ""
            said.append(f"{whose} {'true and false' if part.dtype == 'bool' else f'whole numbers{most}'}.")
    return "".join(said) + (" It reads one sample at a time." if inputs.batch == 1 else "")


def _inputs(said: Declared, model: nn.Module, path: Path) -> Inputs:
    """Return inputs on which the model runs, once its weights are float32.

    Raises:
        LoadError: it runs on none of those that were tried.
    """
    own = {tensor.dtype for tensor in model.parameters() if tensor.is_floating_point()}
    mixed = _copied(model.eval().cpu()) if len(own) > 1 else None
    try:
        model.eval().cpu().float()
        return fitting(model, said)
    except LoadError as error:
        raise LoadError(str(error).replace("The model", f"The model of {path.name}", 1)) from error
    except (Exception, SystemExit) as error:  # the border of the user's code
        told = _of_other_formats(model, mixed, said, own) or f"does not run on {trouble(error, said)}."
        raise LoadError(f"The model of {path.name} {told}") from error


def _of_other_formats(
    model: nn.Module, mixed: nn.Module | None, said: Declared, own: set[torch.dtype]
) -> str | None:
    """Return what is wrong if the model runs with weights of other types than float32, otherwise None.

    Args:
        mixed: the model with its own weights of several types. own: those types.
    """
    advice = "cast to the type of a weight, such as x.to(self.conv.weight.dtype)."
    if mixed is not None and _runs(mixed, said):
        names = " and ".join(sorted(str(dtype).removeprefix("torch.") for dtype in own))
        return (
            f"mixes weights in {names}, to which its forward casts, but all are loaded as float32; {advice}"
        )
    for dtype in own - {torch.float32}:
        made = _copied(model)
        if made is not None and _runs(made.to(dtype), said):
            name = str(dtype).removeprefix("torch.")
            return (
                f"runs in {name} only, since its forward casts to that, but weights are loaded as float32; "
                f"{advice}"
            )
    return None


def _copied(model: nn.Module) -> nn.Module | None:
    try:
        return copy.deepcopy(model)
    except Exception:  # the border of the user's code
        return None


def _runs(model: nn.Module, said: Declared) -> bool:
    """Whether the model runs with its weights as they are."""
    try:
        fitting(model, said)
    except Exception:  # the border of the user's code
        return False
    return True
