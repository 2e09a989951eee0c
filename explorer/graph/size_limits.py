"""Limits the size of a model. It is measured by a run on the meta device, where no tensor has memory and no
product is computed.

The first limit that is exceeded ends that run, so a model of absurd size costs no more than one that is just
too large.
"""

import copy
import itertools
import os
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_module_registration_hook
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

from ..errors import ExplorerError, GraphError, LoadError
from ..machine.foreign_code import description
from .compiler_guards import open_guard
from .quiet import counted_apart

VARIABLE = "PRUNING_EXPLORER_MAX_"  # + the name of a limit in capitals: the operator's own value for it


@dataclass(frozen=True)
class Limits:
    """What a model may need, for one sample unless stated otherwise.

    Args:
        parameters: numbers in parameters and buffers, two of 16 bits counted as one; pruning works on several
            copies of them.
        activation_bytes: of the largest single output tensor of a layer.
        macs: multiply-adds.
        operators: steps of the graph; the time of the analysis grows with them.
        seconds: of this thread's processor time for the run on the meta device, and for the building: what
            others on a busy machine take does not count.
        modules: that a model is built of.
    """

    parameters: int = 700_000_000
    activation_bytes: int = 256 * 1024**2
    macs: int = 1_000_000_000_000
    operators: int = 20_000
    seconds: int = 60
    modules: int = 30_000


@dataclass(frozen=True)
class Size:
    """What a model needs for one sample, in the units of `Limits`; None if it could not run on the meta
    device.
    """

    parameters: int
    macs: int | None = None
    operators: int | None = None
    activation_bytes: int | None = None


class TooLarge(Exception):
    """A limit was exceeded: its name, what was reached, what is allowed."""

    def __init__(self, limit: str, reached: int, allowed: int):
        self.limit, self.reached, self.allowed = limit, reached, allowed
        super().__init__(f"{reached:,} {UNITS[limit]} are more than the {allowed:,} that are allowed")


UNITS = {
    "parameters": "parameters",
    "activation_bytes": "bytes in one activation of one sample",
    "macs": "multiply-adds per sample",
    "operators": "steps in its graph",
    "seconds": "processor seconds on the way through it",
    "modules": "modules that it is built of",
}


def limits_now() -> Limits:
    """Return the limits, including those that the operator set by variables such as
    PRUNING_EXPLORER_MAX_PARAMETERS.

    Raises:
        ExplorerError: a variable that is not a whole number from 1.
    """
    own = {}
    for limit in fields(Limits):
        text = os.environ.get(VARIABLE + limit.name.upper())
        if text is None:
            continue
        if not text.isdecimal() or int(text) < 1:
            raise ExplorerError(
                f"{VARIABLE}{limit.name.upper()} must be a whole number from 1, got {text[:40]!r}."
            )
        own[limit.name] = int(text)
    return Limits(**own)


