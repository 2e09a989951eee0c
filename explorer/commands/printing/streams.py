"""Keep standard output for the command's result; what models and libraries print goes to standard error.

So `--json` prints one JSON document however much a model prints. A closed stream is treated as /dev/null.
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
    """Return the stream that results go to."""
    return _result[-1] if _result else sys.stdout


@contextlib.contextmanager
def own_output(*, is_server: bool = False) -> Iterator[None]:
    """Keep standard output for `result`, and send everything else that is printed to standard error.

    Args:
        is_server: there is no result, and everything may be printed where it usually goes.
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
    """Return the real standard output, while file descriptor 1, which programs and libraries in C write to,
    is redirected to standard error. If there is no real standard output, as in tests, return Python's own.
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
        with contextlib.suppress(OSError, ValueError):  # whoever flushed it before has reported it
            out.flush()
        os.dup2(kept, STDOUT)
        out.close()


def abandon(out: TextIO) -> None:
    """Discard unwritten output after the reader has closed it or the disk is full, without another error."""
    with contextlib.suppress(OSError, ValueError):
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, out.fileno())
        os.close(nothing)
        out.flush()


@contextlib.contextmanager
def quiet_libraries() -> Iterator[None]:
    """Silence the logs and warnings of libraries, unless Python was asked to show them.

    A warning from the user's own code is one line.
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
    """Print a line on standard error, if that can be written."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        print(text.encode("utf-8", "backslashreplace").decode(), file=sys.stderr)
