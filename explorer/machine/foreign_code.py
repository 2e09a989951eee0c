"""Turns every error in the user's own code, wherever it is caught, into one sentence."""

import sysconfig
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

OWN = {Path(__file__).resolve().parents[1], Path(sysconfig.get_path("stdlib")).resolve()}
LONGEST = 200  # characters of the error's message
_folders: dict[Path, str] = {}  # folder of a file that was run -> its name


def note_file(path: Path) -> None:
    """Remember a file that is run; modules next to it that it imports are foreign, too."""
    _folders[path.resolve().parent] = path.name


def failure(error: BaseException) -> str | None:
    """Return the sentence for an error in the user's code, or None for one in this program or its libraries.

    The line is the innermost one of the user's code, since a library that it called may be right to refuse.
    """
    place = place_of(error)
    told = " ".join(str(error).split())[:LONGEST]
    return place and f"{place}, fails with {type(error).__name__}{f': {told}' if told else ''}"


def place_of(error: BaseException) -> str | None:
    """Return the innermost line of the user's code that an error passed, or None if it passed none."""
    places = [place for one in _chain(error) for place in _lines(one.__traceback__)]
    return f"{places[-1][0]}, line {places[-1][1]}" if places else None


def warning_line(text: object, file: str, line: int) -> str | None:
    """Return the line for a warning in the user's code, or None for one in this program or its libraries."""
    path = Path(file)
    if not _is_foreign(path):
        return None
    return f"{path.name}, line {line}, warns: {' '.join(str(text).split())[:LONGEST]}"


def description(error: BaseException) -> str:
    """Return what went wrong, for a sentence, with its line if it is in the user's code."""
    words = " ".join(str(error).split())[:LONGEST]
    return failure(error) or f"{type(error).__name__}: {words}"


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Return the error and its causes, the first cause first."""
    if error.__cause__ is not None:
        yield from _chain(error.__cause__)
    yield error


def _lines(step: TracebackType | None) -> Iterator[tuple[str, int]]:
    while step is not None:
        path = Path(step.tb_frame.f_code.co_filename)
        if path.suffix == ".py" and _is_foreign(path):
            yield path.name, step.tb_lineno
        step = step.tb_next


def _is_foreign(path: Path) -> bool:
    parents = path.resolve().parents
    inside = any(folder in parents for folder in _folders)
    return inside and "site-packages" not in path.parts and not OWN & set(parents)
