"""Answer a question about pruning itself by measuring, resumably, on one or several models."""

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..engine.conditions import Conditions
from ..errors import ExplorerError
from ..figures.live_numbers import live_numbers as live_figure
from ..figures.standalone import CONFIG
from ..graph.analysed import Analysed
from ..studies.allocator_comparison import ComparisonPlan, compare_allocators
from ..studies.criteria_comparison import CriteriaPlan, compare_criteria
from ..studies.live_correlations import LivePlan
from ..studies.live_numbers import live_numbers
from ..studies.repair_table import RepairPlan, repair_table
from ..values.granularity import CHANNEL, GRADED
from .arguments.model import add_device, add_model, check_names, opened, set_up
from .printing.files import place_for_a_file, write
from .printing.output import counted, followed, print_json, show
from .printing.study_markdown import allocators_markdown, criteria_markdown, live_markdown, repairs_markdown
from .printing.study_text import allocators_text, criteria_text, live_json, live_text, repairs_text

LIVE, ALLOCATORS, REPAIRS, CRITERIA = "live-numbers", "allocators", "repairs", "criteria"
QUESTIONS = {
    LIVE: "which number right after a cut orders recipes as retraining does",
    ALLOCATORS: "whether other allocators are better than uniform ratios at equally many parameters",
    REPAIRS: "what a cut costs right after it, after repairs without training, and after short trainings",
    CRITERIA: "which criterion and allocator choose the single weights that a model misses least",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    live, criteria = LivePlan(), CriteriaPlan()
    about = "; ".join(f"{name}: {words}" for name, words in QUESTIONS.items())
    parser.add_argument("question", metavar="QUESTION", choices=tuple(QUESTIONS), help=about)
    add_model(parser, several=True)
    add = parser.add_argument
    recipes = f"{LIVE}: random and allocated recipes of each model (default: {live.recipes})"
    add("--recipes", type=int, default=live.recipes, metavar="N", help=recipes)
    left = f"{LIVE}: share of the parameters that each recipe leaves (default: {live.left:g})"
    add("--left", type=float, default=live.left, metavar="X", help=left)
    removed = f"{ALLOCATORS}: shares of the parameters (default: {_listed(ComparisonPlan().removed)}); "
    removed += f"{REPAIRS}: of every group's channels (default: {_listed(RepairPlan().ratios)}); "
    removed += f"{CRITERIA}: of the weights (default: {_listed(criteria.removed)})"
    add("--removed", metavar="X,...", help=removed)
    add(
        "--granularity",
        choices=GRADED,
        default=CHANNEL,
        help=f"{LIVE} and {ALLOCATORS}: what is removed (default: channel)",
    )
    epochs = f"of each training (default: {live.epochs}; for {REPAIRS} {_listed(RepairPlan().epochs)}); "
    epochs += f"{LIVE}: one number, or one for each model"
    add("--epochs", metavar="N,...", help=epochs)
    add("--training", type=int, metavar="N", help="train on the first N training samples (default: all)")
    add("--once", action="store_true", help=f"{LIVE}: do not retrain a second time with another seed")
    first = f"{CRITERIA}: compared with the first one"
    add("--criteria", metavar="NAME,...", help=f"{first} (default: {_listed(criteria.criteria)})")
    allocators = f"{LIVE}: of the recipes (default: {_listed(live.allocators)}); {ALLOCATORS}: compared with "
    allocators += f"uniform ratios (default: all); {first} (default: {_listed(criteria.allocators)})"
    add("--allocators", metavar="NAME,...", help=allocators)
    add(
        "--split",
        choices=("tuning", "held_out"),
        default="tuning",
        help=f"{CRITERIA}: measure on this split (default: tuning)",
    )
    add("--samples", type=int, metavar="N", help="measure on the first N of the split (default: all)")
    add(
        "-o",
        "--output",
        type=place_for_a_file,
        metavar="FILE",
        help=f"{LIVE}: draw the figure into this .html file",
    )
    add("--json", action="store_true", help="one JSON document instead of text")
    add("--markdown", action="store_true", help="one Markdown table of all models instead, as in the guide")
    add_device(parser)


def run(arguments: argparse.Namespace) -> None:
    """Print what came out for each model. After Ctrl+C the same command continues where it was.

    Raises:
        ExplorerError: a model, its data or the plan are not valid.
    """
    device = set_up(arguments.device)
    check_names(arguments.model, arguments.checkpoint)
    if arguments.training is not None and arguments.training < 1:
        raise ExplorerError(f"--training must be at least 1, got {arguments.training}.")
    conditions = Conditions(arguments.samples, device=device, latency=False)
    ANSWERS[arguments.question](arguments, conditions)


def _live(arguments: argparse.Namespace, conditions: Conditions) -> None:
    each = _whole(arguments.epochs or str(LivePlan().epochs))
    if len(each) not in (1, len(arguments.model)):
        raise ExplorerError(f"--epochs takes one number, or one for each model, got {arguments.epochs!r}.")
    kind, training = arguments.granularity, arguments.training
    names = _names(arguments.allocators) or LivePlan().allocators
    plan = LivePlan(arguments.recipes, arguments.left, kind, each[0], training, not arguments.once, names)
    plans = [replace(plan, epochs=epochs) for epochs in each] * (len(arguments.model) // len(each))
    studies = [
        followed(live_numbers(model, own, conditions), counted)
        for model, own in zip(_models(arguments), plans, strict=True)
    ]
    if arguments.output:
        write(arguments.output, live_figure(studies).to_html(config=CONFIG).encode())
    if arguments.json:
        return print_json(live_json(studies))
    return show(live_markdown(studies) if arguments.markdown else live_text(studies))


def _allocators(arguments: argparse.Namespace, conditions: Conditions) -> None:
    removed = _fractions(arguments.removed) or ComparisonPlan().removed
    plan = ComparisonPlan(removed, arguments.granularity, allocators=_names(arguments.allocators))
    words = Words(allocators_text, allocators_markdown)
    _tables(arguments, lambda model: compare_allocators(model, plan, conditions), words)


def _repairs(arguments: argparse.Namespace, conditions: Conditions) -> None:
    usual = RepairPlan()
    epochs = _whole(arguments.epochs) if arguments.epochs else usual.epochs
    plan = RepairPlan(_fractions(arguments.removed) or usual.ratios, epochs, arguments.training)
    words = Words(repairs_text, repairs_markdown)
    _tables(arguments, lambda model: repair_table(model, plan, conditions), words)


def _criteria(arguments: argparse.Namespace, conditions: Conditions) -> None:
    usual, conditions = CriteriaPlan(), replace(conditions, split=arguments.split)
    plan = CriteriaPlan(
        _fractions(arguments.removed) or usual.removed,
        _names(arguments.criteria) or usual.criteria,
        _names(arguments.allocators) or usual.allocators,
    )
    words = Words(criteria_text, criteria_markdown)
    _tables(arguments, lambda model: compare_criteria(model, plan, conditions), words)


ANSWERS = {LIVE: _live, ALLOCATORS: _allocators, REPAIRS: _repairs, CRITERIA: _criteria}


@dataclass(frozen=True)
class Words:
    """How rows are printed.

    Args:
        text: of one model.
        markdown: one table of all models.
    """

    text: Callable[[str, Any], str]
    markdown: Callable[[dict[str, Any]], str]


def _tables(arguments: argparse.Namespace, measure: Callable[[Analysed], Any], words: Words) -> None:
    """Print a table for each model, each once it is complete; or one of all models in the end."""
    tables: dict[str, Any] = {}
    for model in _models(arguments):
        rows = tables[model.subject.name] = followed(measure(model), counted)
        if not (arguments.json or arguments.markdown):
            show(words.text(model.subject.name, rows) + "\n")
    if arguments.json:
        models = [{"model": name, "rows": [row.to_json() for row in rows]} for name, rows in tables.items()]
        print_json({"question": arguments.question, "models": models})
    elif arguments.markdown:
        show(words.markdown(tables))


def _models(arguments: argparse.Namespace) -> Iterator[Analysed]:
    for name in arguments.model:
        yield opened(argparse.Namespace(**{**vars(arguments), "model": name}))


def _listed(values: Sequence[object]) -> str:
    return ",".join(map(str, values))


def _names(text: str | None) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",")) if text else ()


def _fractions(text: str | None) -> tuple[float, ...]:
    try:
        values = tuple(float(word) for word in text.split(",")) if text else ()
    except ValueError:
        values = (1.0,)
    if not all(0 < value < 1 for value in values):
        raise ExplorerError(f"--removed takes fractions between 0 and 1, such as 0.5,0.7, got {text!r}.")
    return values


def _whole(text: str) -> tuple[int, ...]:
    try:
        values = tuple(int(word) for word in text.split(","))
    except ValueError:
        values = ()
    if not values:
        raise ExplorerError(f"--epochs takes whole numbers such as 1,5, got {text!r}.")
    return values
