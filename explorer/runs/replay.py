"""Decides and measures a run's recipe again: are the masks the same bit for bit, and are as many samples
right?

The weights of a recovered model come from the file that its training wrote; they are measured again, not
trained again.
"""

import hashlib
import math
import uuid
from dataclasses import dataclass, replace

from ..engine.conditions import Conditions
from ..engine.measure import stream
from ..errors import ExplorerError
from ..graph.analysed import Analysed
from ..pruning.checks import check_recipe
from ..pruning.decision import calibrate, masks_for
from ..recovery.results import CUT_FIRST, recovered_masks, recovered_reports
from ..values.granularity import BLOCK, CHANNEL, PLURALS, WEIGHT
from ..values.profile import Masks
from ..values.progress import Step, Work, mapped
from ..values.report import Measurement, Report
from ..values.subject import Subject
from .stored_run import Run


def masks_fingerprint(masks: Masks) -> str:
    """Return a hash of every bit of the masks, with the names and shapes of their parts; equal masks have
    equal fingerprints.
    """
    digest = hashlib.sha256()
    for kind, parts in ((PLURALS[CHANNEL], masks.channels), (PLURALS[WEIGHT], masks.weights)):
        for name, mask in sorted(parts.items()):
            digest.update(f"{kind}\0{name}\0{tuple(mask.shape)}\0".encode())
            digest.update(mask.cpu().contiguous().numpy().tobytes())
    for name in masks.blocks:
        digest.update(f"{BLOCK}\0{name}\0".encode())
    return digest.hexdigest()[:24]


@dataclass(frozen=True)
class Replay:
    """The result of making a run again.

    Args:
        run: name of the run.
        masks: fingerprint of the new masks.
        same_masks: whether they equal the run's bit for bit; None if the run has no fingerprint.
        before: what the run measured.
        report: the new report, None until something was counted.
    """

    run: str
    masks: str
    same_masks: bool | None
    before: Measurement
    report: Report | None = None

    @property
    def same_count(self) -> bool | None:
        """Whether as many samples are right as in the run, or for a metric that doesn't count, whether the
        value is the same to six digits; None while that is not known.
        """
        if self.report is None or self.report.stage != "final" or self.before.value is None:
            return None
        now = self.report.pruned
        if now.metric != self.before.metric or now.value is None:
            return None
        if self.before.correct is not None:
            return now.correct == self.before.correct
        return math.isclose(now.value, self.before.value, rel_tol=1e-6, abs_tol=1e-9)


def replay(model: Analysed, run: Run, device: str = "cpu") -> Work[Replay]:
    """Make a run again; no earlier result is used.

    Raises:
        ExplorerError: the run is of another model or of other data, of held-out data, which is not opened for
            this, or of a recovered model whose weights are gone.
    """
    _check(model.subject, run)
    check_recipe(model.profile, run.report.recipe)
    recipe, measured = run.report.recipe, run.report.pruned
    anew = replace(
        model.subject, id=f"{model.subject.id} {uuid.uuid4().hex}"
    )  # under a new name, no earlier scores or counts are found
    yield from calibrate(Analysed(anew, model.graph), recipe, device)
    masks = masks_fingerprint(_masks(Analysed(anew, model.graph), run))
    replayed = Replay(run.name, masks, masks == run.masks if run.masks else None, measured)
    yield Step(replayed)
    dtype = str(run.report.environment.get("dtype", "float32"))
    how = Conditions(measured.samples or None, device=device, latency=False, dtype=dtype)
    after = run.recovery.recovery if run.recovery else None
    own = Analysed(anew, model.graph)
    reports = recovered_reports(own, after, how) if after else stream(own, recipe, how)
    yield from mapped(reports, lambda report: replace(replayed, report=report))


def _masks(model: Analysed, run: Run) -> Masks:
    """Return the masks, decided again; if a method decides masks while it trains, those in its file."""
    after = run.recovery.recovery if run.recovery else None
    if after is not None and after.plan.method not in CUT_FIRST:
        return recovered_masks(after.key)
    return masks_for(model, run.report.recipe)


def _check(subject: Subject, run: Run) -> None:
    about = run.report.subject
    if about["id"] not in subject.ids:
        raise ExplorerError(
            f"This run is of {str(about.get('name'))[:80]!r} with other weights than the model that is open "
            "now."
        )
    fingerprint = subject.task.fingerprint if subject.task else None
    if about.get("task_fingerprint") != fingerprint:
        raise ExplorerError(
            "This run was measured on other data than the model has now; start with that data to repeat it."
        )
    if run.report.split == "held_out":
        raise ExplorerError("A run on held-out data is not repeated: that would open the data once more.")
