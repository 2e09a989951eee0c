"""Accuracy against size along one profile, from dense to its full strength."""

import argparse
from collections.abc import Sequence
from dataclasses import replace

from ..curves import QUICK, strength_curve
from ..engine import Conditions
from ..errors import ExplorerError
from ..graph.export import ModelGraph
from ..values import Recipe, Report
from .model import add_model, opened, set_up
from .output import percent, print_json, progress, table
from .prune import add_conditions
from .recipe import add_recipe, recipe_of
from .report_text import accuracy

FULL = 0.9  # ratio of every part at full strength where the flags name no recipe
POINTS = 9


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_model(parser)
    add_recipe(parser)
    parser.add_argument(
        "--points", type=int, default=POINTS, metavar="N", help=f"from dense to full strength (default: {POINTS})"
    )
    add_conditions(parser)
    parser.set_defaults(samples=QUICK.samples)


def run(arguments: argparse.Namespace) -> None:
    """Print a point for each strength; without a recipe every channel group (or layer) goes up to 90 %.

    Raises:
        ExplorerError: the model or the recipe are not as they must be.
    """
    if not 2 <= arguments.points <= 101:
        raise ExplorerError(f"--points must be from 2 to 101, got {arguments.points}.")
    device = set_up(arguments.device)
    subject, graph = opened(arguments)
    recipe = recipe_of(arguments, subject, graph)
    recipe = _full(recipe, graph) if recipe.is_empty else recipe
    strengths = [i / (arguments.points - 1) for i in range(arguments.points)]
    reports: tuple[Report, ...] = ()
    for reports in strength_curve(subject, graph, recipe, Conditions(arguments.samples, device=device), strengths):
        progress(f"{len(reports)} of {len(strengths)} points")
    progress("")
    if arguments.json:
        points = [{"strength": s, "report": report.to_json()} for s, report in zip(strengths, reports, strict=True)]
        return print_json({"model": subject.name, "recipe": recipe.to_json(), "points": points})
    return print(curve_text(strengths, reports))


def _full(recipe: Recipe, graph: ModelGraph) -> Recipe:
    """Every group at the default strength; every layer where a model has no groups."""
    if graph.profile.free_groups:
        return replace(recipe, channels=dict.fromkeys(graph.profile.free_groups, FULL))
    return replace(recipe, weights=dict.fromkeys(graph.profile.prunable_layers, FULL))


def curve_text(strengths: Sequence[float], reports: Sequence[Report]) -> str:
    """A line a point."""
    rows = []
    for strength, report in zip(strengths, reports, strict=True):
        pruned = report.pruned
        size = (pruned.size_bytes or {}).get("deflate")
        rows.append([percent(strength), accuracy(pruned, report.total_samples), pruned.nonzero_params, pruned.macs, size])
    return table(["strength", "accuracy", "not zero", "MACs", "bytes, compressed"], rows)
