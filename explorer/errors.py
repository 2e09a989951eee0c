"""Errors, each one sentence: what is wrong, what is allowed, what to do."""

import re
from collections.abc import Iterable

LONGEST_WORD, LONGEST = 240, 1200  # characters; a quoted value may be a whole file


def shortened(text: str) -> str:
    """Shorten a sentence to a readable length: long words lose their ends, long sentences their middles.

    >>> shortened("No layer named '" + "x" * 5000 + "'.")[-30:], len(shortened("word " * 1000))
    ("xxxxxxxxxxxxxxxxxxxxxxx ... '.", 1200)
    """
    text = re.sub(rf"(\S{{{LONGEST_WORD - 40}}})\S{{40,}}?(['\".,;)]*)(?=\s|$)", r"\1 ... \2", text)
    if len(text) <= LONGEST:
        return text
    tail = LONGEST // 3
    return f"{text[: LONGEST - tail - 5]} ... {text[-tail:]}"


CRASH = "Unexpected error: "  # the sentence of a fault in the program begins so; all others are refusals


def crash(error: BaseException) -> str:
    """Return the sentence that is shown for an error that no user can cause.

    >>> crash(ValueError("shapes differ")), is_crash(crash(ValueError())), is_crash("Too large.")
    ('Unexpected error: ValueError: shapes differ', True, False)
    """
    return f"{CRASH}{type(error).__name__}: {error}"


def is_crash(sentence: str) -> bool:
    """Whether a shown sentence is about a fault in the program, not about something that was refused."""
    return sentence.startswith(CRASH)


class ExplorerError(Exception):
    """Base of every error that a user can cause. Its text is one readable sentence."""

    def __init__(self, text: str = ""):
        super().__init__(shortened(str(text)))


class RecipeError(ExplorerError):
    """A recipe, or one of its values, is not valid."""


class UnknownNameError(ExplorerError):
    """A name that does not exist. The text lists the names that do."""

    def __init__(self, kind: str, name: object, available: Iterable[str]):
        names = list(available)
        shown = ", ".join(names[:12]) + (f", ... ({len(names)} in all)" if len(names) > 12 else "")
        super().__init__(f"No {kind} named {str(name)[:80]!r}. Available: {shown or 'none'}.")


class LoadError(ExplorerError):
    """A model, weights file or data set could not be loaded."""


class GraphError(ExplorerError):
    """A model could not be exported or analysed; unstructured pruning still works."""


class CompactionError(ExplorerError):
    """A smaller model could not be built from these masks."""
