"""What a user's own model takes as input: as it or its file declares it, or else found by trying."""

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from ..errors import LoadError
from ..machine.foreign_code import description
from ..values.inputs import FRACTIONS, InputPart
from .foreign_model import SEED, seeded
from .vocabulary import numbers_of

DECLARED, EXAMPLE = "input_shape", "example_input"  # names in the model, or in its file
WHOLE = "int64"
TRIED = 4  # up to this many inputs, all kinds of numbers are tried


@dataclass(frozen=True)
class Declared:
    """What is declared about the inputs.

    Args:
        parts: their dtypes are those of the example; without one they have to be found.
        example: one tensor for each input, if given.
        names: the inputs are keyword arguments.
    """

    parts: tuple[InputPart, ...]
    example: tuple[Tensor, ...] | None = None
    by_name: bool = False


@dataclass(frozen=True)
class Inputs:
    """What a model takes, and inputs on which it runs.

    Args:
        parts: one for each input.
        example: (batch, *shape) each.
        by_name: the inputs are keyword arguments.
    """

    parts: tuple[InputPart, ...]
    example: tuple[Tensor, ...]
    by_name: bool = False

    @property
    def batch(self) -> int:
        """Return the number of samples that the model reads at once: 2, or 1 if it reads only one."""
        return len(self.example[0])

    def call(self, forward: Callable[..., Any], tensors: Sequence[Tensor]) -> Any:
        """Return the model's output."""
        if self.by_name:
            return forward(**{part.name: value for part, value in zip(self.parts, tensors, strict=True)})
        return forward(*tensors)


def declared(given: str | None, model: nn.Module, file: ModuleType, name: str) -> Declared:
    """Return the given inputs, or those that the model or its file declares as an example or as shapes.

    Args:
        given: shapes such as "3x32x32" or "3x32x32+7".
    Raises:
        LoadError: nothing declares them, or not in a way that can be read.
    """
    example = getattr(model, EXAMPLE, getattr(file, EXAMPLE, None))
    if example is not None and not given:
        return _of_example(example, model, name)
    value: Any = getattr(model, DECLARED, getattr(file, DECLARED, None))
    if given:
        value = [tuple(map(int, one.split("x"))) for one in given.split("+")]
    if value is None:
        way = f"add it as {name[-80:]}@3x32x32, or write {DECLARED} = (3, 32, 32) into the file."
        raise LoadError(f"Nothing says which shape one input of {name[-80:]!r} has; {way}")
    several = (
        isinstance(value, tuple | list) and bool(value) and all(isinstance(v, tuple | list) for v in value)
    )
    shapes = list(value) if several else [value]
    if not all(_is_shape(shape) for shape in shapes):
        what = (
            "must hold whole numbers from 1, such as (3, 32, 32), got "
            f"{str(shapes[0] if len(shapes) == 1 else shapes)[:80]}."
        )
        raise LoadError(f"{DECLARED} of {name[-80:]!r} {what}")
    names = argument_names(model, len(shapes))
    return Declared(tuple(InputPart(n, tuple(s)) for n, s in zip(names, shapes, strict=True)))


def _of_example(value: Any, model: nn.Module, name: str) -> Declared:
    """Return the inputs of an example.

    Raises:
        LoadError: it is not a tensor, tuple or dict of tensors with a batch in front.
    """
    if callable(value) and not isinstance(value, Tensor):
        try:
            value = value()
        except (Exception, SystemExit) as error:  # the border of the user's code
            raise LoadError(f"{EXAMPLE} of {name[-80:]!r} fails ({description(error)}).") from error
    by_name = isinstance(value, Mapping)
    tensors = list(value.values()) if by_name else list(value) if isinstance(value, tuple | list) else [value]
    fine = tensors and all(isinstance(t, Tensor) and t.dim() > 0 and t.numel() for t in tensors)
    if not fine or len({len(t) for t in tensors}) != 1 or any(t.is_complex() for t in tensors):
        raise LoadError(
            f"{EXAMPLE} of {name[-80:]!r} must be a tensor with the batch first, or a tuple or dict of such, "
            "such as torch.randint(0, 50, (1, 12))."
        )
    names = list(map(str, value)) if by_name else argument_names(model, len(tensors))
    if by_name and not all(n.isidentifier() for n in names):
        raise LoadError(f"{EXAMPLE} of {name[-80:]!r} has a key that is no name of an argument.")
    tensors = [t.detach().cpu() for t in tensors]
    tensors = [t.float() if t.is_floating_point() else t for t in tensors]
    parts = [
        InputPart(n, tuple(t.shape[1:]), str(t.dtype).removeprefix("torch."))
        for n, t in zip(names, tensors, strict=True)
    ]
    return Declared(tuple(parts), tuple(tensors), by_name)


