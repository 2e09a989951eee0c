"""Reads a folder of TOML files as lessons. Everything is checked here, at the border; inside, a lesson is
trusted.
"""

import tomllib
from collections.abc import Iterable
from functools import cache
from itertools import pairwise
from pathlib import Path

from ..errors import UnknownNameError
from ..machine.bounded_file import read_bounded
from ..words import GLOSSARY
from .claim_tables import read_claim, read_prediction
from .experiment_tables import RATIO, known_arm, known_point, read_experiment
from .toml_table import LessonError, Table
from .values import PICTURES, Answer, Check, Experiment, Lesson, Published, Section, Source, TryIt

CONTENT, TEMPLATE = Path(__file__).with_name("content"), Path(__file__).with_name("template.toml")
FILE_LIMIT = 100_000  # bytes


def lessons(folder: Path = CONTENT) -> dict[str, Lesson]:
    """Return the lessons by name, in the order of their numbers. They are read once.

    Raises:
        LessonError: a file contains something that is not allowed, or two lessons have the same number.
    """
    return dict(_all(folder))


def course(own: Path | None = None) -> dict[str, Lesson]:
    """Return the built-in lessons and those of the user's folder; if two have the same name, the user's.

    Raises:
        LessonError: as in `lessons`, or the folder does not exist or has no lesson.
    """
    if own is None:
        return lessons()
    if not own.is_dir() or not lessons(own):
        raise LessonError(
            f"{str(own)!r} is not a folder with lessons as .toml files; 'pruning-explorer lessons --new' "
            "writes one."
        )
    return dict(_in_order((lessons() | lessons(own)).values()))


@cache
def _all(folder: Path) -> tuple[tuple[str, Lesson], ...]:
    return _in_order(read(path) for path in sorted(folder.glob("*.toml")))


def _in_order(given: Iterable[Lesson]) -> tuple[tuple[str, Lesson], ...]:
    found = sorted(given, key=lambda lesson: lesson.number)
    for one, other in pairwise(found):
        if one.number == other.number:
            raise LessonError(f"Lessons {one.name!r} and {other.name!r} both have the number {one.number}.")
    return tuple((lesson.name, lesson) for lesson in found)


def lesson(name: str, folder: Path = CONTENT) -> Lesson:
    """Return the lesson of that name.

    Raises:
        UnknownNameError: there is none.
    """
    known = lessons(folder)
    if name not in known:
        raise UnknownNameError("lesson", name, known)
    return known[name]


def read(path: Path) -> Lesson:
    """Read the lesson of a file.

    Raises:
        LessonError: the file is too large, not TOML, or contains something that is not allowed.
    """
    try:
        data = tomllib.loads(read_bounded(path, FILE_LIMIT).decode("utf-8"))
        str(data)  # a hexadecimal number is read at any length, but not written
    except OSError as error:
        raise LessonError(f"Lesson {path.name[:80]!r} cannot be read ({error.strerror}).") from error
    except RecursionError as error:
        raise LessonError(f"Lesson {path.name[:80]!r} has lists in lists without end.") from error
    except ValueError as error:  # not TOML, not text, or a number of thousands of digits
        told = " ".join(str(error).split())[:200].rstrip(".")
        raise LessonError(f"Lesson {path.name[:80]!r} is not valid TOML: {told}.") from error
    return parse(path.stem, data)


def parse(name: str, data: object) -> Lesson:
    """Build a lesson from the data of its file.

    Raises:
        LessonError: something is missing, unknown or not allowed; the message says where.
    """
    top = Table(data, f"Lesson {name!r}")
    experiment = read_experiment(top.table("experiment"))
    lesson = Lesson(
        name,
        top.whole("number", 1, 99),
        top.text("title"),
        top.whole("minutes", 1, 60),
        top.text("summary"),
        tuple(map(_section, top.tables("sections"))),
        experiment,
        read_prediction(top.table("prediction"), experiment),
        read_claim(top.table("claim"), experiment),
        _check(top.table("check")),
        _try_it(top.table("try"), experiment),
        tuple(map(_published, top.tables("published", 0))),
        tuple(map(_source, top.tables("sources"))),
    )
    top.done()
    return lesson


def _section(table: Table) -> Section:
    section = Section(
        table.text("title"),
        table.text("text"),
        table.texts("terms"),
        table.choice("picture", ("", *PICTURES), ""),
    )
    for term in section.terms:
        if term not in GLOSSARY:
            raise LessonError(
                f"{table.where}: no term named {term!r} in the glossary. It has {', '.join(GLOSSARY)}."
            )
    table.done()
    return section


def _check(table: Table) -> Check:
    made = Check(table.text("question"), tuple(map(_answer, table.tables("answers", 2))))
    if sum(answer.right for answer in made.answers) != 1:
        raise LessonError(f"{table.where}: exactly one answer must be right.")
    table.done()
    return made


def _answer(table: Table) -> Answer:
    made = Answer(table.text("text"), table.flag("right"), table.text("reason"))
    table.done()
    return made


def _try_it(table: Table, experiment: Experiment) -> TryIt:
    arm = known_arm(table, experiment, table.text("arm"))
    if experiment.arm(arm).by_hand != "no":
        raise LessonError(
            f"{table.where}: arm {arm!r} is masked by hand, which no recipe can say; choose another."
        )
    made = TryIt(table.text("text"), arm, known_point(table, experiment, arm, table.number("x", *RATIO)))
    table.done()
    return made


def _published(table: Table) -> Published:
    result = Published(
        table.text("name"), table.numbers("x", 0, 1), table.numbers("accuracy", 0, 1), table.text("note", "")
    )
    if len(result.x) != len(result.accuracy):
        raise LessonError(
            f"{table.where}: 'x' and 'accuracy' must be equally long, got {len(result.x)} and "
            f"{len(result.accuracy)}."
        )
    table.done()
    return result


def _source(table: Table) -> Source:
    made = Source(table.text("text"), table.text("url", ""))
    if made.url and not made.url.startswith("https://"):
        raise LessonError(f"{table.where}: 'url' must begin with https://, got {made.url[:60]!r}.")
    table.done()
    return made
