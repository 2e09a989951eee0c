"""How a piece of work reports results and progress, step by step; it can be stopped between two steps."""

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import Any, Generic, Never, TypeVar

T = TypeVar("T")
R = TypeVar("R")
T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True)
class Progress:
    """The progress of a piece of work, in units of its own choice (batches, layers, epochs)."""

    done: int
    total: int
    label: str = ""


@dataclass(frozen=True)
class Step(Generic[T_co]):
    """What is new since the last step; a step with neither is only a place to stop at.

    Args:
        value: a result, or a better one than before; None = nothing new.
        progress: the current progress; None = unchanged.
    """

    value: T_co | None = None
    progress: Progress | None = None


PAUSE: Step[Never] = Step()
Work = Iterator[Step[T]]
# work inside other work: `result = yield from inner(...)`
Returning = Generator[Step[Never], None, T]


def reached(done: int, total: int, label: str = "") -> Step[Never]:
    """Return a step that only reports progress."""
    return Step(progress=Progress(done, total, label))


def values_of(work: Work[T]) -> Iterator[T]:
    """Yield only the results, one after the other.

    >>> list(values_of(iter([Step("rough"), PAUSE, reached(1, 2), Step("exact")])))
    ['rough', 'exact']
    """
    for step in work:
        if step.value is not None:
            yield step.value


def progress_of(work: Work[Any]) -> Iterator[Progress]:
    """Yield only the progress; for work without results, or whose results are not needed."""
    return (step.progress for step in work if step.progress is not None)


def outcome(work: Work[T]) -> T:
    """Return the last result of finished work.

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
    """Return the last result of work inside other work, whose progress is passed on.

    Args:
        within: the progress of the outer work, reported instead of the inner one's.
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
    """Turn steps with a return value into work with that result."""
    yield Step((yield from steps))


def mapped(work: Work[T], change: Callable[[T], R]) -> Work[R]:
    """Return the same work with each result changed."""
    return (Step(None if step.value is None else change(step.value), step.progress) for step in work)
