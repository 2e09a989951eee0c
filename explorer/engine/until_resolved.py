"""More samples, on request, until it is known whether a recipe changes the accuracy: every look is fixed in
advance and paid for.

Whoever looks again until a difference shows finds one in the end. Here the looks double, all are counted
before the first, and each interval has the level 1 - 0.05 / looks, so the one at which it stops holds the
truth at least 95 % of the time.
"""

from collections.abc import Iterator
from dataclasses import replace

from ..errors import ExplorerError
from ..graph.analysed import Analysed
from ..measuring.statistics import look_schedule, looks_level
from ..values.recipe import Recipe
from ..values.report import Report
from .conditions import Conditions, first_look, split_for
from .measure import stream

EVERYTHING = Conditions()


def resolve(model: Analysed, recipe: Recipe, conditions: Conditions = EVERYTHING) -> Iterator[Report]:
    """Reports on more and more samples; ends at the first verdict that isn't "undecided", or with all samples
    of the split.

    The same report may come several times, as places to be stopped at. The last one says in a note what it
    took.

    Args:
        conditions: its number of samples is passed over, and no latency is measured.
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
    for report in stream(model, recipe, replace(everything, level=level)):
        if report.drop is not None and report.drop.verdict != "undecided":
            break
        yield report
    if report is not None:
        yield replace(report, notes=(*report.notes, _told(report, len(looks), level)))


def _told(report: Report, looks: int, level: float) -> str:
    found = report.drop is not None and report.drop.verdict != "undecided"
    seen = f"{report.pruned.samples:,} of {report.total_samples:,} samples"
    how = f"each of {looks} looks, fixed in advance, had the level {level:.1%}".replace("%", " %")
    return f"{'Resolved' if found else 'Still undecided'} after {seen}: {how}."
