"""Prune a model and measure it: recipe in, Report out."""

import argparse
import json
from dataclasses import replace

from ..engine.conditions import Conditions
from ..engine.measure import stream
from ..engine.until_resolved import resolve
from ..machine import paths
from ..pruning.decision import calibrate, masks_for
from ..runs.held_out import held_out
from ..runs.replay import masks_fingerprint
from ..runs.store import Store
from ..values.progress import progress_of, values_of
from .arguments.conditions import add_conditions
from .arguments.model import add_model, opened, set_up
from .arguments.recipe import add_recipe, recipe_of
from .printing.files import place_for_a_file, write
from .printing.output import note, print_json, progress, show
from .printing.report_text import quality, report_text


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_model(parser)
    add_recipe(parser)
    add_conditions(parser)
    parser.add_argument(
        "--held-out", action="store_true", help="measure on held-out data; each opening is counted"
    )
    parser.add_argument(
        "--no-latency", action="store_true", help="do not measure latency, which takes some seconds"
    )
    parser.add_argument(
        "--until-resolved",
        action="store_true",
        help="continue until there is a verdict; each extra look makes the test stricter",
    )
    parser.add_argument(
        "--repaired",
        action="store_true",
        help="also measure the same cut repaired by least squares, next to the cut alone",
    )
    parser.add_argument(
        "--save-recipe", type=place_for_a_file, metavar="FILE", help="write the recipe as JSON"
    )
    parser.add_argument("--keep", metavar="NOTE", help="keep the run on this machine, for the Compare page")


def run(arguments: argparse.Namespace) -> None:
    """Print the Report.

    Raises:
        ExplorerError: the model, the recipe or the data are not valid.
    """
    device = set_up(arguments.device)
    model = opened(arguments)
    recipe = recipe_of(arguments, model)
    if arguments.save_recipe:
        write(arguments.save_recipe, (json.dumps(recipe.to_json(), indent=1) + "\n").encode())
    conditions = Conditions(
        arguments.samples,
        "tuning",
        device,
        not arguments.no_latency,
        dtype=arguments.dtype,
        repaired=arguments.repaired,
    )
    opening = None
    if arguments.held_out:
        conditions, opening = held_out(model.subject, conditions, Store(paths.cache()))
    for now in progress_of(calibrate(model, recipe, device)):
        progress(f"{now.label}: {now.done} of {now.total}")
    measure = resolve if arguments.until_resolved else stream
    for report in values_of(measure(model, recipe, conditions)):
        progress(f"{model.subject.name}: {quality(report.pruned, report.total_samples)}")
    progress("")
    report = replace(report, notes=(*report.notes, opening)) if opening else report
    if arguments.keep is not None:
        masks = masks_fingerprint(masks_for(model, recipe))
        note(f"Kept as run {Store(paths.cache()).put(report, note=arguments.keep, masks=masks)}.")
    return print_json(report.to_json()) if arguments.json else show(report_text(report))
