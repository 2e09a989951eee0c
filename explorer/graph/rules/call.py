"""One node of the graph as a rule sees it, and the table of rules."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from ..labels import Labelled, Ties, varying

Arrays = tuple[Tensor, ...]


@dataclass(frozen=True, eq=False)
class Call:
    """One node of the graph during the walk: its arguments are Labelled values and plain numbers.

    Args:
        read: of several outputs, those that something reads.
    """

    ties: Ties
    target: Any
    args: tuple
    kwargs: dict
    out: Any
    where: str
    read: frozenset[int] = frozenset()

    def arg(self, index: int, name: str, default: Any = None) -> Any:
        return self.args[index] if len(self.args) > index else self.kwargs.get(name, default)


Rule = Callable[[Call], "Arrays | list[Arrays]"]
RULES: dict[str, Rule] = {}


def rule(*names: str) -> Callable[[Rule], Rule]:
    def decorate(function: Rule) -> Rule:
        RULES.update(dict.fromkeys(names, function))
        return function

    return decorate


def labelled(values: Any) -> list[Labelled]:
    """Return every Labelled value inside arguments, in order."""
    if isinstance(values, Labelled):
        return [values]
    if isinstance(values, dict):
        return [item for value in values.values() for item in labelled(value)]
    if isinstance(values, list | tuple):
        return [item for value in values for item in labelled(value)]
    return []


def freeze(call: Call, value: Labelled, why: str) -> None:
    for array in value.arrays:
        call.ties.freeze(array, why)


def freeze_all(call: Call, why: str) -> None:
    for value in labelled([call.args, call.kwargs]):
        freeze(call, value, why)


def name_of(call: Call) -> str:
    """Return the name of the operator; one that writes in place has the name of the one that does not."""
    return call.target.overloadpacket.__name__.rstrip("_")


def channel_of(call: Call) -> int:
    """Return the channel dimension of the input of an operator on pictures: without a batch it is the
    first.
    """
    spatial = int(next(letter for letter in name_of(call) if letter.isdigit()))
    return len(call.args[0].shape) - spatial - 1


def only(call: Call, source: Labelled, allowed: Callable[[frozenset[int]], bool], why: str) -> Arrays:
    """Return the arrays whose varying dimensions are allowed; the others are frozen."""
    kept = []
    for array in source.arrays:
        if varying(array) and not allowed(varying(array)):
            call.ties.freeze(array, why)
        else:
            kept.append(array)
    return tuple(kept)


def channels(call: Call, source: Labelled, dim: int, why: str) -> Arrays:
    """Return the array that varies along one dimension alone, with those that vary next to it tied as one
    unit; others are frozen.
    """
    kept: list[Tensor] = []
    for array in source.arrays:
        if dim not in varying(array) and varying(array):
            call.ties.freeze(array, why)
        elif dim in varying(array) and any(dim in varying(other) for other in kept):
            call.ties.freeze(array, f"laid out along one dimension with other channels in {call.where}")
        else:
            kept.append(
                call.ties.tie_along(array, varying(array) - {dim}) if {dim} < varying(array) else array
            )
    return tuple(kept)


def beside(call: Call, values: Sequence[Labelled], dim: int, why: str) -> list[Labelled]:
    """Return the values with only those arrays that don't vary along one dimension; the others are frozen."""
    return [Labelled(v.meta, only(call, v, lambda dims: dim not in dims, why), v.parameter) for v in values]


def split_off(call: Call, value: Labelled, dim: int, why: str) -> tuple[Arrays, Labelled]:
    """Return the arrays that vary along one dimension alone, and the value with those that vary along others;
    arrays that do both are frozen.
    """
    kept = only(call, value, lambda dims: dim not in dims or dims == {dim}, why)
    own = tuple(array for array in kept if varying(array) == {dim})
    rest = tuple(array for array in kept if varying(array) and dim not in varying(array))
    return own, Labelled(value.meta.narrow(dim, 0, 1), rest, value.parameter)
