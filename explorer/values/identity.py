"""Computes a model's id: a hash of everything that decides what it computes.

Weights and the printed architecture are not enough: a factor that the forward reads from an attribute, the
number of heads, a function that was passed in, a constant of the file, code of a helper file. So attributes
are read too, and for code outside libraries the bytecode, with the globals and closures that it reads.
"""

import hashlib
from collections.abc import Iterator
from typing import Any

from torch import nn

from .identity_parts import NUMBERED, PLAIN, numbers, parts_of
from .subject import Subject

DEEPEST = 60  # nesting of containers that is still searched


def subject_id(model: nn.Module) -> str:
    """Return a hash of all that decides what a model computes: architecture, code, attributes, weights."""
    digest = hashlib.sha256(repr(model).encode())
    for word in _Words().all_of(model):
        digest.update(word)
    return digest.hexdigest()[:16]


def judged_id(own: str, wanted: Any) -> str:
    """Return the id of a model of which not all outputs are judged.

    Args:
        own: its id.
        wanted: a key, a place, or a function that picks what is judged.
    """
    digest = hashlib.sha256(own.encode())
    for word in _Words().all_of(wanted):
        digest.update(word)
    return digest.hexdigest()[:16]


def weights_id(model: nn.Module) -> str:
    """Return a hash of printed architecture and weights alone: enough if the architecture is known by
    name.
    """
    digest = hashlib.sha256(repr(model).encode())
    for name, tensor in model.state_dict().items():
        digest.update(f"{name}{tuple(tensor.shape)}{tensor.dtype}".encode())
        digest.update(numbers(tensor))
    return digest.hexdigest()[:16]


def sibling_id(subject: Subject, model: nn.Module) -> str:
    """Return the id of a subject's architecture with other weights."""
    own = weights_id(model)
    if subject.id == weights_id(subject.model):  # a sample, which is identified by its weights
        return own
    return hashlib.sha256(f"{subject.id} {own}".encode()).hexdigest()[:16]


class _Words:
    """Yields bytes that describe a model, the same in every process.

    Tensors, modules and code are numbered as they are met, since it matters who shares them, and each is
    described once. Values and containers are described in place: whether two equal lists are the same object
    does not matter.
    """

    def __init__(self) -> None:
        self._numbers: dict[int, int] = {}
        self._numbered: list[Any] = []

    def all_of(self, item: Any) -> Iterator[bytes | memoryview]:
        """Yield the words of an item, and of everything that it leads to."""
        yield from self._word(item, ())
        for number, one in enumerate(self._numbered):  # grows meanwhile
            yield f"no. {number} is {type(one).__qualname__} ".encode()
            for part in parts_of(one):
                yield from self._word(part, ())

    def _word(self, item: Any, around: tuple[int, ...]) -> Iterator[bytes | memoryview]:
        """Return the word for an item.

        Args:
            around: the containers that it is in.
        """
        if isinstance(item, bytes | memoryview):
            yield item
        elif isinstance(item, PLAIN):
            yield f"{type(item).__name__} {item!r};".encode()
        elif isinstance(item, NUMBERED):
            yield f"no. {self._number(item)};".encode()
        elif isinstance(item, set | frozenset):
            yield b"".join(sorted(b"".join(_Words().all_of(one)) for one in item))
        elif id(item) not in around and len(around) < DEEPEST:
            yield f"{type(item).__qualname__}(".encode()
            for part in parts_of(item):
                yield from self._word(part, (*around, id(item)))
            yield b");"

    def _number(self, item: Any) -> int:
        if id(item) not in self._numbers:
            self._numbers[id(item)] = len(self._numbered)
            self._numbered.append(item)  # also keeps its address from being reused
        return self._numbers[id(item)]
