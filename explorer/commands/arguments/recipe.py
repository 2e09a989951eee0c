"""--channels, --weights and the other recipe options: from arguments to a Recipe."""

import argparse
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from ...allocators.context import Losses
from ...engine.conditions import Conditions
from ...errors import ExplorerError, RecipeError
from ...graph.analysed import Analysed
from ...machine.bounded_file import TooLongError, read_bounded
from ...machine.environment import pick_device
from ...planning.allocation import Allocation
from ...planning.latency_plan import allocated
from ...pruning.block_scores import lowest_blocks
from ...pruning.checks import check_brought, check_recipe
from ...registry import ALLOCATORS, BLOCK_CRITERIA, CRITERIA
from ...studies.sensitivity.scan import scan
from ...studies.sensitivity.scan_at_hand import finished_at_hand
from ...studies.sensitivity.values import ScanPlan
from ...values import plain
from ...values.choice import Choice
from ...values.granularity import GRADED, PLURALS, Graded, Granularity, read_granularity
from ...values.link import JSON_LIMIT
from ...values.profile import ModelProfile
from ...values.progress import as_work
from ...values.recipe import AFTER, PATTERN, REDUCTIONS, Recipe, check_ratio
from ..printing.output import followed, note
from .plugin_parameters import add_parameters, checked_parameters, given_parameters

GIVEN = ("pattern", "reduction", "round_to", "after", "seed")


def add_recipe(parser: argparse.ArgumentParser) -> None:
    """Add the flags of a recipe. A flag given together with --recipe replaces that part of the file."""
    r = "one ratio in [0, 1) for every part, or NAME=RATIO,... (a ratio is the fraction removed)"
    add = parser.add_argument
    add(
        "--recipe",
        metavar="FILE",
        help="a recipe as JSON, as --save-recipe writes it; the flags below override it",
    )
    add("--channels", metavar="R", help=f"remove channels: {r}; with --allocator the overall target")
    add("--weights", metavar="R", help="set single weights to zero: the same for layers")
    add(
        "--pattern",
        metavar="N:M",
        help="keep N of each M consecutive inputs, such as 2:4 (all layers, or --weights)",
    )
    add("--criterion", metavar="NAME", help=f"how they are rated: {', '.join(CRITERIA)} (default: l1)")
    add("--allocator", metavar="NAME", help="choose the ratios of all parts with this allocator")
    add(
        "--reduction",
        metavar="NAME",
        help=f"which layers of a group rate a channel: {', '.join(REDUCTIONS)} (default: sum)",
    )
    add("--round-to", type=int, metavar="N", help="make channel counts multiples of this where possible")
    add("--after", metavar="NAME", help=f"a repair after the cut: {', '.join(AFTER)} (default: none)")
    add(
        "--blocks",
        metavar="NAME,...",
        help="remove these residual branches, or all of a module; see 'pruning-explorer profile'",
    )
    add(
        "--block-criterion",
        choices=tuple(BLOCK_CRITERIA),
        default="block_influence",
        help="which blocks are the lowest, if --blocks is a number (default: block_influence)",
    )
    add("--seed", type=int, metavar="N", help="random seed (default: 0)")
    add_parameters(parser)


def read_json(path: str, what: str, way: str) -> Any:
    """Read a JSON file or a pipe that the command line names.

    Args:
        what: the kind of file for errors, such as "Recipe file".
        way: how to get an undamaged one.
    Raises:
        ExplorerError: it cannot be read, is too long, or is not JSON.
    """
    try:
        content = read_bounded(path, JSON_LIMIT, pipes=True)
    except TooLongError as error:
        raise RecipeError(
            f"{what} {path[-200:]!r} is larger than {JSON_LIMIT:,} bytes, which none is; give another one."
        ) from error
    except OSError as error:
        raise ExplorerError(
            f"{what} {path[-200:]!r} cannot be read ({error.strerror}); give the path of a JSON file."
        ) from error
    try:
        return plain.read_json(content)
    except (ValueError, RecursionError) as error:
        raise RecipeError(
            f"{what} {path[-200:]!r} is damaged, not JSON, or names something twice; {way}."
        ) from error


def read_recipe(path: str) -> Recipe:
    """Read a recipe from a JSON file, which may also be a Report.

    Raises:
        ExplorerError: the file does not exist, or contains no recipe.
    """
    data = read_json(path, "Recipe file", "write a new one with --save-recipe")
    return Recipe.from_json(data["recipe"] if isinstance(data, dict) and "recipe" in data else data)


