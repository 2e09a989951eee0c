"""The parameters of criteria and allocators as flags, taken from the signature of each plug-in."""

import argparse
from typing import Any

from ...registry import ALLOCATORS, CRITERIA, Param, Plugin, Registry

FAMILIES: dict[str, Registry] = {"criterion": CRITERIA, "allocator": ALLOCATORS}


def add_parameters(parser: argparse.ArgumentParser) -> None:
    """Add a flag for each parameter of a plug-in; if the name is taken, the flag is --criterion-NAME or
    --allocator-NAME.
    """
    for family, registry in FAMILIES.items():
        for name, owners in _owners(registry).items():
            flag = f"--{name.replace('_', '-')}"
            flag = f"--{family}-{flag[2:]}" if flag in parser._option_string_actions else flag
            parser.add_argument(
                flag, dest=_dest(family, name), metavar="VALUE", help=f"of {family} {', '.join(owners)}"
            )


def _owners(registry: Registry) -> dict[str, list[str]]:
    """Return, for each parameter, the plug-ins that have it."""
    owners: dict[str, list[str]] = {}
    for name, plugin in registry.items():
        for param in plugin.params:
            owners.setdefault(param, []).append(name)
    return owners


def _dest(family: str, name: str) -> str:
    return f"{family}_parameter_{name}"


def given_parameters(arguments: argparse.Namespace, family: str) -> dict[str, str]:
    """Return the parameters that were given, with their text."""
    start = _dest(family, "")
    own = {
        name.removeprefix(start): value for name, value in vars(arguments).items() if name.startswith(start)
    }
    return {name: value for name, value in own.items() if value is not None}


def checked_parameters(plugin: Plugin, given: dict[str, str]) -> dict[str, Any]:
    """Return the value of each given parameter.

    Raises:
        UnknownNameError, RecipeError: the plug-in has no such parameter, or its value is not allowed.
    """
    known = plugin.params
    return plugin.check(
        {name: _parsed(known[name], text) if name in known else text for name, text in given.items()}
    )


def _parsed(param: Param, text: str) -> Any:
    """Convert the text to the parameter's type. Text that cannot be converted is returned as it is, and the
    check then refuses it.
    """
    for choice in param.choices:
        if str(choice) == text:
            return choice
    if param.kind is bool:
        return {"true": True, "false": False}.get(text.lower(), text)
    try:
        return param.kind(text)
    except ValueError:
        return text
