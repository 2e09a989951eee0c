"""Measure accuracy against size for one recipe, for an allocator's targets, or for channels and single
weights side by side.
"""

import argparse
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import replace

from ..engine.conditions import Conditions
from ..errors import ExplorerError
from ..graph.analysed import Analysed
from ..graph.export import ModelGraph
from ..measuring.metric_words import metric_title
from ..studies.accuracy_curves import (
    QUICK,
    Family,
    Lines,
    by_chance,
    scaled,
    structured_and_unstructured,
    swept,
    timed,
)
from ..values.granularity import CHANNEL, GRADED, PLURALS, WEIGHT, Graded
from ..values.recipe import Recipe
from ..values.subject import Subject
from .arguments.cluster import add_cluster, studies_of
from .arguments.conditions import add_conditions
from .arguments.model import add_model, opened, set_up
from .arguments.recipe import add_recipe, one_ratio, recipe_of
from .printing.output import counted, followed, percent, print_json, show, table
from .printing.report_text import loss_text, quality

FULL = 0.9  # ratio of every part at full strength if the flags give no recipe
POINTS = 9
KINDS = {
    "strength": "the recipe from dense to its full strength",
    "target": "an allocator's target",
    "granularity": "channels and single weights under the same allocator",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_model(parser)
    add_recipe(parser)
    add = parser.add_argument
    about = "; ".join(f"{kind}: {words}" for kind, words in KINDS.items())
    add("--along", choices=tuple(KINDS), default="strength", help=f"{about} (default: strength)")
    add(
        "--points",
        type=int,
        default=POINTS,
        metavar="N",
        help=f"from dense to full strength (default: {POINTS})",
    )
    add("--control", action="store_true", help="next to each line, the same with units chosen at random")
    add("--latency", action="store_true", help="also time each point, alternating with the dense model")
    add_conditions(parser)
    add_cluster(parser)
    parser.set_defaults(samples=QUICK.samples)


def run(arguments: argparse.Namespace) -> None:
    """Print a line for each point. Without a recipe every channel group (or layer) is pruned up to 90 %.

    Raises:
        ExplorerError: the model or the recipe is not valid.
    """
    if not 2 <= arguments.points <= 101:
        raise ExplorerError(f"--points must be from 2 to 101, got {arguments.points}.")
    timing = set_up(arguments.device) if arguments.latency else set_up()
    model = opened(arguments)
    recipe, families = _families(arguments, model)
    families += [by_chance(family) for family in families] if arguments.control else []
    with studies_of(arguments) as studies:
        device = studies.device(arguments.device)
        conditions = Conditions(arguments.samples, device=device, dtype=arguments.dtype)
        lines = followed(studies.curves(model, families, conditions), counted)
    if arguments.latency:
        lines = followed(timed(model, lines, timing), counted)
    if arguments.json:
        return print_json(_document(model.subject, recipe, arguments.along, families, lines))
    return show("\n\n".join(_text(arguments.along, family, lines) for family in families))


def _families(arguments: argparse.Namespace, model: Analysed) -> tuple[Recipe, list[Family]]:
    """Return the full recipe, and the families of recipes to measure."""
    shares = [i / (arguments.points - 1) for i in range(arguments.points)]
    if arguments.along == "strength":
        recipe = recipe_of(arguments, model)
        recipe = _full(recipe, model.graph) if recipe.is_empty else recipe
        return recipe, [scaled(recipe, shares)]
    settings = copy(arguments)
    settings.channels = settings.weights = settings.allocator = None
    recipe, allocator = recipe_of(settings, model), arguments.allocator or "uniform"
    top = {kind: _top(getattr(arguments, PLURALS[kind]), allocator) for kind in GRADED}
    if arguments.along == "granularity":
        targets = [share * (top[CHANNEL] or top[WEIGHT] or FULL) for share in shares]
        return recipe, list(structured_and_unstructured(model, recipe, allocator, targets))
    is_weight = arguments.channels is None and (
        arguments.weights is not None or not model.profile.free_groups
    )
    kind: Graded = WEIGHT if is_weight else CHANNEL
    return recipe, [swept(model, recipe, allocator, kind, [share * (top[kind] or FULL) for share in shares])]


def _top(text: str | None, allocator: str) -> float | None:
    return None if text is None else one_ratio(text, allocator)


def _full(recipe: Recipe, graph: ModelGraph) -> Recipe:
    """Return the default full strength: every group, or every layer if the model has no groups."""
    if graph.profile.free_groups:
        return replace(recipe, channels=dict.fromkeys(graph.profile.free_groups, FULL))
    return replace(recipe, weights=dict.fromkeys(graph.profile.prunable_layers, FULL))


# --------------------------------------------------------------------------- output


def _document(
    subject: Subject, recipe: Recipe, along: str, families: Sequence[Family], lines: Lines
) -> Mapping[str, object]:
    step = "strength" if along == "strength" else "target"
    drawn = []
    for family in families:
        points = zip(family.steps, lines[family.name], strict=True)
        drawn.append(
            {
                "name": family.name,
                "points": [{step: value, "report": report.to_json()} for value, report in points],
            }
        )
    return {
        "model": subject.name,
        "recipe": recipe.to_json(),
        "along": along,
        "points": drawn[0]["points"],
        "lines": drawn,
    }


def _text(along: str, family: Family, lines: Lines) -> str:
    """Return a line for each point, under the family's name where it isn't obvious."""
    reports, rows = lines[family.name], []
    times = any(report.pruned.latency_ms for report in reports)
    for step, report in zip(family.steps, reports, strict=True):
        pruned = report.pruned
        size, latency = (pruned.size_bytes or {}).get("deflate"), (pruned.latency_ms or {}).get("median")
        row = [
            percent(step),
            quality(pruned, report.total_samples),
            loss_text(pruned),
            pruned.nonzero_params,
            pruned.macs,
            size,
        ]
        rows.append([*row, f"{latency:.2f}" if latency is not None else None] if times else row)
    columns = [
        "strength" if along == "strength" else "target",
        metric_title(reports[0].pruned.metric or "accuracy") if reports else "accuracy",
        "loss",
        "non-zero",
        "MACs",
        "bytes, compressed",
    ]
    heading = "" if len(lines) == 1 and along == "strength" else f"{family.name}\n"
    return heading + table([*columns, *(["latency, ms"] if times else [])], rows)
