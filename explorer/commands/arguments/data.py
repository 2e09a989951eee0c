"""--data: one data set for a MODEL, or several MODELs of which each brings its own."""

import argparse
from collections.abc import Iterator, Sequence

from ...errors import ExplorerError

OPTION = "--data"
SEVERAL = (argparse.ZERO_OR_MORE, argparse.ONE_OR_MORE)


def add_data(parser: argparse.ArgumentParser, *, several: bool = False) -> None:
    """Add --data.

    Args:
        several: the command takes several MODELs.
    """
    whose = " of the MODEL before it; before the first MODEL: of all others" if several else ""
    parser.add_argument(
        OPTION,
        metavar="SOURCE",
        help=f"data set{whose}, instead of the model's own: digits, folder:PATH ...",
    )
    parser.set_defaults(own_data={})


def data_of(model: str, arguments: argparse.Namespace) -> str | None:
    """Return the data set that the words give to a MODEL; None: its own."""
    source: str | None = arguments.own_data.get(model, arguments.data)
    return source


def parsed(parser: argparse.ArgumentParser, words: Sequence[str]) -> argparse.Namespace:
    """Parse the words of a command. Where it takes several MODELs, each --data belongs to the MODEL before
    it, and options may stand between MODELs.

    >>> parser = argparse.ArgumentParser()
    >>> _ = parser.add_argument("models", nargs="*")
    >>> add_data(parser, several=True)
    >>> arguments = parsed(parser, ["a", "--data", "x", "b", "c", "--data", "y"])
    >>> [data_of(model, arguments) for model in arguments.models]
    ['x', None, 'y']

    Raises:
        ExplorerError: a MODEL has two data sets.
    """
    free = [action for action in parser._actions if not action.option_strings]
    if not free or free[-1].nargs not in SEVERAL or OPTION not in parser._option_string_actions:
        return parser.parse_args(words)
    before = len(free) - 1  # words such as the QUESTION of a study
    names: list[str] = []
    options: list[str] = []
    sources: dict[str | None, str] = {}  # MODEL -> its data set; None: of all others
    for word, values in _taken(parser, words):
        if not word.startswith("-"):
            names.append(word)
        elif word == OPTION and values:
            model = names[-1] if len(names) > before else None
            _check(model, values[0], sources)
            sources[model] = values[0]
        else:
            options += [word, *values]
    for model in {name for name in names[before:] if names.count(name) > 1} & set(sources):
        raise ExplorerError(f"{model!r} is named twice, once with its own --data; name each MODEL once.")
    arguments = parser.parse_args([*names, *options])
    arguments.data = sources.pop(None, None)
    arguments.own_data = sources
    return arguments


def _check(model: str | None, source: str, sources: dict[str | None, str]) -> None:
    if model in sources:
        whose = f"{model!r} has" if model is not None else "Before the first MODEL there are"
        raise ExplorerError(f"{whose} two --data, {sources[model]!r} and {source!r}; give one of them.")


def _taken(parser: argparse.ArgumentParser, words: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """Yield each free word, and each option with its value, if it takes one."""
    options, left = parser._option_string_actions, list(words)
    while left:
        word = left.pop(0)
        name, equals, value = word.partition("=")
        if name == OPTION and equals:
            yield name, [value]
        elif word in options and options[word].nargs != 0 and left and left[0] not in options:
            yield word, [left.pop(0)]
        else:
            yield word, []
