"""Builds frozen values from foreign JSON: each field is checked against its own annotation, however deep.

A file that somebody edited is refused with one sentence that names the field, instead of failing wherever its
value is used first.
"""

import types
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from ..errors import ExplorerError

T = TypeVar("T")
Reader = Callable[[Any], Any]
LARGEST = 2**63  # counts are below it, so they fit into tables and figures
SHOWN = 40  # characters of a wrong value


class FieldError(ExplorerError, ValueError):
    """A field of foreign JSON has a value that it cannot have.

    Args:
        path: names of the fields and numbers of the entries that lead to it, from outside.
        problem: what it must be, and what it is.
    """

    def __init__(self, path: tuple[str | int, ...], problem: str):
        self.path, self.problem = path, problem
        where = ".".join(str(step)[:SHOWN] for step in path)
        super().__init__(f"{where!r} {problem}." if path else f"It {problem}.")

    def inside(self, step: str | int) -> "FieldError":
        """Return the same error as seen from the value around it."""
        return FieldError((step, *self.path), self.problem)


def wrong(what: str, value: object) -> FieldError:
    """Return the error of a value that must be something else.

    >>> str(wrong("a whole number from 0", "many").inside("samples"))
    "'samples' must be a whole number from 0, got 'many'."
    """
    return FieldError((), f"must be {what}, got {_shown(value)}")


def built(kind: type[T], data: object) -> T:
    """Return a frozen value whose fields are those of a JSON object.

    Whole numbers are counts, from 0 and below 2**63; other numbers may be infinite or not a number, as a loss
    is that diverged. Fields whose type has a `from_json` are read by it.

    Args:
        kind: a dataclass.
        data: foreign JSON.
    Raises:
        FieldError: it is no object, lacks a field, has one too many, or one of another type.
    """
    if not isinstance(data, Mapping):
        raise wrong("a JSON object", data)
    readers, needed = _fields_of(kind)  # type: ignore[arg-type]
    for name in needed:
        if name not in data:
            raise FieldError((name,), "is missing")
    values, name = {}, ""
    try:
        for name, value in data.items():
            values[name] = readers[name](value)
    except FieldError as error:
        raise error.inside(name) from None
    except KeyError:
        raise FieldError((str(name),), "is no field of it") from None
    return kind(**values)


def check_entries(
    within: str, data: Mapping[str, Any], kinds: Mapping[str, Any], needed: Iterable[str] = ()
) -> None:
    """Check named entries of a mapping that may hold others, too.

    Args:
        within: the field that it is the value of.
        kinds: name -> type, as in an annotation.
        needed: the entries that must be there.
    Raises:
        FieldError: one is of another type, or missing.

    >>> check_entries("speed_up", {"ratio": 2, "why": "noise"}, {"ratio": float, "low": float}, ["ratio"])
    """
    for name in needed:
        if name not in data:
            raise FieldError((within, name), "is missing")
    for name, kind in kinds.items():
        if name in data:
            try:
                _inside(name, _reader(kind), data[name])
            except FieldError as error:
                raise error.inside(within) from None


def _inside(step: str | int, reader: Reader, value: object) -> Any:
    try:
        return reader(value)
    except FieldError as error:
        raise error.inside(step) from None


@cache
def _fields_of(kind: Any) -> tuple[dict[str, Reader], tuple[str, ...]]:
    hints = get_type_hints(kind)
    own = [field for field in fields(kind) if field.init]  # type: ignore[arg-type]
    needed = tuple(f.name for f in own if f.default is MISSING and f.default_factory is MISSING)
    return {field.name: _reader(hints[field.name]) for field in own}, needed


@cache
def _reader(hint: Any) -> Reader:
    """Return what reads a value of this annotation."""
    if hint in SIMPLE:
        return SIMPLE[hint]
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return _optional(_reader(next(one for one in arguments if one is not type(None))))
    if origin is Literal:
        return _choice(arguments)
    if origin is tuple:
        endless = arguments[-1] is ...
        return _tuple(_reader(arguments[0])) if endless else _row(tuple(map(_reader, arguments)))
    if origin is not None and issubclass(origin, Mapping):
        return _mapping(_reader(arguments[1]))
    if hasattr(hint, "from_json"):
        return hint.from_json
    if is_dataclass(hint):
        return lambda value: built(hint, value)  # type: ignore[arg-type]
    raise TypeError(f"No JSON is read as {hint}.")


# --------------------------------------------------------------------------- one reader per annotation


def _optional(reader: Reader) -> Reader:
    return lambda value: None if value is None else reader(value)


def _choice(allowed: tuple[Any, ...]) -> Reader:
    def read(value: object) -> object:
        if not isinstance(value, str) or value not in allowed:
            raise wrong(f"one of {', '.join(map(str, allowed))}", value)
        return value

    return read


def _tuple(reader: Reader) -> Reader:
    def read(value: object) -> tuple[Any, ...]:
        if not isinstance(value, list | tuple):
            raise wrong("a list", value)
        try:
            return tuple([reader(item) for item in value])
        except FieldError:
            return tuple(_inside(place, reader, item) for place, item in enumerate(value))

    return read


def _row(readers: tuple[Reader, ...]) -> Reader:
    def read(value: object) -> tuple[Any, ...]:
        if not isinstance(value, list | tuple) or len(value) != len(readers):
            raise wrong(f"a list of {len(readers)}", value)
        return tuple(_inside(place, *pair) for place, pair in enumerate(zip(readers, value, strict=True)))

    return read


def _mapping(reader: Reader) -> Reader:
    def read(value: object) -> dict[str, Any]:
        if not isinstance(value, Mapping):
            raise wrong("a JSON object", value)
        return {_text(name): _inside(name, reader, item) for name, item in value.items()}

    return read


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise wrong("a text", value)
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise wrong("a text that can be written", ascii(value)) from None
    return value


def _whole(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < LARGEST:
        raise wrong("a whole number from 0", value)
    return value


def _number(value: object) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise wrong("a number", value)
    if isinstance(value, int) and abs(value) >= LARGEST:
        raise wrong("a number of usual size", value)
    return value


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise wrong("true or false", value)
    return value


def _anything(value: object) -> object:
    return value


SIMPLE: dict[Any, Reader] = {str: _text, int: _whole, float: _number, bool: _flag, Any: _anything}


def _shown(value: object) -> str:
    """Return a wrong value in a few letters, whatever it is.

    >>> _shown(10**400), _shown([1, 2])
    ('1000000000 ... (401 digits)', '[1, 2]')
    """
    if isinstance(value, int) and abs(value) >= LARGEST:
        digits = str(value) if value.bit_length() < 10_000 else ""
        return f"{digits[:10]} ... ({len(digits)} digits)" if digits else "a number of thousands of digits"
    text = repr(value) if not isinstance(value, str) else repr(value[: SHOWN + 1])
    return ascii(text)[1:-1] if not text.isprintable() else text[:SHOWN] + " ..." * (len(text) > SHOWN)
