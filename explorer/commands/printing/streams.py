"""Standard output belongs to what a command prints; what models and libraries print goes to standard error.

So `--json` is one JSON document however much a model says. A stream that is closed is as good as /dev/null.
"""

import contextlib
import io
import logging
import os
import sys
import warnings
from collections.abc import Iterator
from typing import TextIO

from ...machine.foreign_code import warning_line

STDOUT, STDERR = 1, 2
_result: list[TextIO] = []  # where results go while a command runs


def result() -> TextIO:
    """Where results go."""
    return _result[-1] if _result else sys.stdout


@contextlib.contextmanager
def own_output(*, is_server: bool = False) -> Iterator[None]:
    """While this lasts, `result` is standard output, and what else is printed goes to standard error.

    Args:
        is_server: there is no result, and everything may be printed where it is as a rule.
    """
    before = sys.stdout, sys.stderr
    with contextlib.ExitStack() as stack:
        if sys.stderr is None:
            sys.stderr = stack.enter_context(_nowhere())
        if sys.stdout is None:
            sys.stdout = stack.enter_context(_nowhere())
        out = sys.stdout if is_server else stack.enter_context(_apart())
        _result.append(out)
        sys.stdout = out if is_server else sys.stderr
        try:
            yield
        finally:
            _result.pop()
            sys.stdout, sys.stderr = before


def _nowhere() -> TextIO:
    return open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, a device


@contextlib.contextmanager
def _apart() -> Iterator[TextIO]:
    """Standard output as it is, while number 1, which programs and libraries in C write to, is standard
    error; where it is no real one, as in tests, just what Python prints to.
    """
    try:
        is_real = (sys.stdout.fileno(), sys.stderr.fileno()) == (STDOUT, STDERR)
    except (OSError, ValueError, AttributeError, io.UnsupportedOperation):
        is_real = False
    if not is_real:
        yield sys.stdout
        return
    sys.stdout.flush()
    kept = os.dup(STDOUT)
    out = open(kept, "w", encoding=sys.stdout.encoding, errors="backslashreplace")  # noqa: PTH123, SIM115
    os.dup2(STDERR, STDOUT)
    try:
        yield out
    finally:
        with contextlib.suppress(OSError, ValueError):  # told by whoever flushed it before
            out.flush()
        os.dup2(kept, STDOUT)
        out.close()


def abandon(out: TextIO) -> None:
    """Let what is left go, where the reader is gone or the disk is full, without another complaint."""
    with contextlib.suppress(OSError, ValueError):
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, out.fileno())
        os.close(nothing)
        out.flush()


@contextlib.contextmanager
def quiet_libraries() -> Iterator[None]:
    """Without what libraries log and warn of, unless Python was asked for it.

    A warning out of code of the user is one line.
    """
    if sys.warnoptions:
        yield
        return
    before = logging.root.manager.disable
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        warnings.showwarning = _show_warning  # type: ignore[assignment]
        logging.disable(logging.CRITICAL)
        try:
            yield
        finally:
            logging.disable(before)


def _show_warning(message: Warning | str, kind: type[Warning], file: str, line: int, *_: object) -> None:
    told = warning_line(message, file, line)
    if told is not None:
        say(told)


def say(text: str) -> None:
    """A line on standard error, if that can be written."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        print(text.encode("utf-8", "backslashreplace").decode(), file=sys.stderr)
