"""Find the smallest model within an accuracy budget by measuring."""

import argparse
import json
from typing import Any

from ..engine.conditions import Conditions
from ..errors import ExplorerError
from ..graph.analysed import Analysed
from ..measuring.metric_words import metric_title
from ..measuring.number_words import change_words, format_measured
from ..planning.accuracy_budget import LOOKS, Budget, accuracy_budget, check_budget, is_within
from ..planning.allocation import Allocation
from ..planning.joint_plan import SAVES, JointWish
from ..studies.joint_losses import joint_losses
from ..values.choice import Choice
from ..values.granularity import CHANNEL, GRADED, GRANULARITIES
from ..values.progress import as_work
from ..values.recipe import Recipe
from .arguments.conditions import add_conditions
from .arguments.model import add_model, opened, set_up
from .arguments.recipe import add_recipe, allocator_of, kinds_from, losses_for, recipe_of
from .printing.files import place_for_a_file, write
from .printing.output import counted, followed, percent, print_json, progress, show, table
from .printing.report_text import loss_text

USUAL = "global_threshold"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_model(parser)
    add_recipe(parser)
    add_conditions(parser)
    add = parser.add_argument
    add(
        "--largest-drop",
        type=float,
        required=True,
        metavar="X",
        help=(
            "what you can afford to lose: a fraction such as 0.01 of accuracy, or of the dense model's value "
            "of other metrics"
        ),
    )
    add(
        "--granularity",
        choices=GRADED,
        default=CHANNEL,
        help="what is removed (default: channel)",
    )
    add(
        "--over",
        metavar="KIND,...",
        help=f"instead of an allocator, spend over several kinds: some of {', '.join(GRANULARITIES)}",
    )
    add("--cost", choices=SAVES, default=SAVES[0], help=f"with --over: what is saved (default: {SAVES[0]})")
    add(
        "--looks",
        type=int,
        default=LOOKS,
        metavar="N",
        help=f"measure at most this many models (default: {LOOKS})",
    )
    add("--save-recipe", type=place_for_a_file, metavar="FILE", help="write the resulting recipe as JSON")


def run(arguments: argparse.Namespace) -> None:
    """Print what was tried and the smallest model within the budget. The ratios of the searched kind are
    chosen again.

    Raises:
        ExplorerError: the model, the recipe or the data are not valid, or no model could be shown to be
            within the budget.
    """
    device = set_up(arguments.device)
    model = opened(arguments)
    recipe = recipe_of(without_allocator(arguments), model)
    conditions = Conditions(arguments.samples, device=device, dtype=arguments.dtype)
    check_budget(model.subject, arguments.largest_drop, arguments.looks)
    budget: Budget | None = None
    for step in accuracy_budget(
        model,
        recipe,
        arguments.largest_drop,
        _wish(arguments, model, recipe, conditions),
        conditions=conditions,
        looks=arguments.looks,
    ):
        budget = step.value or budget
        words = step.value.summary if step.value else step.progress.label if step.progress else ""
        progress(f"{model.subject.name}: {words}")
    progress("")
    assert budget is not None
    if arguments.save_recipe and budget.report is not None:
        write(arguments.save_recipe, (json.dumps(budget.report.recipe.to_json(), indent=1) + "\n").encode())
    if arguments.json:
        print_json(as_json(budget))
    else:
        show(_text(budget))
    if budget.best is None:
        raise ExplorerError(budget.summary)


def _wish(
    arguments: argparse.Namespace, model: Analysed, recipe: Recipe, conditions: Conditions
) -> Allocation | JointWish:
    """Return what is searched, after any scan that it needs."""
    if arguments.over is not None:
        if arguments.allocator is not None:
            raise ExplorerError("Give either --over or --allocator: a plan over several kinds has its own.")
        kinds = kinds_from(arguments.over)
        work = joint_losses(model, recipe, kinds, conditions)
        return JointWish(followed(as_work(work), counted), saves=arguments.cost)
    name, params = allocator_of(arguments, USUAL)
    losses = losses_for(arguments, model, recipe, name, arguments.granularity)
    return Allocation(Choice(name, params), granularity=arguments.granularity, losses=losses)


def without_allocator(arguments: argparse.Namespace) -> argparse.Namespace:
    """Return the arguments as if no allocator and no allocator parameter had been given."""
    none = {name: None for name in vars(arguments) if name.startswith("allocator")}
    return argparse.Namespace(**{**vars(arguments), **none})


def as_json(budget: Budget) -> dict[str, Any]:
    """Return every look and the best model as JSON data."""
    tried = [{"target": target, "report": report.to_json()} for target, report in budget.tried.items()]
    return {
        "largest_drop": budget.allowed,
        "level": budget.level,
        "looks": budget.looks,
        "best": budget.best,
        "summary": budget.summary,
        "tried": tried,
    }


def _text(budget: Budget) -> str:
    rows = [_row(target, budget) for target in sorted(budget.tried)]
    first = next((report.pruned.metric for report in budget.tried.values()), None)
    columns = ["removed", metric_title(first or "accuracy"), "change", "loss", "parameters left", "within"]
    return table(columns, rows) + (f"\n\n{budget.summary}" if budget.best is not None else "")


def _row(target: float, found: Budget) -> list[str]:
    report = found.tried[target]
    measured, drop = report.pruned, report.drop
    left = (measured.nonzero_params or 0) / (report.baseline.params or 1)
    within = is_within(report, found.allowed)
    change = change_words(drop).interval if drop else "-"
    accuracy = format_measured(measured, report.total_samples)
    return [
        percent(target),
        accuracy,
        change,
        loss_text(measured) or "-",
        percent(left),
        "yes" if within else "no",
    ]
