"""The command line: finds the verb, loads only its file, and turns what went wrong into one sentence and an
exit code.
"""

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import NoReturn

from ..errors import ExplorerError
from ..machine.version import __version__
from .verbs import MODULES, PROGRAM, VERBS

BAD_INPUT, INTERRUPTED = 2, 130


class Parser(argparse.ArgumentParser):
    """argparse whose complaints are ExplorerErrors: one sentence instead of usage and message."""

    def error(self, message: str) -> NoReturn:
        raise ExplorerError(f"{message[:1].upper()}{message[1:].rstrip('.')}; see '{self.prog} --help'.")


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


def _command(verb: str | None) -> tuple[ModuleType, Parser]:
    """The module of a verb (the app's where there is none) with its parser."""
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


def _run(words: Sequence[str]) -> None:
    verb = words[0] if words and words[0] in VERBS else None
    module, parser = _command(verb)
    module.run(parser.parse_args(words[1:] if verb else words))
    sys.stdout.flush()


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit code is 0, 1 for an audit that fails, 2 for bad input, 130 after Ctrl+C."""
    try:
        _run(sys.argv[1:] if argv is None else argv)
    except ExplorerError as error:
        print(" ".join(str(error).split()), file=sys.stderr)
        return BAD_INPUT
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # the reader, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except SystemExit as end:  # --help and --version, and an audit that does not verify
        return int(end.code or 0)
    return 0
