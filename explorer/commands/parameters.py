"""A criterion's own parameters as flags: the signature of the plug-in is the form."""

import argparse
from typing import Any

from ..registry import CRITERIA, Param

PREFIX = "parameter_"  # of the parsed arguments that belong to a criterion


def add_parameters(parser: argparse.ArgumentParser) -> None:
    """A flag for each parameter of a criterion; one that is taken becomes --criterion-NAME."""
    owners: dict[str, list[str]] = {}
    for criterion, plugin in CRITERIA.items():
        for name in plugin.params:
            owners.setdefault(name, []).append(criterion)
    taken = set(parser._option_string_actions)
    for name, criteria in owners.items():
        flag = f"--{name.replace('_', '-')}"
        flag = f"--criterion-{flag[2:]}" if flag in taken else flag
        parser.add_argument(flag, dest=PREFIX + name, metavar="VALUE", help=f"of criterion {', '.join(criteria)}")


def given_parameters(arguments: argparse.Namespace) -> dict[str, str]:
    """Parameter -> text, of those that were given."""
    own = {name.removeprefix(PREFIX): value for name, value in vars(arguments).items() if name.startswith(PREFIX)}
    return {name: value for name, value in own.items() if value is not None}


def checked_parameters(criterion: str, given: dict[str, str]) -> dict[str, Any]:
    """Parameter -> value.

    Raises:
        UnknownNameError, RecipeError: the criterion has no such parameter, or its value is not allowed.
    """
    plugin = CRITERIA[criterion]
    known = plugin.params
    return plugin.check({name: _parsed(known[name], text) if name in known else text for name, text in given.items()})


def _parsed(param: Param, text: str) -> Any:
    """The text as the parameter's type; what cannot be read stays a text, which the check then refuses."""
    for choice in param.choices:
        if str(choice) == text:
            return choice
    if param.kind is bool:
        return {"true": True, "false": False}.get(text.lower(), text)
    try:
        return param.kind(text)
    except ValueError:
        return text
