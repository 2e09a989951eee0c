"""A class on disk: code, token and board, so that a program that starts again goes on with the same links."""

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from ..errors import ExplorerError
from ..machine.bounded_file import read_bounded
from ..machine.whole_file import whole_file
from ..values.json_fields import built
from ..values.recipe import Recipe
from .class_board import (
    CODE_ALPHABET,
    CODE_LENGTH,
    MOST_POINTS,
    MOST_TRIES,
    Board,
    BoardPoint,
    Classroom,
    clean_name,
)

VERSION, LONGEST = 1, 20_000_000  # bytes
SHORTEST_TOKEN = 16
OWN = 0o600  # only the teacher's account reads the token
DAMAGED = (ValueError, TypeError, KeyError, AttributeError, ArithmeticError, RecursionError, ExplorerError)


def opened(path: Path) -> Classroom:
    """Return the class in a file, or a new one, which is written there at once.

    Raises:
        ExplorerError: the file is of something else, or cannot be read or written.
    """
    try:
        room = _read(json.loads(read_bounded(path, LONGEST)))
    except FileNotFoundError:
        room = Classroom()
        save(room, path)
    except OSError as error:
        raise ExplorerError(
            f"{str(path)!r} cannot be read ({error.strerror}); choose another file."
        ) from error
    except DAMAGED as error:
        raise ExplorerError(f"{str(path)!r} is no file of a class; choose another one.") from error
    return room


def save(room: Classroom, path: Path) -> None:
    """Write a class, whole or not at all.

    Raises:
        ExplorerError: it cannot be written.
    """
    tries = [[asdict(point) for point in points] for points in room.board.tries().values()]
    text = json.dumps({"version": VERSION, "code": room.code, "token": room.token, "points": tries})
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as place:
            place.touch(mode=OWN)
            place.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ExplorerError(
            f"The board cannot be kept in {str(path)!r} ({error.strerror}); make room there."
        ) from error


def _read(data: dict[str, Any]) -> Classroom:
    code, token = str(data["code"]), str(data["token"])
    if data["version"] != VERSION or len(token) < SHORTEST_TOKEN:
        raise ValueError("another version")
    if len(code) != CODE_LENGTH or not set(code) <= set(CODE_ALPHABET):
        raise ValueError("no code")
    tries = [[_point(point) for point in points[-MOST_TRIES:]] for points in data["points"][:MOST_POINTS]]
    return Classroom(Board({points[-1].nickname: points for points in tries if points}), code, token)


def _point(data: object) -> BoardPoint:
    point = built(BoardPoint, data)
    Recipe.from_url(point.recipe)
    if not all(0 <= number <= 1 for number in (point.left, point.accuracy, point.low, point.high)):
        raise ValueError("no fraction")
    return replace(point, nickname=clean_name(point.nickname))
