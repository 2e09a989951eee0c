"""List the allocators."""

import argparse

from ..registry import ALLOCATORS
from .criteria import add_arguments, facts
from .printing.output import print_json, show, table

__all__ = ["add_arguments", "run"]


def run(arguments: argparse.Namespace) -> None:
    """Print every allocator with the first line of its docstring."""
    if arguments.json:
        return print_json([facts(plugin) for plugin in ALLOCATORS.values()])
    return show(table(["allocator", "what it does"], [[p.name, p.tooltip] for p in ALLOCATORS.values()]))