class _Watch(TorchDispatchMode):
    """Counts operators and multiply-adds and checks all outputs; raises TooLarge."""

    def __init__(self, limits: Limits, samples: int):
        super().__init__()
        self.limits, self.samples = limits, samples
        self.operators = self.macs = self.activation_bytes = 0
        self.until = time.thread_time() + limits.seconds

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        output = func(*args, **(kwargs or {}))
        self.operators += 1
        _bound("operators", self.operators, self.limits)
        if func._overloadpacket in flop_registry:
            flops = flop_registry[func._overloadpacket](*args, **(kwargs or {}), out_val=output)
            self.macs += flops // 2 // self.samples
            _bound("macs", self.macs, self.limits)
        if not any(result.alias_info for result in func._schema.returns):  # a view of a weight is none
            tensors = (tensor for tensor in tree_leaves(output) if isinstance(tensor, Tensor))
            sizes = (tensor.numel() * tensor.element_size() // self.samples for tensor in tensors)
            self.activation_bytes = max(self.activation_bytes, *sizes, 0)
        _bound("activation_bytes", self.activation_bytes, self.limits)
        _bound("seconds", self.limits.seconds + (time.thread_time() > self.until), self.limits)
        return output


open_guard(_Watch.__torch_dispatch__)


def _bound(limit: str, reached: int, limits: Limits) -> None:
    if reached > getattr(limits, limit):
        raise TooLarge(limit, reached, getattr(limits, limit))


@contextmanager
def bounded_build() -> Iterator[None]:
    """Stops the building of a model that never ends, or of more modules than a model may have.

    Raises:
        TooLarge: at the limit that is passed.
    """
    limits, made = limits_now(), itertools.count(1)
    until = time.thread_time() + limits.seconds

    def watch(owner: nn.Module, name: str, module: nn.Module | None) -> None:
        _bound("modules", next(made), limits)
        _bound("seconds", limits.seconds + (time.thread_time() > until), limits)

    handle = register_module_module_registration_hook(watch)
    try:
        yield
    finally:
        handle.remove()


def shadow(model: nn.Module) -> nn.Module:
    """Return the model on the meta device, without copying one weight."""
    twins: dict[int, Any] = {}
    for tensor in [*model.parameters(), *model.buffers()]:
        twin = torch.empty_like(tensor, device="meta")
        twins[id(tensor)] = (
            nn.Parameter(twin, tensor.requires_grad) if isinstance(tensor, nn.Parameter) else twin
        )
    return copy.deepcopy(model, twins)


def twin(model: nn.Module) -> nn.Module:
    """Return the model with tensors of its own that share the memory of the given ones, to be traced: torch
    puts stand-ins in the place of a traced model's tensors, which another thread must not compute with.
    """
    own: dict[int, Any] = {}
    for tensor in [*model.parameters(), *model.buffers()]:
        same = tensor.detach()
        own[id(tensor)] = (
            nn.Parameter(same, tensor.requires_grad) if isinstance(tensor, nn.Parameter) else same
        )
    return copy.deepcopy(model, own)


def count_parameters(model: nn.Module) -> int:
    """Count numbers in parameters and buffers, each tensor once; a number of 16 bits is half a one."""
    tensors = [*model.parameters(), *model.buffers()]
    halves = sum(tensor.numel() * (1 if tensor.element_size() == 2 else 2) for tensor in tensors)
    return (halves + 1) // 2


def measure(model: nn.Module, example: Tensor, limits: Limits) -> Size:
    """Return what a model needs for one sample; only its parameters if it cannot run on the meta device.

    Args:
        example: (batch, *shape).
    Raises:
        TooLarge: at the first limit that is exceeded.
    """
    parameters = count_parameters(model)
    _bound("parameters", parameters, limits)
    watch = _Watch(limits, len(example))
    try:
        twin, input = shadow(model), torch.empty_like(example, device="meta")
        with counted_apart(), torch.device("meta"), torch.no_grad(), watch:
            twin(input)
    except TooLarge:
        raise
    except Exception:  # foreign code on a device that it was not written for: what it needs stays unknown
        return Size(parameters)
    return Size(parameters, watch.macs, watch.operators, watch.activation_bytes)


_known_sizes: "weakref.WeakKeyDictionary[nn.Module, tuple[Limits, Size | TooLarge]]" = (
    weakref.WeakKeyDictionary()
)


def size_of(model: nn.Module, example: Tensor) -> Size | TooLarge:
    """Return `measure` under the current limits, once per model; an exceeded limit is returned, not
    raised.
    """
    limits = limits_now()
    known = _known_sizes.get(model)
    if known is None or known[0] != limits:
        try:
            known = (limits, measure(model, example, limits))
        except TooLarge as large:
            known = (limits, large)
        _known_sizes[model] = known
    return known[1]


def note_size(model: nn.Module, size: Size) -> None:
    """Let `size_of` know a size from an earlier start, unless it is beyond a limit of today."""
    limits = limits_now()
    if all((reached or 0) <= getattr(limits, limit) for limit, reached in vars(size).items()):
        _known_sizes[model] = (limits, size)


def check_parameters(model: nn.Module, name: str) -> None:
    """Refuse a model by its parameters alone; it may be on the meta device, before any memory is taken.

    Raises:
        LoadError: there are too many.
    """
    try:
        _bound("parameters", count_parameters(model), limits_now())
    except TooLarge as large:
        raise too_large(name, large) from large


def too_large(name: str, large: TooLarge) -> LoadError:
    """Return the error to raise for a model that is too large."""
    return LoadError(f"{name[:80]!r} is too large: {large}; {_way(large)}")


def check_loadable(model: nn.Module, example: Tensor, name: str) -> None:
    """Refuse a model that is too large to run; one that only takes too long to analyse can still lose single
    weights.

    Raises:
        LoadError: the message says what there is too much of, and how to allow more.
    """
    size = size_of(model, example)
    if isinstance(size, TooLarge) and size.limit not in ("operators", "seconds"):
        raise too_large(name, size)
    if isinstance(size, Size) and size.macs is None:
        _check_runs(model, example, name)


def _check_runs(model: nn.Module, example: Tensor, name: str) -> None:
    """Run once a model that could not be run without memory: perhaps it runs nowhere."""
    try:
        with torch.no_grad():
            model(example)
    except (Exception, SystemExit) as error:  # foreign code
        shape = tuple(example.shape)
        raise LoadError(
            f"{name[:80]!r} does not run on an input of shape {shape} ({description(error)})."
        ) from error


def check_analysable(model: nn.Module, example: Tensor) -> None:
    """Refuse to analyse a model whose graph would take too long or too much memory.

    Raises:
        GraphError: the message says what there is too much of; unstructured pruning still works.
    """
    size = size_of(model, example)
    if isinstance(size, TooLarge):
        raise GraphError(
            f"This model is too large to analyse ({size}), so only unstructured pruning is possible; "
            f"{_way(size)}"
        )


def _way(large: TooLarge) -> str:
    return f"choose a smaller one, or allow more with the variable {VARIABLE}{large.limit.upper()}."
