"""List the layers and coupled groups of a model."""

import argparse
from dataclasses import asdict
from typing import Any

from ..graph.analysed import Analysed
from ..values.granularity import BLOCK, PLURALS
from ..values.profile import Group
from .arguments.model import add_model, opened, set_up
from .printing.output import note, print_json, show, table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_model(parser)
    parser.add_argument("--json", action="store_true", help="one JSON document instead of text")


def facts(model: Analysed) -> dict[str, Any]:
    """Return the profile as JSON data."""
    profile, subject = model.profile, model.subject
    about: dict[str, Any] = {"model": subject.name, "id": subject.id}
    about |= {"task": subject.task.name if subject.task else None}
    about |= {"how": list(subject.task.how)} if subject.task and subject.task.how else {}
    return about | {
        "params": profile.params,
        "macs": profile.macs,
        "error": profile.error,
        "layers": [asdict(layer) for layer in profile.layers],
        "groups": [_group(group) for group in profile.groups],
        PLURALS[BLOCK]: [block.to_json() for block in profile.blocks],
    }


def _group(group: Group) -> dict[str, Any]:
    return {
        "name": group.name,
        "units": group.units,
        "unit": group.unit,
        "members": group.members,
        "tied_by": group.tied_by,
        "frozen": group.frozen,
    }


def run(arguments: argparse.Namespace) -> None:
    """Print both tables.

    Raises:
        ExplorerError: the model cannot be loaded.
    """
    set_up()
    model = opened(arguments)
    if arguments.json:
        return print_json(facts(model))
    profile = model.profile
    show(f"{model.subject.name}: {profile.params:,} parameters, {profile.macs:,} MACs per sample\n")
    layers = [[la.name, la.kind, " x ".join(map(str, la.shape)), la.params, la.macs] for la in profile.layers]
    show(table(["layer", "kind", "shape", "params", "MACs"], layers))
    if profile.whole_layers:
        names = ", ".join(profile.whole_layers[:12]) + (", ..." if len(profile.whole_layers) > 12 else "")
        reason = (
            "no convolution, linear, recurrent or embedding layer multiplies by them, or they are complex"
        )
        show(f"\nTheir single weights cannot be pruned: {names} ({reason}).")
    if profile.error:
        return note(profile.error)
    why = {g.name: f"frozen: {g.frozen}" if g.frozen else "; ".join(g.tied_by) for g in profile.groups}
    groups = [[g.name, g.units, g.unit, ", ".join(g.members), why[g.name]] for g in profile.groups]
    show(
        "\n"
        + table(
            ["coupled group", "units", "unit", "layers", "why they are removed together, or frozen"], groups
        )
    )
    blocks = [[b.name, b.reads, b.params, b.macs, b.reason or "can be removed"] for b in profile.blocks]
    if blocks:
        show("\n" + table([BLOCK, "reads", "params", "MACs", "removable"], blocks))
    return None
