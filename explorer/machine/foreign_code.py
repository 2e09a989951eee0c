"""Code of the user that runs here: whatever it raises, wherever that is noticed, is one sentence."""

import sysconfig
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

OWN = {Path(__file__).resolve().parents[1], Path(sysconfig.get_path("stdlib")).resolve()}
LONGEST = 200  # characters of what it says
_folders: dict[Path, str] = {}  # folder of a file that was run -> its name


def note_file(path: Path) -> None:
    """Remember a file that is run; what is next to it may be imported by it, and is foreign, too."""
    _folders[path.resolve().parent] = path.name


def failure(error: BaseException) -> str | None:
    """The sentence for an error out of code of the user, None for one of this program or its libraries.

    The line is the innermost one of the user's code: what it called is perhaps right to refuse.
    """
    places = [place for one in _chain(error) for place in _lines(one.__traceback__)]
    if not places:
        return None
    file, line = places[-1]
    told = " ".join(str(error).split())[:LONGEST]
    return f"{file}, line {line}, fails with {type(error).__name__}{f': {told}' if told else ''}"


def warning_line(text: object, file: str, line: int) -> str | None:
    """The line for a warning out of code of the user, None for one of this program or its libraries."""
    path = Path(file)
    if not _is_foreign(path):
        return None
    return f"{path.name}, line {line}, warns: {' '.join(str(text).split())[:LONGEST]}"


def told(error: BaseException) -> str:
    """What went wrong, for a sentence: with its line where it is in code of the user."""
    words = " ".join(str(error).split())[:LONGEST]
    return failure(error) or f"{type(error).__name__}: {words}"


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and what it says it comes from, the first cause first."""
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