def argument_names(model: nn.Module, count: int) -> list[str]:
    """Return the names of its forward's arguments, as far as it names them."""
    try:
        found = list(inspect.signature(model.forward).parameters.values())
    except (TypeError, ValueError):
        found = []
    plain = [p.name for p in found if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)][:count]
    return plain + [f"input_{n}" for n in range(len(plain), count)]


def _is_shape(shape: Any) -> bool:
    return (
        isinstance(shape, tuple | list)
        and bool(shape)
        and all(isinstance(n, int) and 0 < n < 100_000 for n in shape)
    )


# --------------------------------------------------------------------------- found by trying


def fitting(model: nn.Module, said: Declared) -> Inputs:
    """Return inputs on which the model runs; running it also gives lazy layers their sizes.

    Fractions are tried first, then whole numbers in the range of the table that the model looks up.

    Raises:
        Exception: that of the first way that was tried, if none works.
    """
    first: BaseException | None = None
    for parts in _ways(said):
        for batch in (2, 1):
            try:
                drawn = _drawn(model, Inputs(parts, (), said.by_name), said, batch)
            except LoadError:
                raise
            except (Exception, SystemExit) as error:  # the border of the user's code
                first = first or error
                continue
            if drawn is not None:
                return drawn
    assert first is not None
    raise first


def _ways(said: Declared) -> Iterator[tuple[InputPart, ...]]:
    """Return the kinds of numbers to try, those with fewer whole numbers first."""
    if said.example is not None or len(said.parts) > TRIED:
        yield said.parts
        return
    kinds = sorted(product((FRACTIONS, WHOLE), repeat=len(said.parts)), key=lambda kinds: kinds.count(WHOLE))
    for chosen in kinds:
        yield tuple(replace(part, dtype=kind) for part, kind in zip(said.parts, chosen, strict=True))


def _drawn(model: nn.Module, inputs: Inputs, said: Declared, batch: int) -> Inputs | None:
    """Return the inputs with an example, or None if the model does not give an output for each sample of this
    batch.
    """
    with torch.no_grad():
        parts = tuple(_known(model, inputs, index, batch) for index in range(len(inputs.parts)))
        if said.example is not None:  # numbers from the user are allowed, whatever was found
            parts = tuple(map(_allowed, parts, said.example))
        generator = torch.Generator().manual_seed(SEED)
        example = tuple(_values(p, batch, generator, said, i) for i, p in enumerate(parts))
        found = seeded(lambda: inputs.call(model, example))
    if all(leaf is None or isinstance(leaf, str | bytes | int | float) for leaf in tree_leaves(found)):
        raise TypeError(f"it returns a {type(found).__name__} without any tensor")
    check_dense(found)
    if batch > 1 and isinstance(found, Tensor) and (found.dim() == 0 or len(found) != batch):
        return None
    return replace(inputs, parts=parts, example=example)


def check_dense(outputs: Any) -> None:
    """Check that each number of a model's outputs has a place, so that two models can be compared by them.

    Raises:
        LoadError: an output is sparse, nested or quantised.
    """
    ways = {"sparse": ".to_dense()", "nested": ".to_padded_tensor(0.0)", "quantised": ".dequantize()"}
    for leaf in tree_leaves(outputs):
        if not isinstance(leaf, Tensor):
            continue
        dense = leaf.layout == torch.strided
        kind = "nested" if leaf.is_nested else "quantised" if leaf.is_quantized else "" if dense else "sparse"
        if kind:
            raise LoadError(
                f"The model returns a {kind} tensor, but answers are compared number by number; end its "
                f"forward with {ways[kind]}."
            )


def _known(model: nn.Module, inputs: Inputs, index: int, batch: int) -> InputPart:
    """Return the input, with how many whole numbers it accepts if it takes those."""
    part = inputs.parts[index]
    if part.dtype not in ("int64", "int32"):
        return part

    def run(number: int) -> Any:
        generator = torch.Generator().manual_seed(SEED)
        tensors = [p.drawn(batch, generator) for p in inputs.parts]
        tensors[index] = torch.full_like(tensors[index], number)
        return seeded(lambda: inputs.call(model, tensors))

    return replace(part, numbers=numbers_of(run))


def _allowed(part: InputPart, given: Tensor) -> InputPart:
    if part.numbers is None or not part.is_whole:
        return part
    return replace(part, numbers=max(part.numbers, int(given.max()) + 1))


def _values(part: InputPart, batch: int, generator: torch.Generator, said: Declared, index: int) -> Tensor:
    """Return random values; if the allowed whole numbers are unknown, those of the user's example."""
    if said.example is None or not part.is_whole or part.numbers is not None:
        return part.drawn(batch, generator)
    given = said.example[index]
    return given[torch.arange(batch) % len(given)]


def trouble(error: BaseException, said: Declared) -> str:
    """Return the shapes that were tried, and the model's error, without a line break."""
    shapes = " and ".join(str((2, *part.shape)) for part in said.parts)
    word = "inputs of shapes" if len(said.parts) > 1 else "an input of shape"
    return f"{word} {shapes} ({description(error)})"
