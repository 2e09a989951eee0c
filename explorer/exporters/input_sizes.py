"""Finds the inputs for which an export is valid: sizes that the model's code computes stay computed if
possible.

The graph for all measurements is traced at one input size. For an export it is traced again with all sizes
open. Assumptions about them are kept as conditions, and inputs that do not meet them are refused. If that
graph differs in anything else, or gives other outputs than the model itself at another size, the export is
valid for one size only.
"""

import math
import re
import weakref
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import torch
from torch import Tensor, nn

from ..audit.comparison import flat
from ..audit.random_draws import seeded
from ..compaction.compact import compact
from ..errors import ExplorerError
from ..graph.analysed import Analysed
from ..graph.export import EXPORT_LOCK, UNREADABLE, ModelGraph, export_program, followed
from ..graph.running import fixed_batch
from ..graph.size_limits import twin
from ..values.profile import Group, Masks
from .architecture import describe
from .load_pruned import holds

NEAR = 1e-4  # of the largest output
MOST = 400  # conditions
TRIED = 2  # other sizes
NOTHING = Masks({}, {})
SIZE = re.compile(r"L\['\w+'\]\.size\(\)")


@dataclass(frozen=True, eq=False)
class Sized:
    """A model for an export, and the input sizes for which it is valid.

    Args:
        model: with a graph whose sizes are as open as possible.
        conditions: on the sizes of an input, batch first, such as "size[2] % 8 == 0".
    """

    model: Analysed
    conditions: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the conditions, and the only batch size that the graph reads, if there is only one."""
        program = self.model.graph.program
        batch = fixed_batch(program) if program is not None else None
        return {"conditions": list(self.conditions)} | ({"batch": batch} if batch is not None else {})


_known: "weakref.WeakKeyDictionary[ModelGraph, Sized]" = weakref.WeakKeyDictionary()


def sized(model: Analysed) -> Sized:
    """Return the model with open sizes, found once per graph; if they cannot be open, with those of its
    example.
    """
    if model.graph not in _known:
        _known[model.graph] = _opened(model) or Sized(model, one_size(model.subject.example))
    return _known[model.graph]


def one_size(example: Tensor) -> tuple[str, ...]:
    """Return the conditions of an input that has all sizes of the example but the batch."""
    return tuple(f"size[{dim}] == {size}" for dim, size in enumerate(example.shape) if dim)


def _opened(model: Analysed) -> Sized | None:
    if model.graph.program is None or len(model.subject.reads) > 1:  # a row is as long as it is
        return None
    example = model.subject.example
    try:
        with EXPORT_LOCK, torch.no_grad():
            exported = export_program(_apart(model.subject.model), example, any_size=True)
            conditions = conditions_of(exported, example)
            graph = followed(model.subject, exported)
            if conditions is None or not _same_groups(graph, model.graph):
                return None
            graph = replace(graph, profile=model.profile, any_size=True)
            found = Sized(replace(model, graph=graph), conditions)
            describe(compact(found.model, NOTHING, share=True))
            return found if _answers_alike(found, model) else None
    except (*UNREADABLE, ExplorerError, NotImplementedError, AssertionError):
        return None


def _apart(model: nn.Module) -> nn.Module:
    """Return a twin to trace, while others measure the model; the model itself if it cannot be copied."""
    try:
        return twin(model)
    except Exception:  # foreign code
        return model


def conditions_of(program: torch.export.ExportedProgram, example: Tensor) -> tuple[str, ...] | None:
    """Return what a program assumes about its input's sizes; None if this version of torch does not say, or
    says it in other terms than sums and products of sizes.
    """
    code = getattr(program, "_guards_code", None)
    names = program.graph_signature.user_inputs
    given = next(n for n in program.graph.nodes if n.op == "placeholder" and n.name in names).meta["val"]
    static = [
        f"size[{dim}] == {size}" for dim, size in enumerate(given.shape) if dim and isinstance(size, int)
    ]
    if code is None or len(names) != 1 or len(code) > MOST:
        return None
    found = tuple(dict.fromkeys([*static, *(SIZE.sub("size", text) for text in code)]))
    try:
        return found if all(holds(condition, (1, *example.shape[1:])) for condition in found) else None
    except (ValueError, SyntaxError):
        return None


def _same_groups(one: ModelGraph, other: ModelGraph) -> bool:
    return list(map(_told, one.profile.groups)) == list(map(_told, other.profile.groups))


def _told(group: Group) -> tuple:
    return group.name, group.units, group.unit, group.frozen is None, frozenset(group.slots)


def _answers_alike(sized: Sized, model: Analysed) -> bool:
    """Whether the open graph gives the same outputs as the other one at the example's size, and as the model
    itself at other sizes; sizes that the model cannot read, the graph cannot read either.
    """
    example, network = model.subject.example, compact(sized.model, NOTHING, share=True)
    if not _near(_answer(network, example), _answer(compact(model, NOTHING, share=True), example)):
        return False
    for size in islice(_other_sizes(sized.conditions, example), TRIED):
        inputs = _like(example, size)
        own, other = _answer(model.subject.model, inputs), _answer(network, inputs)
        if not (own is other is None or _near(own, other)):
            return False
    return True


def _answer(network: nn.Module, inputs: Tensor) -> Tensor | None:
    """Return the output, with random numbers from a seed; None if it cannot read these inputs."""
    try:
        with seeded(0):
            return flat(network(inputs))
    except Exception:  # foreign code, at a size that it may not have been written for
        return None


def _like(example: Tensor, size: tuple[int, ...]) -> Tensor:
    """Return inputs of another size, with values that occur in the example."""
    places = torch.arange(math.prod(size)) % example.numel()
    return example.flatten()[places].view(size)


def _near(one: Tensor | None, other: Tensor | None) -> bool:
    if one is None or other is None or one.shape != other.shape:
        return False
    return bool((one - other).abs().max() <= NEAR * other.abs().max())


def _other_sizes(conditions: tuple[str, ...], example: Tensor) -> Iterator[tuple[int, ...]]:
    """Return sizes of one sample that meet the conditions: half, a little more, and double of what may
    change.
    """
    fixed = set(one_size(example)) & set(conditions)
    free = [dim for dim in range(1, example.dim()) if f"size[{dim}] == {example.shape[dim]}" not in fixed]
    for change in CHANGES if free else ():
        size = (1, *(change(n) if dim in free else n for dim, n in enumerate(example.shape[1:], 1)))
        if all(holds(condition, size) for condition in conditions):
            yield size


def _half(size: int) -> int:
    return size // 2


def _double(size: int) -> int:
    return 2 * size


def _larger(size: int) -> int:
    return size + 8


def _odd(size: int) -> int:
    return size + 1


CHANGES = (_half, _odd, _larger, _double)
