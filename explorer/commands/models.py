"""List the models."""

import argparse
from typing import Any

from ..loaders.sample import card
from ..loaders.sample_files import untrained
from ..measuring.metric_words import metric_title
from ..measuring.number_words import accuracy_words, format_measured
from ..registry import DATA, LOADERS, SAMPLES, Plugin
from ..training.samples import count_macs
from ..values.report import Measurement
from .printing.output import print_json, show, table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="one JSON document instead of text")


def facts(name: str) -> dict[str, Any]:
    """Return a sample's card. Accuracy is None if the sample was never trained."""
    known = card(name)
    if not known:
        model, task = untrained(name), DATA[SAMPLES[name].traits["data"]]()
        known = {
            "data": task.name,
            "params": sum(p.numel() for p in model.parameters()),
            "macs": count_macs(model, task),
        }
    measured = known.get("held_out") or {}
    accuracy = {
        key: measured.get(key) for key in ("accuracy", "accuracy_low", "accuracy_high", "correct", "samples")
    }
    size = {"params": known["params"], "macs": known["macs"]}
    return {
        "name": name,
        "description": SAMPLES[name].tooltip,
        "task": known["data"],
        **size,
        "metric": measured.get("metric", "accuracy"),
        **{key: measured.get(key) for key in ("value", "low", "high", "unit")},
        "split": "held_out",
        **accuracy,
    }


def run(arguments: argparse.Namespace) -> None:
    """Print every sample model. The text also lists what else you can give as MODEL and SOURCE."""
    found = [facts(name) for name in SAMPLES]
    if arguments.json:
        return print_json(found)
    rows = [[f["name"], f["task"], f["params"], f["macs"], quality(f)] for f in found]
    show(table(["model", "data", "params", "MACs", "quality on held-out data"], rows))
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


def quality(card: dict[str, Any]) -> str:
    """Return the deciding metric of a sample's card with its interval, as text."""
    samples = card["samples"]
    if not samples:
        return "not trained yet"
    if card["correct"] is not None:
        return accuracy_words(card["correct"], samples, samples).text
    numbers = {key: card[key] for key in ("value", "low", "high", "unit", "samples")}
    return f"{metric_title(card['metric'])} {format_measured(Measurement(**numbers), samples)}"