def ratios(text: str, parts: Iterable[str], what: str) -> dict[str, float]:
    """Parse one ratio for every part, or NAME=RATIO pairs.

    Raises:
        RecipeError: not a ratio in [0, 1), or a part is named twice.

    >>> ratios("0.5", ["a", "b"], "channels"), ratios("a=0.25,b=0.5", [], "channels")
    ({'a': 0.5, 'b': 0.5}, {'a': 0.25, 'b': 0.5})
    """
    if "=" not in text:
        return dict.fromkeys(parts, one_ratio(text, what))
    ratios_of: dict[str, float] = {}
    for pair in text.split(","):
        name, equals, ratio = pair.strip().rpartition("=")
        if not equals or not name or name in ratios_of:
            raise RecipeError(
                f"--{what} takes one ratio or NAME=RATIO,... with each name once, got {text[:80]!r}."
            )
        ratios_of[name] = one_ratio(ratio, name)
    return ratios_of


def one_ratio(text: str, part: str) -> float:
    """Parse one ratio.

    Raises:
        RecipeError: not a number in [0, 1).
    """
    try:
        return check_ratio(part, float(text))
    except ValueError as error:
        raise RecipeError(
            f"Pruning ratio of {part!r} must be a number in [0, 1), got {text[:80]!r}."
        ) from error


def recipe_of(arguments: argparse.Namespace, model: Analysed) -> Recipe:
    """Return the recipe that the flags describe. It is checked against the model here, once, before an
    allocator chooses ratios.

    Raises:
        ExplorerError: a value that is not allowed, or a part, criterion or allocator that does not exist.
    """
    before = read_recipe(arguments.recipe) if arguments.recipe else Recipe()
    asked = _asked(arguments, model, before)
    (check_brought if arguments.recipe else check_recipe)(model.profile, asked)
    if arguments.allocator:
        asked = _allotted(arguments, model, before, asked)
    if arguments.blocks and _is_number(arguments.blocks):
        asked = replace(asked, blocks=_lowest_blocks(arguments, model, asked.seed))
    return asked


def _asked(arguments: argparse.Namespace, model: Analysed, before: Recipe) -> Recipe:
    """Return the recipe of the file and the flags. With an allocator every part is at the overall target."""
    given = {name: getattr(arguments, name) for name in GIVEN if getattr(arguments, name) is not None}
    recipe = replace(before, **given, criterion=_criterion(arguments, before.criterion))
    if not arguments.allocator and given_parameters(arguments, "allocator"):
        raise RecipeError(
            f"Parameter {next(iter(given_parameters(arguments, 'allocator')))!r} needs an --allocator."
        )
    asked = [one for one in GRADED if getattr(arguments, PLURALS[one]) is not None]
    if arguments.allocator and not asked:
        raise RecipeError("--allocator needs an overall target: give one ratio with --channels or --weights.")
    for granularity in asked:
        recipe = recipe.with_ratios(granularity, _ratios(arguments, model, granularity))
    if arguments.pattern and arguments.weights is None and not recipe.weights:
        recipe = replace(
            recipe, weights=dict.fromkeys(model.profile.prunable_layers, _pattern_ratio(recipe.pattern))
        )
    named = arguments.blocks and not _is_number(arguments.blocks)
    return replace(recipe, blocks=blocks_of(arguments.blocks, model.profile)) if named else recipe


def _allotted(arguments: argparse.Namespace, model: Analysed, before: Recipe, asked: Recipe) -> Recipe:
    """Return what was asked for, with the ratios that the allocator chooses. It chooses from what the file
    says; channels first.
    """
    chosen = [one for one in GRADED if getattr(arguments, PLURALS[one]) is not None]
    recipe = replace(asked, channels=before.channels, weights=before.weights, blocks=before.blocks)
    for granularity in chosen:
        recipe = _allocated(arguments, model, recipe, granularity)
    for granularity in set(GRADED) - set(chosen):
        recipe = recipe.with_ratios(granularity, asked.ratios(granularity))
    return replace(recipe, blocks=asked.blocks)


def _criterion(arguments: argparse.Namespace, before: Choice) -> Choice:
    """Return the requested criterion. If the recipe already has it, its other parameters are kept."""
    parameters, name = given_parameters(arguments, "criterion"), arguments.criterion or before.name
    kept = before.params if name == before.name else {}
    return Choice(name, {**kept, **checked_parameters(CRITERIA[name], parameters)})


