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
    metric = plugin()
    own = {
        "title": metric.title,
        "better": metric.better,
        "unit": metric.unit,
        "margin": metric.margin,
        "margin_is_relative": metric.is_relative,
        "needs": metric.needs,
    }
    return {**plugin_facts(plugin), **own}


def margin_text(metric: dict[str, Any]) -> str:
    """Return the change below which a difference does not matter, as text.

    >>> margin_text({"margin": 0.02, "margin_is_relative": True, "unit": ""})
    '2 %'
    """
    if metric["margin_is_relative"]:
        return f"{metric['margin'] * 100:g} %"
    return f"{metric['margin'] * 100:g} points" if metric["unit"] == "%" else f"{metric['margin']:g}"


def run(arguments: argparse.Namespace) -> None:
    """Print every metric with the first paragraph of its docstring."""
    metrics = [facts(plugin) for plugin in METRICS.values()]
    if arguments.json:
        return print_json(metrics)
    rows = [
        [
            metric["name"],
            f"{metric['better']} is better",
            metric["unit"] or "-",
            margin_text(metric),
            metric["needs"],
            metric["description"],
        ]
        for metric in metrics
    ]
    return show(table(["metric", "direction", "unit", "equivalent within", "needs", "what it does"], rows))
