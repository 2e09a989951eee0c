"""Measures more samples, on request, until it is known whether a recipe changes the accuracy: every look is
fixed in advance and makes the level stricter.

If you look repeatedly until a difference shows, you find one in the end. Here the looks double, all are
counted before the first, and each interval has the level 1 - 0.05 / looks, so the one at which it stops
contains the truth at least 95 % of the time.
"""

from dataclasses import replace

from ..errors import ExplorerError
from ..graph.analysed import Analysed
from ..measuring.statistics import look_schedule, looks_level
from ..values.progress import Step, Work
from ..values.recipe import Recipe
from ..values.report import Report
from .conditions import Conditions, first_look, split_for
from .measure import stream

EVERYTHING = Conditions()


def resolve(model: Analysed, recipe: Recipe, conditions: Conditions = EVERYTHING) -> Work[Report]:
    """Yield reports on more and more samples; ends at the first verdict that isn't "undecided", or with all
    samples of the split.

    A note of the last one says how many looks it took.

    Args:
        conditions: its number of samples is ignored, and no latency is measured.
    Raises:
        ExplorerError: there is no data, or the recipe does not fit the model.
    """
    if model.subject.task is None:
        raise ExplorerError("Without data there is no accuracy to compare; start with --data to add some.")
    everything = replace(conditions, samples=None, latency=False)
    looks = look_schedule(
        len(split_for(model.subject, everything)), first_look(model.subject, everything.device)
    )
    level = looks_level(len(looks))
    report: Report | None = None
    for step in stream(model, recipe, replace(everything, level=level)):
        report = step.value or report
        if report is not None and report.drop is not None and report.drop.verdict != "undecided":
            break
        yield step
    if report is not None:
        yield Step(replace(report, notes=(*report.notes, _summary(report, len(looks), level))))


def _summary(report: Report, looks: int, level: float) -> str:
    found = report.drop is not None and report.drop.verdict != "undecided"
    seen = f"{report.pruned.samples:,} of {report.total_samples:,} samples"
    how = f"each of {looks} looks, fixed in advance, had the level {level:.1%}".replace("%", " %")
    return f"{'Resolved' if found else 'Still undecided'} after {seen}: {how}."
