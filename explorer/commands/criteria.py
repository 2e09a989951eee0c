"""List the criteria."""

import argparse
from typing import Any

from ..registry import CRITERIA, Param, Plugin
from .printing.output import print_json, show, table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="one JSON document instead of text")


def facts(plugin: Plugin) -> dict[str, Any]:
    """Return a plug-in with its traits and parameters as JSON data."""
    params = [_param(param) for param in plugin.params.values()]
    return {"name": plugin.name, "description": plugin.tooltip, **plugin.traits, "params": params}


def _param(param: Param) -> dict[str, Any]:
    return {
        "name": param.name,
        "type": param.kind.__name__,
        "default": param.default,
        "choices": list(param.choices),
    }


def run(arguments: argparse.Namespace) -> None:
    """Print every criterion with the first line of its docstring."""
    if arguments.json:
        return print_json([facts(plugin) for plugin in CRITERIA.values()])
    rows = [[p.name, p.traits["level"], p.tooltip] for p in CRITERIA.values()]
    return show(table(["criterion", "rates", "what it does"], rows))
