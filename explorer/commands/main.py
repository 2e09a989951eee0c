"""The command line: finds the verb, imports only its file, and turns errors into one sentence and an exit
code.
"""

import argparse
import contextlib
import errno
import importlib
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import NoReturn

from ..errors import ExplorerError
from ..machine.collector import without_collector
from ..machine.foreign_code import failure
from ..machine.version import __version__
from .arguments.data import parsed
from .printing.streams import abandon, own_output, quiet_libraries, result, say
from .verbs import MODULES, PROGRAM, VERBS

SERVING = (None, "class")  # they print no result
BAD_INPUT, INTERRUPTED = 2, 130
LONGEST = 500  # characters of what argparse says, which quotes arguments whole


class Parser(argparse.ArgumentParser):
    """Argument parser that raises ExplorerError: one sentence instead of usage and message."""

    def _print_message(self, message: str, file: object = None) -> None:
        if message:
            result().write(message)

    def error(self, message: str) -> NoReturn:
        said = message if len(message) <= LONGEST else f"{message[:LONGEST]}..."
        raise ExplorerError(f"{said[:1].upper()}{said[1:].rstrip('.')}; see '{self.prog} --help'.")


def _verbs_text() -> str:
    width = max(map(len, VERBS))
    return "\n".join(
        [
            "commands:",
            *(f"  {verb.ljust(width)}  {about}" for verb, about in VERBS.items()),
            "",
            f"'{PROGRAM} COMMAND --help' says what a command takes.",
        ]
    )


def command(verb: str | None) -> tuple[ModuleType, Parser]:
    """Return the module of a verb (the app's if there is none) with its parser."""
    with without_collector():
        module = importlib.import_module(
            f".{MODULES.get(verb, verb.replace('-', '_')) if verb else 'app'}", __package__
        )
    if verb:
        parser = Parser(f"{PROGRAM} {verb}", description=f"{VERBS[verb].capitalize()}.", allow_abbrev=False)
    else:
        about = "Start the page in the browser, or run one of the commands below."
        shape = argparse.RawDescriptionHelpFormatter
        parser = Parser(
            PROGRAM, description=about, epilog=_verbs_text(), formatter_class=shape, allow_abbrev=False
        )
        parser.add_argument("--version", action="version", version=__version__)
    module.add_arguments(parser)
    return module, parser


def _run(verb: str | None, words: Sequence[str]) -> None:
    module, parser = command(verb)
    arguments = parsed(parser, words)
    with contextlib.nullcontext() if verb in SERVING else quiet_libraries():
        module.run(arguments)
    result().flush()


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return the exit code: 0, 1 for an audit that fails or an output that cannot be
    written, 2 for bad input, 130 after Ctrl+C.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    verb = words[0] if words and words[0] in VERBS else None
    with own_output(is_server=verb in SERVING):
        try:
            _run(verb, words[1:] if verb else words)
        except (Exception, KeyboardInterrupt, SystemExit) as error:
            code = _told(error)
            if code is None:
                raise
            return code
    return 0


def _told(error: BaseException) -> int | None:
    """Print what went wrong and return its exit code, or None if it is a bug of this program."""
    foreign = failure(error)
    if isinstance(error, ExplorerError):
        say(" ".join(str(error).split()))
        return BAD_INPUT
    if foreign is not None:
        say(f"{foreign}.")
        return BAD_INPUT
    if isinstance(error, KeyboardInterrupt):
        say("Interrupted.")
        return INTERRUPTED
    if isinstance(error, SystemExit):  # --help, --version, and an audit that fails
        return _flushed() or int(error.code or 0)
    if isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG:
        say(f"Path {str(error.filename)[:80]!r}... is longer than this system allows; give a shorter one.")
        return BAD_INPUT
    if isinstance(error, OSError) and error.filename is None:
        return _unwritten(error)
    if isinstance(error, MemoryError) or "not enough memory" in str(error):
        say("There is not enough memory for this; choose a smaller model, fewer samples, or another machine.")
        return BAD_INPUT
    return None


def _flushed() -> int:
    try:
        result().flush()
    except OSError as error:
        return _unwritten(error)
    return 0


def _unwritten(error: OSError) -> int:
    """Handle output that cannot be written, because its reader (such as head) has closed it or the disk is
    full.
    """
    if not isinstance(error, BrokenPipeError):
        say(f"The output cannot be written ({error.strerror}); make room, or choose another place for it.")
    abandon(result())
    return 1
