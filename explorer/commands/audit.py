"""Prove that the compact model computes the same as the masked one."""

import argparse
import time
from dataclasses import replace

from ..audit.audit import AuditReport, audit
from ..graph.analysed import Analysed
from ..graph.export import graph_of
from ..machine import cache
from ..machine.peak_memory import PeakMemory
from .arguments.model import add_model, check_names, loaded, set_up
from .arguments.recipe import add_recipe, recipe_of
from .printing.output import print_json, progress, show, table

RATIO = 0.5
NOT_VERIFIED = 1  # the exit code


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_model(parser, several=True)
    add_recipe(parser)
    parser.add_argument("--json", action="store_true", help="one JSON document (of several models a list)")


def run(arguments: argparse.Namespace) -> None:
    """Print a line, or a JSON object, for each model. Without a recipe every free group loses half of its
    units.

    Raises:
        ExplorerError: a model cannot be loaded, or the recipe does not fit it.
        SystemExit: with code 1 if some model is not verified.
    """
    set_up()
    check_names(arguments.model, arguments.checkpoint)
    reports = []
    for model in arguments.model:
        progress(f"auditing {model}")
        reports.append(_audited(model, arguments))
    progress("")
    if arguments.json:
        print_json([report.to_json() for report in reports] if len(reports) > 1 else reports[0].to_json())
    else:
        show(audit_text(reports))
    if not all(report.verified for report in reports):
        raise SystemExit(NOT_VERIFIED)


def _audited(model: str, arguments: argparse.Namespace) -> AuditReport:
    cache.free()  # memory of the previous model
    memory = PeakMemory()
    subject = loaded(model, arguments)
    started = time.perf_counter()
    graph = graph_of(subject)
    analysis = time.perf_counter() - started
    recipe = recipe_of(arguments, Analysed(subject, graph))
    found = audit(Analysed(subject, graph), None if recipe.is_empty else recipe, ratio=RATIO)
    whose = "model" if memory.own else "process"
    return replace(found, analysis_seconds=analysis, peak_memory_bytes=memory.bytes(), peak_memory_of=whose)


def audit_text(reports: list[AuditReport]) -> str:
    """Return a line for each model, then why some were not verified and which groups are frozen."""
    rows = [
        [
            r.model,
            "verified" if r.verified else "not verified",
            r.groups,
            len(r.frozen),
            r.params_before,
            r.params_after,
            _small(r.max_rel_diff),
            _small(r.negative_control),
            f"{r.analysis_seconds or 0:.1f}",
            f"{r.seconds:.1f}",
            f"{r.peak_memory_bytes / 1e9:.2f}",
        ]
        for r in reports
    ]
    columns = [
        "model",
        "verdict",
        "groups",
        "frozen",
        "params",
        "after",
        "largest difference",
        "negative control",
        "analysis s",
        "audit s",
        "peak GB",
    ]
    lines = [table(columns, rows)]
    lines += [f"\n{r.model} is not verified: {r.reason.rstrip('.')}." for r in reports if r.reason]
    for r in reports:
        lines += [f"{r.model}: {item['name']} stays whole ({item['reason']})." for item in r.frozen]
    return "\n".join(lines)


def _small(value: float | None) -> str:
    return "-" if value is None else f"{value:.1e}"
