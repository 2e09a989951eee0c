"""Prune a model and win accuracy back; write the weights and a report."""

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..engine.conditions import Conditions
from ..errors import RecipeError
from ..exporters.recovered_model import export_recovered
from ..graph.analysed import Analysed
from ..machine import paths
from ..measuring.number_words import format_value
from ..recovery.controls import controls
from ..recovery.cost import estimate
from ..recovery.recover import recover
from ..recovery.recovery_curve import RecoveryCurve, checked_strengths, recovery_curve
from ..recovery.training_plan import CHOICES, METHODS, REAL, WHOLE, RecoveryPlan, suggested
from ..recovery.values import Recovery
from ..runs.keep_recovery import Remarks, keep
from ..runs.store import Store
from ..values.plain import finite
from ..values.progress import Progress, outcome
from ..values.recipe import Recipe
from ..values.subject import Subject
from .arguments.model import add_device, add_model, opened, set_up
from .arguments.recipe import add_recipe, read_json, recipe_of
from .printing.files import place_for_a_file, write
from .printing.output import note, print_json, progress, show
from .printing.recovery_text import curve_text, recovery_text

CURVE = "0.4,0.6,0.8,1"
EVERY = 30.0  # seconds between lines, if stderr is not a terminal
NAMED = {
    "round_schedule": "how the ratios grow",
    "rewind": "what is rewound",
    "schedule": "of the learning rate",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_model(parser)
    add_recipe(parser)
    add = parser.add_argument
    add(
        "--plan",
        metavar="FILE",
        help="a recovery plan as JSON, such as the one in the report; the flags below replace parts of it",
    )
    add("--method", choices=list(METHODS), help="how accuracy is won back (default: finetune)")
    for name, allowed in CHOICES.items():
        if name != "method":
            add(_flag(name), metavar="NAME", help=f"{NAMED.get(name, name)}: {', '.join(allowed)}")
    for name in WHOLE:
        add(_flag(name), type=int, metavar="N", help=name.replace("_", " "))
    for name in REAL:
        add(_flag(name), type=float, metavar="X", help=name.replace("_", " "))
    add("--seeds", metavar="N,...", help="one run each; the first one's weights are written (default: 0)")
    add("--samples", type=int, metavar="N", help="measure on the first N of the tuning split (default: all)")
    add(
        "--controls",
        action="store_true",
        help="also dense with the same budget, random pruning, and training from scratch",
    )
    add(
        "--curve",
        nargs="?",
        const=CURVE,
        metavar="S,...",
        help="the same plan at several strengths of the recipe, each above 0 and at most 1 (without "
        f"numbers: {CURVE})",
    )
    add("--keep", metavar="NOTE", help="keep the result as a run on this machine, for the Compare page")
    add("--dry-run", action="store_true", help="only print what it would cost")
    add(
        "-o",
        "--output",
        type=place_for_a_file,
        metavar="PATH",
        help="the zip to write; the report is written next to it as .json",
    )
    add("--json", action="store_true", help="one JSON document instead of text")
    add_device(parser)


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def run(arguments: argparse.Namespace) -> None:
    """Train, and write weights and report. After Ctrl+C the same command continues where it was.

    Raises:
        ExplorerError: the model, the recipe, the plan or the data are not valid.
    """
    device = set_up(arguments.device)
    model = opened(arguments)
    # an allocator measures what it needs to choose a recipe, so everything else is checked first
    plan = plan_of(arguments, model.subject)
    strengths = checked_strengths(_strengths(arguments.curve)) if arguments.curve else ()
    if strengths and (arguments.controls or arguments.keep is not None):
        raise RecipeError(
            "--curve is about several recipes, so it cannot be combined with --controls or --keep; "
            "use those for one recipe."
        )
    recipe = recipe_of(arguments, model)
    if recipe.is_empty:
        raise RecipeError(
            "Nothing is removed, so there is nothing to recover; give --channels, --weights or --recipe."
        )
    conditions = Conditions(arguments.samples, "tuning", device, latency=False)
    if arguments.dry_run:
        return _cost(model, recipe, plan, conditions, arguments.json, max(1, len(strengths)))
    if strengths:
        return _curve(model, recipe, plan, strengths, conditions, arguments)
    recovery = _followed(model, recipe, plan, conditions)
    compared = [
        (control, _followed(model, control.recipe, control.plan, conditions))
        for control in (controls(recipe, plan) if arguments.controls else ())
    ]
    answer = recovery.to_json() | {
        "controls": [
            {"name": control.name, "question": control.question, "recovery": other.to_json()}
            for control, other in compared
        ]
    }
    if arguments.output:
        _write(arguments.output, model, recovery, answer)
    if arguments.keep is not None:
        name = outcome(
            keep(model, recovery, conditions, Store(paths.cache()), remarks=Remarks(arguments.keep))
        )
        note(f"Kept as run {name}.")
    return (
        print_json(answer)
        if arguments.json
        else show(recovery_text(recovery, [(c.name, other) for c, other in compared]))
    )


def plan_of(arguments: argparse.Namespace, subject: Subject) -> RecoveryPlan:
    """Return the plan that the flags describe, based on a plan file or on how the model was trained.

    Raises:
        ExplorerError: the file cannot be read, or a value is not allowed.
    """
    names = [name for name in (*CHOICES, *WHOLE, *REAL) if name != "method"]
    given: dict[str, Any] = {
        name: getattr(arguments, name) for name in names if getattr(arguments, name) is not None
    }
    if arguments.seeds is not None:
        given["seeds"] = _seeds(arguments.seeds)
    if arguments.plan:
        return replace(
            _read(arguments.plan), **given | ({"method": arguments.method} if arguments.method else {})
        )
    return suggested(subject, arguments.method or "finetune", **given)


def _seeds(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(word) for word in text.split(","))
    except ValueError as error:
        raise RecipeError(f"--seeds takes whole numbers such as 0,1,2, got {text[:80]!r}.") from error


def _read(path: str) -> RecoveryPlan:
    data = read_json(path, "Plan file", "write it again")
    return RecoveryPlan.from_json(data["plan"] if isinstance(data, dict) and "plan" in data else data)


def _cost(
    model: Analysed,
    recipe: Recipe,
    plan: RecoveryPlan,
    conditions: Conditions,
    as_json: bool,
    points: int,
) -> None:
    one = outcome(estimate(model, recipe, plan, conditions))
    assert one.seconds is not None
    cost = replace(
        one, epochs=points * one.epochs, samples=points * one.samples, seconds=points * one.seconds
    )
    if as_json:
        return print_json({"plan": plan.to_json(), "cost": vars(cost)})
    return show(
        f"{cost.epochs:,} epochs, {cost.samples:,} samples: about {cost.seconds:,.0f} s here, an estimate "
        f"from {cost.batches} batches."
    )


def _strengths(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(word) for word in text.split(","))
    except ValueError as error:
        raise RecipeError(f"--curve takes strengths such as {CURVE}, got {text[:80]!r}.") from error


# --------------------------------------------------------------------------- while it runs


def _followed(model: Analysed, recipe: Recipe, plan: RecoveryPlan, conditions: Conditions) -> Recovery:
    """Run the recovery with progress on stderr and return it when it is finished."""
    recovery: Recovery | None = None
    shown = time.monotonic()
    for step in recover(model, recipe, plan, conditions):
        recovery = step.value or recovery
        line = _line(step.progress, recovery)
        progress(line)
        if time.monotonic() - shown >= EVERY:
            shown = time.monotonic()
            note(line)
    progress("")
    assert recovery is not None
    return recovery


def _line(now: Progress | None, found: Recovery | None) -> str:
    where = f"{now.label}: {now.done:,} of {now.total:,}" if now else "Training"
    if found is None or not found.epochs:
        return where
    point, loss = found.epochs[-1], f", loss {found.losses[-1].loss:.3f}" if found.losses else ""
    value = format_value(point.measurement.value or 0.0, point.measurement.unit)
    return f"{where}{loss}; after epoch {point.epoch} ({point.phase}): {value}"


def _curve(
    model: Analysed,
    recipe: Recipe,
    plan: RecoveryPlan,
    strengths: tuple[float, ...],
    conditions: Conditions,
    arguments: argparse.Namespace,
) -> None:
    """Print the curve, with progress on stderr while it is measured."""
    curve: RecoveryCurve | None = None
    for step in recovery_curve(model, recipe, plan, strengths, conditions):
        if step.progress is not None:
            now = step.progress
            progress(f"{now.label}: {now.done / now.total * 100:.0f} % of all")
        if step.value is not None:
            curve = step.value
            note(f"{len(curve.points)} of {curve.planned} points")
    progress("")
    assert curve is not None
    answer = {"plan": plan.to_json(), **curve.to_json()}
    if arguments.output:
        write(
            str(Path(arguments.output).with_suffix(".json")),
            (json.dumps(finite(answer), indent=1) + "\n").encode(),
        )
    return print_json(answer) if arguments.json else show(curve_text(curve))


# --------------------------------------------------------------------------- when it is done


def _write(path: str, model: Analysed, found: Recovery, answer: dict[str, Any]) -> None:
    write(path, export_recovered(model, found))
    report = str(Path(path).with_suffix(".json"))
    write(report, (json.dumps(finite(answer), indent=1) + "\n").encode())
