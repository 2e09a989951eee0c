"""Measure sensitivity: the accuracy as one part's ratio varies, the others unpruned."""

import argparse

from ..engine.conditions import Conditions
from ..errors import ExplorerError
from ..graph.analysed import Analysed
from ..measuring.metric_words import metric_title
from ..measuring.number_words import format_drop, format_value
from ..studies.block_scan import block_scan
from ..studies.sensitivity.findings import PointFinding
from ..studies.sensitivity.values import RATIOS, ScanPlan, SensitivityPoint
from ..values.choice import Choice
from ..values.granularity import BLOCK, CHANNEL, GRANULARITIES
from ..values.progress import Progress
from ..values.recipe import Recipe
from .arguments.cluster import add_cluster, studies_of
from .arguments.model import add_device, add_model, opened, set_up
from .printing.output import followed, note, percent, print_json, show, table
from .printing.report_text import quality

MOST = 99  # ratios of one scan


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_model(parser)
    parser.add_argument(
        "--granularity",
        choices=GRANULARITIES,
        default=CHANNEL,
        help="what a part is (default: channel)",
    )
    parser.add_argument(
        "--ratios", metavar="FROM:TO:STEP", help="or a list such as 0.2,0.5 (default: 0.1:0.9:0.1)"
    )
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--exact", action="store_true", help="count every sample at every point")
    how.add_argument(
        "--tolerance",
        type=float,
        default=0.01,
        metavar="T",
        help="a point is done once what all samples would say is known to within T, or a fifth of the drop "
        "(default: 0.01)",
    )
    parser.add_argument(
        "--criterion", default="l1", metavar="NAME", help="see 'pruning-explorer criteria' (default: l1)"
    )
    parser.add_argument(
        "--after",
        choices=("none", "least_squares"),
        default="none",
        help="least_squares repairs each point before it is measured, without training (default: none)",
    )
    parser.add_argument("--samples", type=int, metavar="N", help="only the first N of the tuning split")
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")
    add_device(parser)
    add_cluster(parser)


def ratios_of(text: str | None) -> tuple[float, ...]:
    """Parse `0.1:0.9:0.1` or `0.2,0.5` into ratios.

    Raises:
        ExplorerError: it is neither, or there are too many.

    >>> ratios_of("0.1:0.5:0.2")
    (0.1, 0.3, 0.5)
    """
    if text is None:
        return RATIOS
    try:
        if ":" not in text:
            return tuple(float(word) for word in text.split(","))
        start, stop, step = (float(word) for word in text.split(":"))
        count = round((stop - start) / step) + 1 if step > 0 else 0
    except (ValueError, OverflowError) as error:
        raise ExplorerError(
            f"--ratios must be FROM:TO:STEP or a list such as 0.2,0.5, got {text!r}."
        ) from error
    if not 1 <= count <= MOST:
        raise ExplorerError(f"--ratios must name 1 to {MOST} ratios with a step above 0, got {text!r}.")
    return tuple(round(start + i * step, 4) for i in range(count))


def run(arguments: argparse.Namespace) -> None:
    """Print a line for each point once all are measured. Points that were measured before are reused.

    "in the family" judges all points of the scan together (Holm); the words about a change judge its point
    alone.

    Raises:
        ExplorerError: the model, the criterion or a ratio is not valid.
    """
    set_up()
    tolerance = None if arguments.exact else arguments.tolerance
    recipe = Recipe(criterion=Choice(arguments.criterion), after=arguments.after)
    if arguments.granularity == BLOCK:
        device = set_up(arguments.device)
        conditions = Conditions(arguments.samples, device=device, latency=False)
        return _blocks(arguments, opened(arguments), conditions)
    plan = ScanPlan(arguments.granularity, ratios_of(arguments.ratios), tolerance, recipe)
    model = opened(arguments)
    with studies_of(arguments) as studies:
        conditions = Conditions(arguments.samples, device=studies.device(arguments.device))
        result = followed(studies.scan(model, plan, conditions), _words)
    for text in result.notes:
        note(text)
    if arguments.json:
        return print_json(result.to_json())
    judged, metric = result.findings(), result.baseline.metric or "accuracy"
    rows = [_row(point, judged[point.part, point.ratio], result.has_loss) for point in result.points]
    return show(
        table(["part", "ratio", "removed", metric_title(metric), "loss", "in the family", "change"], rows)
    )


def _blocks(arguments: argparse.Namespace, model: Analysed, conditions: Conditions) -> None:
    """Print the model's quality without each block alone."""
    blocks = followed(block_scan(model, conditions, arguments.after), _words)
    if arguments.json:
        return print_json(blocks.to_json())
    rows = [
        [
            name,
            f"{model.profile.free_blocks[name].params:,}",
            f"{model.profile.free_blocks[name].macs:,}",
            f"{blocks.influence[name]:.4f}" if name in blocks.influence else "-",
            quality(report.pruned, report.total_samples),
            format_drop(report.drop) if report.drop else "-",
        ]
        for name, report in blocks.reports.items()
    ]
    metric = next(iter(blocks.reports.values())).baseline.metric or "accuracy"
    head = [BLOCK, "parameters", "MACs", "influence", metric_title(metric), "change"]
    return show(table(head, rows))


def _words(now: Progress) -> str:
    return f"{now.done:,} of {now.total:,} {now.label}".rstrip()


def _row(point: SensitivityPoint, finding: PointFinding, has_loss: bool) -> list[str]:
    value = point.correct / point.samples if point.value is None else point.value
    seen = f"{format_value(value, point.drop.unit)} of {point.samples:,}"
    grown = f"{point.loss_growth:+.3f}" if has_loss else "-"
    return [
        point.part,
        percent(point.ratio),
        percent(point.achieved),
        seen,
        grown,
        finding.word,
        format_drop(point.drop),
    ]
