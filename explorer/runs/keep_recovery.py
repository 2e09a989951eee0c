"""Stores a finished recovery as a run, below the run of the recipe that it came from."""

from dataclasses import dataclass, replace
from pathlib import Path

from ..engine.conditions import Conditions
from ..engine.measure import stream
from ..graph.analysed import Analysed
from ..machine.environment import environment
from ..pruning.decision import calibrate, masks_for
from ..recovery.results import dense_control, recovered_masks, recovered_reports
from ..recovery.values import Recovery
from ..recovery.what_was_done import Kept
from ..values.progress import Returning, Step, Work, reached
from ..values.report import Report
from .replay import masks_fingerprint
from .store import Store
from .stored_run import RunKey

TAG = "recovered"


@dataclass(frozen=True)
class Remarks:
    """What a user says about a run that is kept.

    Args:
        note: free text.
        origin: name of the run that its recipe was made from, if any.
    """

    note: str = ""
    origin: str | None = None


NOTHING = Remarks()


def keep(
    model: Analysed,
    recovery: Recovery,
    conditions: Conditions,
    store: Store,
    *,
    remarks: Remarks = NOTHING,
    root: Path | None = None,
) -> Work[str]:
    """Measure the recovered model like any other, keep it, and yield the run's name at the end.

    The merely pruned model is its parent in the tree; if that is not kept yet, it is measured and kept first.

    Args:
        conditions: under which the recovery was made.
        remarks: what a user says about the run.
    Raises:
        ExplorerError: the recovered weights are no longer in the cache, or the store cannot be written.
    """
    masks = masks_fingerprint(recovered_masks(recovery.key, root))  # first, because it may fail
    same = replace(conditions, samples=recovery.total_samples, dtype="float32")  # as in the recovery
    parent = yield from _one_shot(model, recovery, same, store, remarks.origin)
    reports = recovered_reports(model, recovery, same, root=root)
    report = yield from _measured(reports, "Measuring the recovered model")
    kept = Kept(recovery, dense_control(model.subject, recovery.plan, conditions, root))
    yield Step(store.put(report, note=remarks.note, tags=[TAG], parent=parent, masks=masks, recovery=kept))


def _one_shot(
    model: Analysed,
    recovery: Recovery,
    conditions: Conditions,
    store: Store,
    origin: str | None,
) -> Returning[str]:
    """Return the name of the run of the recipe alone."""
    where = environment(conditions.device) | {"dtype": conditions.dtype}
    key = RunKey.wanted(model.subject, recovery.recipe, recovery.total_samples, conditions.split, where)
    if store.get(key) is not None:
        return key.name
    yield from calibrate(model, recovery.recipe, conditions.device)
    report = yield from _measured(stream(model, recovery.recipe, conditions), "Measuring the pruned model")
    masks = masks_fingerprint(masks_for(model, recovery.recipe))
    return store.put(report, parent=origin, masks=masks)


def _measured(reports: Work[Report], label: str) -> Returning[Report]:
    report: Report | None = None
    for step in reports:
        report = step.value or report
        if report is not None:
            yield reached(report.pruned.samples, report.total_samples, label)
    assert report is not None
    return report
