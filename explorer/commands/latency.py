"""Measure latency against the number of channels kept in one group on this machine, to find the widths where
it drops.
"""

import argparse

from ..errors import ExplorerError
from ..measuring.latency import TimingPlan
from ..studies.latency_staircase import BATCH, BUDGET_S, ROUNDS, Staircase
from .arguments.cluster import add_cluster, studies_of
from .arguments.model import add_device, add_model, opened, set_up
from .printing.output import counted, followed, percent, print_json, show, table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_model(parser)
    add = parser.add_argument
    add(
        "--group",
        metavar="NAME",
        required=True,
        help="a coupled group, as 'pruning-explorer profile MODEL' names it",
    )
    add("--widths", metavar="N,...", help="channels to keep (default: 12 from 1 to all)")
    add("--batch", type=int, default=BATCH, metavar="N", help=f"samples in one forward (default: {BATCH})")
    add(
        "--rounds",
        type=int,
        default=ROUNDS,
        metavar="N",
        help=f"how often each width is timed (default: {ROUNDS})",
    )
    add(
        "--seconds",
        type=float,
        default=BUDGET_S,
        metavar="S",
        help=f"stop after this many seconds (default: {BUDGET_S:g})",
    )
    add("--json", action="store_true", help="one JSON document on standard output")
    add_device(parser)
    add_cluster(parser)
    add(
        "--on",
        default="",
        metavar="DEVICE",
        help="with --cluster: the name of the device that is asked about (default: this machine's)",
    )


def run(arguments: argparse.Namespace) -> None:
    """Print a line for each width. A width on the fast edge of a step is worth choosing.

    Raises:
        ExplorerError: the model, the group or a width is not valid.
    """
    widths = _widths(arguments.widths)
    for name in ("batch", "rounds"):
        if getattr(arguments, name) < 1:
            raise ExplorerError(f"--{name} must be at least 1, got {getattr(arguments, name)}.")
    if not arguments.seconds > 0:
        raise ExplorerError(f"--seconds must be more than 0, got {arguments.seconds:g}.")
    device = set_up(arguments.device)
    model = opened(arguments)
    plan = TimingPlan(arguments.batch, arguments.rounds, arguments.seconds)
    with studies_of(arguments, arguments.on) as studies:
        found = followed(studies.staircase(model, arguments.group, widths, plan, device), counted)
    return print_json(found.to_json()) if arguments.json else show(staircase_text(found))


def _widths(text: str | None) -> list[int] | None:
    try:
        return None if text is None else [int(word) for word in text.split(",")]
    except ValueError as error:
        raise ExplorerError(f"--widths must be whole numbers such as 8,16,32, got {text!r}.") from error


def staircase_text(staircase: Staircase) -> str:
    """Return a line for each width, then how it was measured."""
    rows = [
        [
            step.kept,
            percent(step.ratio),
            f"{step.latency_ms['median']:.3f}",
            f"{step.latency_ms['p10']:.3f} to {step.latency_ms['p90']:.3f}",
            f"{step.speed_up.ratio:.2f}",
            f"{step.speed_up.low:.2f} to {step.speed_up.high:.2f}",
            step.answer if step.kept < staircase.units else "the dense model",
            "edge" if step.is_edge else "",
        ]
        for step in staircase.steps
    ]
    columns = ["kept", "removed", "ms", "10th to 90th", "speed-up", "95 % interval", "faster here?", "step"]
    where = ", ".join(f"{name} {staircase.environment[name]}" for name in ("device_name", "threads", "torch"))
    how = f"Batch {staircase.batch}, {staircase.rounds} rounds, all widths in turns; {where}."
    return f"{table(columns, rows)}\n\n{how}"
