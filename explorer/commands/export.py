"""Write the pruned model, or its recipe, to a file."""

import argparse

from ..exporters import export
from ..registry import EXPORTERS
from .model import add_model, opened, set_up
from .output import note
from .prune import write
from .recipe import add_recipe, recipe_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_model(parser)
    add_recipe(parser)
    formats = f"{', '.join(EXPORTERS)} (default: safetensors, a zip)"
    parser.add_argument("--format", default="safetensors", metavar="NAME", help=formats)
    parser.add_argument("-o", "--output", required=True, metavar="PATH", help="the file to write")


def run(arguments: argparse.Namespace) -> None:
    """Write the file; it holds the very model that `prune` measures.

    Raises:
        ExplorerError: the model, recipe or format are not as they must be, or the file cannot be written.
    """
    EXPORTERS[arguments.format]
    set_up()
    subject, graph = opened(arguments)
    recipe = recipe_of(arguments, subject, graph)
    write(arguments.output, export(subject, graph, recipe, arguments.format, say=note))
