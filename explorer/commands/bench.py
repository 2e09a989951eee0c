"""The performance table of this machine."""

import argparse
from typing import Any

from ..bench.effort import FULL, QUICK
from ..bench.table import DEFAULT, ON_REQUEST, PARTS, bench, surroundings
from ..bench.timed_rows import TimedRow
from .arguments.model import add_device, set_up
from .printing.output import note, print_json, show, table

MARKS = {"met": "met", "missed": "MISSED", "not resolved": "not resolved", None: ""}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--quick", action="store_true", help="tiny models and few pairs: shows that it works, resolves little"
    )
    parser.add_argument(
        "--only",
        metavar="PART,...",
        help=f"some of: {', '.join(PARTS)} (else all but {', '.join(ON_REQUEST)})",
    )
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")
    add_device(parser)


def run(arguments: argparse.Namespace) -> None:
    """Print the rows. Every number is a ratio to what ran in turns with it, or milliseconds where it says so.

    Raises:
        ExplorerError: an unknown part or device.
    """
    device = set_up(arguments.device)
    size, parts = QUICK if arguments.quick else FULL, arguments.only.split(",") if arguments.only else DEFAULT
    rows: list[TimedRow] = []
    for step in bench(size, device, parts):
        if step.progress is not None:
            note(f"{step.progress.done + 1} of {step.progress.total}: {step.progress.label} ...")
        if step.value is not None:
            rows.append(step.value)
    where = surroundings(device)
    if arguments.json:
        return print_json({"rows": [row.to_json() for row in rows], "environment": where})
    return show(bench_text(rows, where))


def bench_text(rows: list[TimedRow], where: dict[str, Any]) -> str:
    """Return a line for each row, then a breakdown of the time for each goal that is not met."""
    lines = table(
        ["row", "value", "95 % interval", "goal", "", "pairs", "against"], [_cells(row) for row in rows]
    )
    why = [
        f"{row.name} ({MARKS[row.verdict]}): {row.bound_by}"
        for row in rows
        if row.verdict in ("missed", "not resolved")
    ]
    about = ", ".join(f"{name} {value}" for name, value in where.items() if value is not None)
    return "\n".join([lines, "", *(["What bounds them:", *why, ""] if why else []), f"Measured on {about}."])


def _cells(row: TimedRow) -> list[Any]:
    unit = " ms" if row.unit == "ms" else ""
    digits = 0 if unit else 2
    goal = "" if row.goal is None else f"{'at least' if row.at_least else 'at most'} {row.goal:g}{unit}"
    interval = f"{row.low:,.{digits}f} to {row.high:,.{digits}f}"
    return [
        row.name,
        f"{row.value:,.{digits}f}{unit}",
        interval,
        goal,
        MARKS[row.verdict],
        row.pairs,
        row.baseline,
    ]
