"""List the metrics."""

import argparse
from typing import Any

from ..registry import METRICS, Plugin
from .criteria import add_arguments
from .criteria import facts as plugin_facts
from .printing.output import print_json, show, table

__all__ = ["add_arguments", "run"]


def facts(plugin: Plugin) -> dict[str, Any]:
    """Return a metric with its direction, unit and parameters as JSON data."""
    made = plugin()
    own = {
        "title": made.title,
        "better": made.better,
        "unit": made.unit,
        "margin": made.margin,
        "margin_is_relative": made.is_relative,
        "needs": made.needs,
    }
    return {**plugin_facts(plugin), **own}


def margin_text(found: dict[str, Any]) -> str:
    """Return the change below which a difference does not matter, as text.

    >>> margin_text({"margin": 0.02, "margin_is_relative": True, "unit": ""})
    '2 %'
    """
    if found["margin_is_relative"]:
        return f"{found['margin'] * 100:g} %"
    return f"{found['margin'] * 100:g} points" if found["unit"] == "%" else f"{found['margin']:g}"


def run(arguments: argparse.Namespace) -> None:
    """Print every metric with the first paragraph of its docstring."""
    found = [facts(plugin) for plugin in METRICS.values()]
    if arguments.json:
        return print_json(found)
    rows = [
        [
            f["name"],
            f"{f['better']} is better",
            f["unit"] or "-",
            margin_text(f),
            f["needs"],
            f["description"],
        ]
        for f in found
    ]
    return show(table(["metric", "direction", "unit", "equivalent within", "needs", "what it does"], rows))
