"""Plan a saving over blocks, channels and single weights together."""

import argparse
import json

from ..engine.conditions import Conditions
from ..engine.measure import stream
from ..measuring.metric_words import metric_title
from ..planning.joint_plan import SAVES, JointWish, joint_plan, predicted_loss
from ..planning.latency_plan import timed
from ..studies.joint_losses import joint_losses
from ..values.granularity import BLOCK, CHANNEL, GRANULARITIES
from ..values.progress import as_work
from ..values.recipe import check_ratio
from ..values.report import Report
from ..values.subject import OF_CLASSES
from .arguments.conditions import add_conditions
from .arguments.model import add_model, opened, set_up
from .arguments.recipe import add_recipe, kinds_from, recipe_of
from .printing.files import place_for_a_file, write
from .printing.output import counted, followed, print_json, show
from .printing.report_text import report_text

USUAL = f"{BLOCK},{CHANNEL}"
COUNTED = (
    "The plan counts multiply-adds with zero weights as saved. A dense kernel still computes them, so the "
    "MACs in the report fall with blocks and channels alone."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_model(parser)
    add_recipe(parser)
    add_conditions(parser)
    add = parser.add_argument
    add("--target", type=float, required=True, metavar="X", help="fraction of the cost that is removed")
    add("--cost", choices=SAVES, default="params", help="what is saved (default: params)")
    add(
        "--over",
        default=USUAL,
        metavar="KIND,...",
        help=f"what is spent on: some of {', '.join(GRANULARITIES)} (default: {USUAL})",
    )
    add("--save-recipe", type=place_for_a_file, metavar="FILE", help="write the resulting recipe as JSON")


def run(arguments: argparse.Namespace) -> None:
    """Print the plan's Report. Scans of channels and weights are kept on disk; blocks are measured now.

    Raises:
        ExplorerError: the model, the recipe or the data are not valid, or the target cannot be reached.
    """
    device = set_up(arguments.device)
    check_ratio("the plan", arguments.target)
    model, kinds = opened(arguments), kinds_from(arguments.over)
    recipe = recipe_of(arguments, model)
    conditions = Conditions(arguments.samples, device=device, dtype=arguments.dtype, latency=False)
    losses = followed(as_work(joint_losses(model, recipe, kinds, conditions)), counted)
    wish = JointWish(losses, arguments.target, arguments.cost)
    work = timed(model, lambda: joint_plan(model, recipe, wish, device), device)
    planned = followed(as_work(work), counted)
    report = followed(stream(model, planned, conditions), counted)
    if arguments.save_recipe:
        write(arguments.save_recipe, (json.dumps(planned.to_json(), indent=1) + "\n").encode())
    predicted = predicted_loss(planned, losses)
    note = COUNTED if arguments.cost == "macs" and planned.weights else ""
    if arguments.json:
        document = {
            "recipe": planned.to_json(),
            "predicted_loss_growth": predicted,
            "report": report.to_json(),
        }
        about = {"target": arguments.target, "saves": arguments.cost, "over": kinds, "note": note}
        return print_json({**about, **document})
    sentence = f"The scans of single parts add up to {predicted:+.3f} {_unit(report)}. {note}".rstrip()
    return show(f"{report_text(report)}\n\n{sentence}")


def _unit(report: Report) -> str:
    dense = report.baseline
    if dense.loss is None:
        return f"of {metric_title(dense.metric or 'accuracy')}, more being worse"
    return "nats of loss" if dense.metric in (None, *OF_CLASSES) else "of loss"