def _ratios(arguments: argparse.Namespace, model: Analysed, granularity: Graded) -> dict[str, float]:
    """Return the ratios of a flag, for an allocator its target for every part."""
    family, parts = PLURALS[granularity], model.profile.parts(granularity)
    text = getattr(arguments, family)
    if not parts and "=" not in text:
        why = model.profile.error or "every one of them is frozen"
        raise RecipeError(f"--{family} has no part of {model.subject.name!r} to prune: {why}")
    if not arguments.allocator:
        return ratios(text, parts, family)
    if "=" in text:
        raise RecipeError(f"With --allocator, --{family} is one overall target in [0, 1), got {text[:80]!r}.")
    return dict.fromkeys(parts, one_ratio(text, arguments.allocator))


def _allocated(arguments: argparse.Namespace, model: Analysed, recipe: Recipe, granularity: Graded) -> Recipe:
    name, params = allocator_of(arguments, arguments.allocator)
    target = one_ratio(getattr(arguments, PLURALS[granularity]), name)
    losses = losses_for(arguments, model, recipe, name, granularity)
    wish = Allocation(Choice(name, params), target, granularity, losses=losses)
    return followed(
        as_work(allocated(model, recipe, wish, _device(arguments))),
        lambda now: f"{now.label}: {now.done:,} of about {now.total:,}",
    )


def _device(arguments: argparse.Namespace) -> str:
    return pick_device(getattr(arguments, "device", "cpu")).type


def allocator_of(arguments: argparse.Namespace, usual: str) -> tuple[str, dict[str, Any]]:
    """Return the requested allocator with its parameters.

    Raises:
        ExplorerError: there is no such allocator, or it has no such parameter.
    """
    name = arguments.allocator or usual
    return name, checked_parameters(ALLOCATORS[name], given_parameters(arguments, "allocator"))


def kinds_from(text: str) -> tuple[Granularity, ...]:
    """Return the kinds of units that --over names.

    Raises:
        UnknownNameError: one of them is none.
    """
    return tuple(read_granularity(word.strip()) for word in text.split(","))


def losses_for(
    arguments: argparse.Namespace,
    model: Analysed,
    recipe: Recipe,
    allocator: str,
    granularity: Graded,
) -> Losses | None:
    """Return the losses that an allocator based on a scan needs: from disk if they were measured before, or
    as they came with a sample, otherwise measured now.

    Raises:
        ExplorerError: there is no data for the scan.
    """
    if not ALLOCATORS[allocator].traits["needs_scan"]:
        return None
    plan = ScanPlan(granularity, recipe=recipe)
    conditions = Conditions(getattr(arguments, "samples", None), device=_device(arguments))
    result = finished_at_hand(model, plan, conditions) or followed(
        scan(model, plan, conditions),
        lambda now: f"{now.done:,} of {now.total:,} {now.label}, for {allocator}",
    )
    repaired = "repaired " if plan.is_repaired else ""
    note(
        f"{allocator} plans with a scan of {len(result.points):,} {repaired}points on up to "
        f"{result.total_samples:,} samples."
    )
    return result.losses()


def _pattern_ratio(pattern: str) -> float:
    match = PATTERN.match(pattern)
    return 1 - int(match[1]) / int(match[2]) if match else 0.0


def _is_number(blocks: str) -> bool:
    """Whether --blocks says how many of the lowest blocks to remove, and not which."""
    return blocks.strip().isdigit()


def _lowest_blocks(arguments: argparse.Namespace, model: Analysed, seed: int) -> tuple[str, ...]:
    count, name = int(arguments.blocks.strip()), arguments.block_criterion
    work = lowest_blocks(model, count, Choice(name), seed, _device(arguments))
    return followed(as_work(work), lambda now: f"{now.label}: {now.done:,} of {now.total:,}")


def blocks_of(text: str, profile: ModelProfile) -> tuple[str, ...]:
    """Return the blocks that are named; a module that is no block itself means all removable ones in it."""
    names: list[str] = []
    for name in (word.strip() for word in text.strip().split(",")):
        known = any(block.name == name for block in profile.blocks)
        inside = [b.name for b in profile.blocks if b.name.startswith(f"{name}.") and b.reason is None]
        names += inside if inside and not known else [name]
    return tuple(names)
