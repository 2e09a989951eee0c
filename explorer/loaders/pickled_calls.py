"""What a pickle says instead of plain data: names, and calls that are described but not made."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


class CodeFoundError(ValueError):
    """A pickle calls something that runs programs; the message is its name."""


@dataclass(frozen=True)
class Name:
    """A class or function that a pickle names, as "module.name"; never looked up."""

    text: str


@dataclass(eq=False)
class PickledCall:
    """What a pickle would build by calling a name.

    Args:
        name: "module.name" of what would be called.
        args: its arguments.
        state: what would be set on the result.
        items, pairs: what would be added to it, if it is a list or a mapping.
    """

    name: str
    args: tuple[Any, ...] = ()
    state: Any = None
    items: list[Any] = field(default_factory=list)
    pairs: dict[Any, Any] = field(default_factory=dict)


def _nothing(_name: str, _args: tuple[Any, ...]) -> Any:
    return None


def _no_places(pid: Any) -> Any:
    raise ValueError(f"it refers to {str(pid)[:80]!r} outside of itself")


@dataclass(frozen=True)
class Meaning:
    """What else is turned into a value.

    Args:
        make: (name, arguments) -> a value, or None to leave the call as a description.
        place: returns the value of a persistent id.
    """

    make: Callable[[str, tuple[Any, ...]], Any] = _nothing
    place: Callable[[Any], Any] = _no_places


NOTHING_MORE = Meaning()  # every call stays a description
