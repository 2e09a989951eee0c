"""Measure one question on several models, resumably: which live number predicts the retrained model."""

import argparse
from collections.abc import Sequence

from ..engine.conditions import Conditions
from ..figures.live_numbers import live_numbers as live_figure
from ..figures.standalone import CONFIG
from ..measuring.metric_words import metric_title
from ..studies.live_numbers import NUMBERS, Correlation, LiveNumbers, LivePlan, live_numbers, pooled
from .arguments.model import add_device, add_model, opened, set_up
from .printing.files import write
from .printing.output import counted, followed, percent, print_json, show, table

QUESTIONS = {
    "live-numbers": "which number right after a cut orders recipes as retraining does",
}
USUAL = LivePlan()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    about = "; ".join(f"{name}: {words}" for name, words in QUESTIONS.items())
    parser.add_argument("question", metavar="QUESTION", choices=tuple(QUESTIONS), help=about)
    add_model(parser, several=True)
    add = parser.add_argument
    add(
        "--recipes",
        type=int,
        default=USUAL.recipes,
        metavar="N",
        help=f"random and allocated recipes of each model (default: {USUAL.recipes})",
    )
    add(
        "--left",
        type=float,
        default=USUAL.left,
        metavar="X",
        help=f"share of the parameters that each leaves (default: {USUAL.left:g})",
    )
    add(
        "--granularity",
        choices=("channel", "weight"),
        default=USUAL.granularity,
        help=f"what is removed (default: {USUAL.granularity})",
    )
    add(
        "--epochs",
        type=int,
        default=USUAL.epochs,
        metavar="N",
        help=f"of each retraining (default: {USUAL.epochs})",
    )
    add("--training", type=int, metavar="N", help="retrain on the first N training samples (default: all)")
    add("--once", action="store_true", help="do not retrain a second time with another seed")
    add("--samples", type=int, metavar="N", help="measure on the first N of the tuning split (default: all)")
    add("-o", "--output", metavar="FILE", help="draw the figure into this .html file")
    add("--json", action="store_true", help="one JSON document instead of text")
    add_device(parser)


def run(arguments: argparse.Namespace) -> None:
    """Print the rank correlations of each model, and their mean. After Ctrl+C the same command continues
    where it was.

    Raises:
        ExplorerError: a model, its data or the plan are not valid.
    """
    device = set_up(arguments.device)
    plan = LivePlan(
        arguments.recipes,
        arguments.left,
        arguments.granularity,
        arguments.epochs,
        arguments.training,
        not arguments.once,
    )
    studies = []
    for name in arguments.model:
        one = argparse.Namespace(**{**vars(arguments), "model": name})
        work = live_numbers(opened(one), plan, Conditions(arguments.samples, device=device))
        studies.append(followed(work, counted))
    if arguments.output:
        drawn = live_figure(studies).to_html(config=CONFIG)
        write(arguments.output, drawn.encode())
    if arguments.json:
        return print_json(as_json(studies))
    parts = [_text(study) for study in studies]
    if len(studies) > 1:
        parts.append(_table(f"Mean of {len(studies)} models", "their metric", pooled(studies)))
    return show("\n\n".join(parts))


def as_json(studies: Sequence[LiveNumbers]) -> dict[str, object]:
    """Return every model's numbers and correlations, and the mean over models, as JSON data."""
    means = {
        quantity: [vars(one) | {"verdict": one.verdict} for one in pooled(studies, quantity)]
        for quantity in ("value", "loss")
    }
    return {"question": "live-numbers", "models": [study.to_json() for study in studies], "mean": means}


def _text(study: LiveNumbers) -> str:
    plan = study.plan
    retrained = sorted(b for _, _, b in study.pairs("one_shot"))
    head = (
        f"{study.subject}: {len(study.tried)} recipes of {plan.granularity}s that leave "
        f"{percent(plan.left)} of the parameters, {study.samples:,} tuning samples, {plan.epochs} epochs; "
        f"retrained from {retrained[0]:.3g} to {retrained[-1]:.3g}"
    )
    by_metric = _table(head, metric_title(study.metric).lower(), study.correlations())
    return f"{by_metric}\n\n{_table('The same by loss', 'loss', study.correlations('loss'))}"


def _table(head: str, quantity: str, rows: Sequence[Correlation]) -> str:
    columns = ["number", f"rank correlation, {quantity}", "minus right after the cut", ""]
    return f"{head}\n\n" + table(columns, [_row(one) for one in rows])


def _row(one: Correlation) -> list[str]:
    gain = (
        "" if one.number == "one_shot" else f"{one.gain:+.2f} ({one.gain_low:+.2f} to {one.gain_high:+.2f})"
    )
    own = f"{one.estimate:.2f} ({one.low:.2f} to {one.high:.2f})"
    return [NUMBERS[one.number], own, gain, one.verdict]
