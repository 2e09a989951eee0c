"""A mapping that holds no values: each is made when it is asked for, so a large one needs room for one."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeVar

V = TypeVar("V")


class MadeWhenAsked(Mapping[str, V]):
    """Names known now, values made at each look.

    >>> squares = MadeWhenAsked(["1", "2"], lambda name: int(name) ** 2)
    >>> squares["2"], dict(squares)
    (4, {'1': 1, '2': 4})
    """

    def __init__(self, names: Iterable[str], make: Callable[[str], V]):
        self._names, self._make = dict.fromkeys(names), make

    def __getitem__(self, name: str) -> V:
        if name not in self._names:
            raise KeyError(name)
        return self._make(name)

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)
