"""List the models."""

import argparse
from typing import Any

from ..loaders.sample import card
from ..loaders.sample_files import untrained
from ..measuring.statistics import format_measured
from ..registry import DATA, LOADERS, SAMPLES, Plugin
from ..training.samples import count_macs
from ..values.report import Measurement
from .printing.output import print_json, show, table

MEASURED = "accuracy accuracy_low accuracy_high correct samples value low high unit".split()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="one JSON document instead of text")


def facts(name: str) -> dict[str, Any]:
    """Return a sample's card. What was measured is None if the sample was never trained, and accuracy is None
    for a task with another metric.
    """
    known = card(name)
    if not known:
        model, task = untrained(name), DATA[SAMPLES[name].traits["data"]]()
        known = {
            "data": task.name,
            "params": sum(p.numel() for p in model.parameters()),
            "macs": count_macs(model, task),
        }
    measured = Measurement.from_json(known.get("held_out") or {}).to_json()
    numbers = {key: measured.get(key) for key in MEASURED}
    size = {"params": known["params"], "macs": known["macs"]}
    return {
        "name": name,
        "description": SAMPLES[name].tooltip,
        "task": known["data"],
        **size,
        "metric": measured["metric"] or "accuracy",
        "split": "held_out",
        **numbers,
    }


def run(arguments: argparse.Namespace) -> None:
    """Print every sample model. The text also lists what else you can give as MODEL and SOURCE."""
    cards = [facts(name) for name in SAMPLES]
    if arguments.json:
        return print_json(cards)
    rows = [
        [f["name"], f["task"], f["params"], f["macs"], f["metric"].replace("_", " "), measured_text(f)]
        for f in cards
    ]
    show(table(["model", "data", "params", "MACs", "metric", "on held-out data"], rows))
    show("\nOther models, by LOADER:NAME")
    show(
        table(
            ["loader", "what it loads"], [[p.name, p.tooltip] for p in LOADERS.values() if p.name != "sample"]
        )
    )
    show("\nData sets, for --data")
    return show(table(["source", "what it is"], [[_source(p), p.tooltip] for p in DATA.values()]))


def _source(plugin: Plugin) -> str:
    return f"{plugin.name}:{plugin.traits['place']}" if "place" in plugin.traits else plugin.name


def measured_text(found: dict[str, Any]) -> str:
    if not found["samples"]:
        return "not trained yet"
    known = {key: found[key] for key in MEASURED}
    return format_measured(Measurement(**known, metric=found["metric"]), found["samples"])
