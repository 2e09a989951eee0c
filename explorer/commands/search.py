"""Search for the best trade-offs between quality and cost, over the ratios of all parts."""

import argparse
import json
from typing import Any, cast

from ..engine.conditions import Conditions
from ..measuring.metric_words import metric_title
from ..measuring.number_words import change_words, format_drop, format_measured
from ..runs.held_out import has_held_out
from ..studies.search_trials import COSTS, Search, SearchPlan, Trial
from ..studies.search_winner import check_winner
from ..values.granularity import GRADED
from ..values.progress import outcome
from ..values.report import Report
from .arguments.cluster import add_cluster, studies_of
from .arguments.conditions import add_conditions
from .arguments.model import add_model, opened, set_up
from .arguments.recipe import add_recipe, recipe_of
from .printing.files import place_for_a_file, write
from .printing.output import note, percent, print_json, progress, show, table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    usual = SearchPlan()
    add_model(parser)
    add_recipe(parser)
    add_conditions(parser)
    add_cluster(parser)
    add = parser.add_argument
    add(
        "--trials",
        type=int,
        default=usual.trials,
        metavar="N",
        help=f"trials in total, over all runs of this command (default: {usual.trials})",
    )
    add("--cost", choices=COSTS, default=usual.cost, help=f"what to lower (default: {usual.cost})")
    add(
        "--granularity",
        choices=GRADED,
        default=usual.granularity,
        help="what is removed (default: channel)",
    )
    add(
        "--largest-drop",
        type=float,
        default=usual.largest_drop,
        metavar="X",
        help=(
            "what the winner may lose: a fraction such as 0.01 of accuracy, or of the dense model's value of "
            f"other metrics (default: {usual.largest_drop})"
        ),
    )
    add("--search-seed", type=int, default=usual.seed, metavar="N", help="of the optimiser (default: 0)")
    add("--no-held-out", action="store_true", help="do not open the held-out data for the winner")
    add("--save-recipe", type=place_for_a_file, metavar="FILE", help="write the winner's recipe as JSON")


def run(arguments: argparse.Namespace) -> None:
    """Print the front and the winner. After Ctrl+C the same command continues where it was.

    Raises:
        ExplorerError: the model, the recipe or the data are not valid, or optuna is missing.
    """
    device = set_up(arguments.device)
    plan = SearchPlan(
        arguments.trials, arguments.cost, arguments.granularity, arguments.largest_drop, arguments.search_seed
    )
    model = opened(arguments)
    conditions = Conditions(arguments.samples, device=device, latency=False, dtype=arguments.dtype)
    result = Search(plan, ())
    with studies_of(arguments) as studies:
        for step in studies.search(model, recipe_of(arguments, model), plan, conditions):
            result = step.value or result
            measured = f"{len(result.trials):,} of {plan.trials:,} trials measured"
            progress(f"{measured}, {len(result.front)} on the front")
    progress("")
    for text in result.notes:
        note(text)
    checked: Report | None = None
    if result.winner is not None and not arguments.no_held_out and has_held_out(model.subject):
        checked = outcome(check_winner(model, result, conditions))
    if result.winner is not None and arguments.save_recipe:
        write(arguments.save_recipe, (json.dumps(result.winner.recipe.to_json(), indent=1) + "\n").encode())
    if arguments.json:
        return print_json(as_json(result, checked))
    return show(_text(result, checked))


def as_json(result: Search, checked: Report | None) -> dict[str, Any]:
    """Return every trial, which of them are on the front, and the winner with both of its numbers, as JSON
    data.
    """
    return {
        "plan": vars(result.plan),
        "trials": [trial.to_json() for trial in result.trials],
        "front": [trial.number for trial in result.front],
        "winner": result.winner.to_json() if result.winner else None,
        "held_out": checked.to_json() if checked else None,
    }


def _text(result: Search, checked: Report | None) -> str:
    if result.winner is None:
        note(f"There is no trial in which {result.limit}; allow more, or run more trials.")
    rows = [_row(trial, result.winner) for trial in result.front]
    metric = metric_title(result.trials[0].scale.metric if result.trials else "accuracy")
    front = table([f"{result.plan.cost} left", f"{metric}, tuning", "change", "proposed by", ""], rows)
    return "\n".join([front, *_winner(result.winner, checked)])


def _row(trial: Trial, winner: Trial | None) -> list[str]:
    change = change_words(trial.drop).interval
    measured = format_measured(trial.measured, trial.total)
    return [percent(trial.cost), measured, change, trial.origin, "winner" if trial == winner else ""]


def _winner(winner: Trial | None, checked: Report | None) -> list[str]:
    """Return both numbers of the winner: the one that it was chosen by, and the one that was measured
    afterwards.
    """
    if winner is None or checked is None or checked.drop is None:
        return []
    measured, total = checked.pruned, cast(int, checked.total_samples)
    after = format_measured(measured, total)
    return [
        "",
        f"Winner, on the tuning split by which it was chosen: {format_drop(winner.drop)}",
        f"Winner, on held-out data, measured once: {after}; {format_drop(checked.drop)}",
        *(text for text in checked.notes if text.startswith("Held-out")),
    ]
