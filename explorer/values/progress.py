"""How long work tells what it has come to: step by step, between which it can be stopped."""

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import Any, Generic, Never, TypeVar

T = TypeVar("T")
R = TypeVar("R")
T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True)
class Progress:
    """How far a piece of work is, in units of its own choice (batches, layers, epochs)."""

    done: int
    total: int
    label: str = ""


@dataclass(frozen=True)
class Step(Generic[T_co]):
    """What is new since the last step; one with neither is only a place to be stopped at.

    Args:
        value: a result, or a better one than before; None = nothing new.
        progress: how far the work is; None = as far as before.
    """

    value: T_co | None = None
    progress: Progress | None = None


PAUSE: Step[Never] = Step()
Work = Iterator[Step[T]]
# work within other work: `result = yield from inner(...)`
Returning = Generator[Step[Never], None, T]


def reached(done: int, total: int, label: str = "") -> Step[Never]:
    """A step that only says how far the work is."""
    return Step(progress=Progress(done, total, label))


def values_of(work: Work[T]) -> Iterator[T]:
    """The results alone, one after the other.

    >>> list(values_of(iter([Step("rough"), PAUSE, reached(1, 2), Step("exact")])))
    ['rough', 'exact']
    """
    for step in work:
        if step.value is not None:
            yield step.value


def progress_of(work: Work[Any]) -> Iterator[Progress]:
    """How far it is, again and again; for work without results, or whose results are not wanted."""
    return (step.progress for step in work if step.progress is not None)


def outcome(work: Work[T]) -> T:
    """The last result, once the work has come to its end.

    Raises:
        ValueError: it had none.
    """
    steps = result_of(work)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def result_of(work: Work[T], within: Progress | None = None) -> Returning[T]:
    """The last result of work within other work, whose progress is passed on.

    Args:
        within: how far the other work is, which is said in place of that.
    Raises:
        ValueError: it had none.
    """
    value: T | None = None
    for step in work:
        value = value if step.value is None else step.value
        yield Step(progress=within or step.progress)
    if value is None:
        raise ValueError("The work came to its end without a result.")
    return value


def as_work(steps: Returning[T]) -> Work[T]:
    """Work of its own, whose result is that of the steps."""
    yield Step((yield from steps))


def mapped(work: Work[T], change: Callable[[T], R]) -> Work[R]:
    """The same work with each result changed."""
    return (Step(None if step.value is None else change(step.value), step.progress) for step in work)
