"""Compare all ways to win accuracy back, trained alike: one-shot, recalibrated, retrained, iterative, random,
from scratch.
"""

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from ..engine.conditions import Conditions
from ..errors import RecipeError
from ..machine import paths
from ..measuring.metric_words import metric_title
from ..measuring.number_words import format_measured
from ..recovery.controls import spread_words
from ..recovery.cost import counted
from ..recovery.recovery_table import KINDS, RecoveryRow, TablePlan, rates_of, trainings
from ..recovery.training_plan import suggested
from ..registry import CRITERIA
from ..runs.held_out import held_out
from ..runs.store import Store
from ..values.choice import Choice
from ..values.granularity import read_graded
from ..values.plain import finite
from ..values.recipe import Recipe
from .arguments.cluster import add_cluster, studies_of
from .arguments.model import add_device, add_model, opened, set_up
from .arguments.recipe import one_ratio
from .printing.files import place_for_a_file, write
from .printing.output import note, percent, print_json, progress, show, table

USUAL = TablePlan()
BEFORE, AFTER = ["cut", "removed", "method"], ["learning rate", "non-zero", "MACs per sample", "loss"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_model(parser)
    add = parser.add_argument
    ratios, seeds = (",".join(map(str, values)) for values in (USUAL.ratios, USUAL.seeds))
    add(
        "--ratios",
        default=ratios,
        metavar="R,...",
        help=f"fractions of all single weights to remove (default: {ratios})",
    )
    add(
        "--kinds",
        default=",".join(KINDS),
        metavar="NAME,...",
        help="weight, channel (down to as many parameters), or both",
    )
    add(
        "--criterion",
        default="l1",
        metavar="NAME",
        help=f"how they are rated: {', '.join(CRITERIA)} (default: l1)",
    )
    add(
        "--epochs",
        type=int,
        metavar="N",
        help="of every arm (default: half of those that the model was trained for)",
    )
    add("--seeds", default=seeds, metavar="N,...", help=f"of every arm (default: {seeds})")
    add(
        "--rates",
        metavar="X,...",
        help="learning rates that each arm chooses from, on the tuning split (default: four)",
    )
    add("--samples", type=int, metavar="N", help="measure on the first N (default: all)")
    add(
        "--held-out",
        action="store_true",
        help="measure on held-out data, which no rate was chosen on; the opening is counted",
    )
    add("--dry-run", action="store_true", help="only print how much would be trained")
    add(
        "-o",
        "--output",
        type=place_for_a_file,
        metavar="FILE",
        help="the JSON file to write, updated after each arm",
    )
    add("--json", action="store_true", help="one JSON document instead of text")
    add_device(parser)
    add_cluster(parser)


def run(arguments: argparse.Namespace) -> None:
    """Print the table. After Ctrl+C the same command continues where it was.

    Raises:
        ExplorerError: the model, the plan or the data are not valid.
    """
    device = set_up(arguments.device)
    model = opened(arguments)
    epochs = arguments.epochs
    if epochs is None:
        epochs = max(2, model.subject.card.get("training", {}).get("epochs", 20) // 2)
    plan = _plan(arguments, rates_of(model.subject), epochs)
    each = counted(model.subject, suggested(model.subject, epochs=epochs))
    if arguments.dry_run:
        return show(
            f"{trainings(plan):,} trainings of {epochs} epochs: {trainings(plan) * each.samples:,} samples."
        )
    conditions, opening = Conditions(arguments.samples, "tuning", device, latency=False), ""
    if arguments.held_out:
        conditions, opening = held_out(model.subject, conditions, Store(paths.cache()))
        conditions = replace(conditions, latency=False)
    rows: Sequence[RecoveryRow] = ()
    recipe = Recipe(criterion=Choice(arguments.criterion))
    with studies_of(arguments) as studies:
        for step in studies.recovery_table(model, recipe, plan, conditions):
            if step.progress is not None:
                now = step.progress
                progress(f"{now.label}: {now.done:,} of {now.total:,}; {len(rows)} rows so far")
            if step.value is None:
                continue
            for row in step.value[len(rows) :]:
                note(" ".join(cells(row)[:4]))
            rows = step.value
            if arguments.output:
                document = _document(model.subject.name, plan, conditions, rows)
                write(arguments.output, (json.dumps(document, indent=1) + "\n").encode())
    progress("")
    if arguments.json:
        return print_json(_document(model.subject.name, plan, conditions, rows))
    head = (
        f"{model.subject.name}, {conditions.split.replace('_', '-')} split; "
        f"{epochs} epochs for every arm that trains"
    )
    return show(
        "\n".join(
            [head, "", table(columns(rows), [cells(row) for row in rows]), *([opening] if opening else [])]
        )
    )


def _plan(arguments: argparse.Namespace, rates: tuple[float, ...], epochs: int) -> TablePlan:
    return TablePlan(
        tuple(one_ratio(word, "ratios") for word in arguments.ratios.split(",")),
        epochs,
        _numbers(arguments.seeds, "seeds", int),
        _numbers(arguments.rates, "rates", float) if arguments.rates else rates,
        tuple(read_graded(word.strip()) for word in arguments.kinds.split(",")),
    )


def _numbers(text: str, flag: str, kind: Callable[[str], Any]) -> tuple[Any, ...]:
    try:
        return tuple(kind(word) for word in text.split(","))
    except ValueError as error:
        raise RecipeError(f"--{flag} takes numbers with commas between them, got {text[:80]!r}.") from error


def columns(rows: Sequence[RecoveryRow]) -> list[str]:
    """Return the headings of the printed table, with the metric that was measured."""
    metric = rows[0].measured[0].metric if rows else None
    return [*BEFORE, metric_title(metric or "accuracy"), *AFTER]


def cells(row: RecoveryRow) -> list[Any]:
    """Return a row of the printed table."""
    first, over = row.measured[0], row.mean
    measured = format_measured(first, first.samples)
    if over.seeds > 1:
        measured = f"{spread_words(over, first.unit)}, {over.seeds} seeds"
    loss = sum(one.loss or 0.0 for one in row.measured) / len(row.measured)
    rate = "" if row.learning_rate is None else f"{row.learning_rate:g}"
    return [
        row.kind or "nothing",
        percent(row.ratio),
        row.arm,
        measured,
        rate,
        first.nonzero_params,
        row.macs,
        f"{loss:.3f}",
    ]


def _document(
    name: str, plan: TablePlan, conditions: Conditions, rows: Sequence[RecoveryRow]
) -> Mapping[str, Any]:
    return finite(
        {
            "model": name,
            "split": conditions.split,
            "plan": asdict(plan),
            "rows": [row.to_json() for row in rows],
        }
    )
