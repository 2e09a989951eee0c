"""Measure the claims of the lessons: one row with the verdict for each, or one lesson with all its
comparisons.
"""

import argparse
import json
from functools import cache, partial
from pathlib import Path
from typing import Any

from ..errors import ExplorerError
from ..graph.analysed import Analysed, analyse
from ..lessons import evidence_files, wording
from ..lessons.evidence import Evidence
from ..lessons.experiment import run as measure
from ..lessons.lesson_files import CONTENT, TEMPLATE, lesson, lessons
from ..lessons.values import Lesson
from ..lessons.verdicts import Finding, judge
from ..loaders.model_text import load, load_named
from .arguments.model import add_device, set_up
from .printing.output import followed, note, print_json, show, table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("names", nargs="*", metavar="LESSON", help="lessons by name (default: all)")
    parser.add_argument("--folder", metavar="PATH", help="lessons of your own: a folder of .toml files")
    parser.add_argument(
        "--new",
        metavar="FILE",
        help="write a first lesson to start from, with each line explained, and do nothing else",
    )
    parser.add_argument("--model", metavar="M", help="a different sample model than the lesson's own")
    parser.add_argument("--list", action="store_true", help="only list the lessons, measure nothing")
    parser.add_argument(
        "--keep",
        metavar="PATH",
        help="also write the measurements into this folder, one JSON file for each lesson",
    )
    parser.add_argument("--json", action="store_true", help="one JSON document instead of text")
    add_device(parser)


def run(arguments: argparse.Namespace) -> None:
    """Measure and print.

    Raises:
        ExplorerError: an unknown lesson or model, or a lesson file that is not valid.
    """
    if arguments.new:
        return _write_template(Path(arguments.new))
    folder = Path(arguments.folder) if arguments.folder else CONTENT
    if not folder.is_dir():
        raise ExplorerError(
            f"There is no folder {str(folder)!r}; give one that holds lessons as .toml files."
        )
    if arguments.keep and not Path(arguments.keep).is_dir():
        raise ExplorerError(
            f"There is no folder {arguments.keep[-200:]!r} to keep measurements in; create it."
        )
    chosen = [lesson(name, folder) for name in arguments.names] or list(lessons(folder).values())
    if arguments.list:
        return show(
            table(
                ["lesson", "name", "title", "minutes"],
                [[x.number, x.name, x.title, x.minutes] for x in chosen],
            )
        )
    device = set_up(arguments.device)
    found = [(one, *_measured(one, arguments.model, device, arguments.keep)) for one in chosen]
    if arguments.json:
        return print_json([_as_json(*entry) for entry in found])
    return show(_details(*found[0]) if len(found) == 1 else _overview(found))


@cache
def _opened(given: str | None, name: str) -> Analysed:
    """Open a model by name. The model of --model may be of any kind, but those of a lesson's file may not."""
    subject = load(name) if name == given else load_named(name)
    return analyse(subject)


def _measured(one: Lesson, given: str | None, device: str, keep: str | None) -> tuple[Evidence, Finding]:
    model = given or one.experiment.model
    evidence = followed(
        measure(one.experiment, model, partial(_opened, given), device),
        lambda now: f"{one.name}: {now.done} of {now.total} {now.label}",
    )
    finding = judge(one, evidence)
    if finding is None:
        raise ExplorerError(
            f"Lesson {one.name!r} could not measure everything that its claim needs on {model}."
        )
    if keep:
        _write(Path(keep) / f"{one.name}.json", evidence_files.to_json(evidence))
    return evidence, finding


def _write_template(path: Path) -> None:
    if path.suffix != ".toml" or path.exists():
        raise ExplorerError(f"{str(path)!r} must be a new file whose name ends in .toml.")
    _write_text(path, TEMPLATE.read_text(encoding="utf-8"))
    note(f"Wrote {path}; check it with: pruning-explorer lessons --folder {path.parent}")


def _write(path: Path, data: dict[str, Any]) -> None:
    _write_text(path, json.dumps(data, separators=(",", ":")) + "\n")


def _write_text(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ExplorerError(f"{str(path)!r} cannot be written ({error.strerror}).") from error


def _overview(lessons: list[tuple[Lesson, Evidence, Finding]]) -> str:
    rows = [
        [
            one.number,
            one.claim.text,
            wording.networks(one, evidence),
            wording.counted(evidence),
            wording.headline(finding),
        ]
        for one, evidence, finding in lessons
    ]
    return table(["lesson", "claim", "model", "measured on", "verdict"], rows)


def _details(one: Lesson, evidence: Evidence, finding: Finding) -> str:
    rows = [
        [
            comparison.case.name,
            f"{comparison.x * 100:g} %",
            wording.value(comparison),
            wording.wanted(comparison),
            wording.says(comparison.said),
        ]
        for comparison in finding.comparisons
    ]
    return "\n".join(
        [
            f"{one.number}. {one.title}: {wording.networks(one, evidence)}, {wording.counted(evidence)}",
            one.claim.text,
            "",
            table(["compared", "at", "measured (range)", "claimed", "says"], rows),
            "",
            f"{wording.headline(finding)}. {wording.explanation(one, finding)}",
        ]
    )


def _as_json(one: Lesson, evidence: Evidence, finding: Finding) -> dict[str, Any]:
    rows = [
        {
            "name": comparison.case.name,
            "x": comparison.x,
            "quantity": comparison.case.quantity,
            "estimate": comparison.estimate,
            "low": comparison.low,
            "high": comparison.high,
            "says": comparison.said,
        }
        for comparison in finding.comparisons
    ]
    return {
        "lesson": one.name,
        "number": one.number,
        "claim": one.claim.text,
        "model": evidence.model,
        "samples": evidence.samples,
        "verdict": finding.verdict,
        "stability": finding.stability,
        "level": finding.level,
        "comparisons": rows,
        "environment": dict(evidence.environment),
    }
