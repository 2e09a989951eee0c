"""What the server and a browser know about each other. Values only; nothing here knows a page.

States and messages are listed in browser/protocol.js, the twin of this file.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

Keys = tuple[Any, ...]  # the path to a leaf, from the outermost key inwards
LONGEST = 200_000  # bytes of a question; an edit of a thousand faders is shorter


@dataclass
class Told:
    """What an element was sent.

    Args:
        value: the last one, JSON; objects in it are sent leaf by leaf, lists as a whole.
        turns: path of a leaf -> the turn in which it changed last; removed leaves are kept here.
        turn: of the last change; 0 = nothing was sent yet.
    """

    value: Mapping[str, Any] = field(default_factory=dict)
    turns: dict[Keys, int] = field(default_factory=dict)
    turn: int = 0

    def tell(self, value: Mapping[str, Any], turn: int) -> bool:
        """Record a value; return False if it is the same as before. The first one is news even if it is
        empty.

        Args:
            turn: larger than all before.
        """
        now, before = dict(leaves(value)), dict(leaves(self.value))
        changed = [path for path in {**now, **before} if now.get(path) != before.get(path)]
        if self.turn and not changed:
            return False
        self.turns = {**self.turns, **dict.fromkeys(changed, turn)}
        self.value, self.turn = value, turn
        return True

    def since(self, turn: int) -> dict[str, Any] | None:
        """Return the parts that a browser of this turn lacks, each None if it was removed; None if it lacks
        nothing.
        """
        if self.turn <= turn:
            return None
        part: dict[str, Any] = {}
        for path, changed in dict(self.turns).items():
            if changed > turn:
                _copy(path, self.value, part)
        return part


def leaves(value: Mapping[str, Any], above: Keys = ()) -> Iterator[tuple[Keys, Any]]:
    """Yield path and value of everything that is not a non-empty object.

    >>> dict(leaves({"a": {"b": 1, "c": []}, "d": {}}))
    {('a', 'b'): 1, ('a', 'c'): [], ('d',): {}}
    """
    for key, inner in value.items():
        if isinstance(inner, Mapping) and inner:
            yield from leaves(inner, (*above, key))
        else:
            yield (*above, key), inner


def _copy(path: Keys, value: Mapping[str, Any], part: dict[str, Any]) -> None:
    """Put the value of a path into a part: a leaf, an object that is empty now, or None for a removed one."""
    key, below = path[0], path[1:]
    inner = value.get(key)
    if not isinstance(inner, Mapping):
        part[key] = inner
    elif below:
        _copy(below, inner, part.setdefault(key, {}))
    else:
        part.setdefault(key, {})


@dataclass(frozen=True)
class NewsQuestion:
    """What a browser asks.

    Args:
        known: element -> the turn of what it shows, 0 = unknown.
        move: the last edit that changes numbers, if the server may lack it; 0 = none.
        edit: the last edit that the server may lack, and its element.
    """

    known: Mapping[str, int]
    move: int = 0
    edit: Mapping[str, Any] | None = None
    of: str = ""


def read_question(body: bytes) -> NewsQuestion | None:
    """Check a question like any foreign input and return it, or None if it is not one."""
    try:
        question = json.loads(body) if len(body) <= LONGEST else None
    except (ValueError, RecursionError):
        return None
    if not isinstance(question, dict):
        return None
    known, move = question.get("known"), question.get("move", 0)
    edit, of = question.get("edit"), question.get("of", "")
    if not isinstance(known, dict) or not all(map(_is_count, [move, *known.values()])):
        return None
    if not (edit is None or isinstance(edit, dict)) or not isinstance(of, str):
        return None
    return NewsQuestion(known, move, edit, of)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53


def parts(elements: Mapping[str, Told], known: Mapping[str, int]) -> dict[str, dict[str, Any]]:
    """Return element -> turn and the parts that a browser lacks; elements that lack nothing are left out."""
    newer = {name: (told.turn, told.since(known.get(name, 0))) for name, told in elements.items()}
    return {
        name: {"turn": turn, "value": value} for name, (turn, value) in newer.items() if value is not None
    }
