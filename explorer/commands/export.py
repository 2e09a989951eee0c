"""Write the pruned model, or its recipe, to a file."""

import argparse

from ..errors import ExplorerError
from ..exporters.export import export
from ..exporters.recovered_model import export_recovered
from ..graph.analysed import Analysed
from ..machine import paths
from ..registry import EXPORTERS
from ..runs.store import Store
from .arguments.model import add_model, opened, set_up
from .arguments.recipe import add_recipe, recipe_of
from .printing.files import place_for_a_file, write
from .printing.output import note


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_model(parser)
    add_recipe(parser)
    formats = f"{', '.join(EXPORTERS)} (default: safetensors, a zip)"
    parser.add_argument("--format", default="safetensors", metavar="NAME", help=formats)
    told = (
        "the recovered model of this kept run (the first letters of its name are enough), instead of a recipe"
    )
    parser.add_argument("--run", metavar="NAME", help=told)
    parser.add_argument(
        "-o", "--output", type=place_for_a_file, required=True, metavar="PATH", help="the file to write"
    )


def run(arguments: argparse.Namespace) -> None:
    """Write the file. It contains exactly the model that `prune` measures.

    Raises:
        ExplorerError: the model, recipe, run or format is not valid, or the file cannot be written.
    """
    EXPORTERS[arguments.format]
    set_up()
    model = opened(arguments)
    if arguments.run:
        write(arguments.output, _recovered(model, arguments.run, arguments.format))
        return
    recipe = recipe_of(arguments, model)
    write(arguments.output, export(model, recipe, arguments.format, say=note))


def _recovered(model: Analysed, name: str, format: str) -> bytes:
    store = Store(paths.cache())
    run = store.run(store.full_name(name))
    if run is None or run.recovery is None:
        raise ExplorerError(
            f"There is no kept run {name!r} of a recovered model; keep one with recover --keep."
        )
    if run.report.subject["id"] not in model.subject.ids:
        raise ExplorerError(
            f"Run {name!r} is of {str(run.report.subject.get('name'))[:80]!r}, or of other weights than "
            "these."
        )
    return export_recovered(model, run.recovery.recovery, format, report=run.report)
