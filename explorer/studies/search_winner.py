"""Measures the winner of a search once more: the best of many tries was also lucky."""

from dataclasses import replace

from ..engine.conditions import Conditions
from ..engine.measure import stream
from ..errors import ExplorerError
from ..graph.analysed import Analysed
from ..machine import paths
from ..runs.held_out import held_out
from ..runs.store import Store
from ..values.progress import Work, mapped
from ..values.report import Report
from .search_journal import TAG
from .search_trials import Search

EVERYTHING = Conditions()


def check_winner(
    model: Analysed,
    search: Search,
    conditions: Conditions = EVERYTHING,
    *,
    store: Store | None = None,
) -> Work[Report]:
    """Measure the winner once on held-out data: the opening is counted, and the Report says so and is stored.

    Raises:
        ExplorerError: there is no winner, or no held-out data.
    """
    winner, runs = search.winner, store or Store(paths.cache())
    if winner is None:
        raise ExplorerError(
            f"There is no trial in which {search.limit}, so there is no winner; allow more, or run more "
            "trials."
        )
    runs.check_room()
    how, sentence = held_out(model.subject, replace(conditions, samples=None, latency=False), runs)
    note, tags = f"winner of a search, trial {winner.number}", [TAG, "held-out"]

    def kept(measured: Report) -> Report:
        report = replace(measured, notes=(*measured.notes, sentence))
        if report.stage == "final":
            runs.put(report, note=note, tags=tags, parent=winner.run)
        return report

    yield from mapped(stream(model, winner.recipe, how), kept)
