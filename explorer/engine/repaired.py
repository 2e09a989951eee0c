"""What least squares makes of a cut, next to what the cut alone does, on the same samples."""

import time
from dataclasses import replace

from ..graph.analysed import Analysed
from ..machine.cache import Cache
from ..measuring.evaluation import Execution, evaluate
from ..measuring.judging import judge_for
from ..measuring.precision import in_dtype
from ..measuring.tally import EMPTY, drop_between
from ..repair.calibration_inputs import is_quick
from ..values.progress import PAUSE, Returning, Step, Work
from ..values.recipe import Recipe
from ..values.report import Report
from .candidate import Candidate, prepared
from .conditions import Conditions, fitting_batch
from .dense_model import dense_candidate, dense_tallies, judged_split

MOST_SECONDS = 3.0  # of a measured repair, beyond which nobody should wait for one that was not asked for
_seconds = Cache(64, "measured seconds of repairs")


def is_repairable(model: Analysed, recipe: Recipe) -> bool:
    """The recipe removes something, asks for no repair of its own, and there is what a repair needs."""
    task = model.subject.task
    trained = task is not None and task.has("training")
    return recipe.after == "none" and not recipe.is_empty and model.graph.program is not None and trained


def repairs_quickly(model: Analysed, recipe: Recipe, device: str) -> bool:
    """Whether a repair can be done without being asked for: it is possible, needs few multiply-adds, and the
    last one of this model took few seconds of the processor.
    """
    if not is_repairable(model, recipe):
        return False
    known: float | None = _seconds.get((model.subject.id, device))
    small = is_quick(model.profile.macs, model.subject.example[:1].numel())
    return small and (known is None or known <= MOST_SECONDS)


def _clocked(model: Analysed, recipe: Recipe, device: str) -> Returning[Candidate]:
    """Return the repaired model; remembers the seconds of this thread's processor, which other programs do
    not lengthen.
    """
    work, seconds = prepared(model, recipe, device), 0.0
    while True:
        started = time.thread_time()
        step = next(work)
        seconds += time.thread_time() - started
        if step.value is not None:
            _seconds.put((model.subject.id, device), seconds)
            return step.value
        yield Step(progress=step.progress)


def with_repaired(model: Analysed, report: Report, conditions: Conditions) -> Work[Report]:
    """The report with the repaired model's quality, on the samples of the pruned one."""
    task = model.subject.task
    assert task is not None
    recipe = replace(report.recipe, after="least_squares")
    candidate = yield from _clocked(model, recipe, conditions.device)
    split, look = judged_split(model, conditions), report.pruned.samples
    dense = in_dtype(dense_candidate(model, conditions.device).model, conditions.dtype)
    batch, judge = fitting_batch(model.subject, conditions.device), judge_for(task)
    base = tally = EMPTY
    for base in dense_tallies(dense, model.subject, split, conditions, look, _unsaid):
        if len(base) < look:
            yield PAUSE
    small = in_dtype(candidate.model, conditions.dtype)
    how = Execution(conditions.device, batch, judge=judge)
    for tally in evaluate(small, split, task.normalisation, [look], how):
        if len(tally) < look:
            yield PAUSE
    measurement = replace(
        tally.measurement(),
        params=candidate.static.params,
        nonzero_params=candidate.static.nonzero_params,
        macs=candidate.static.macs,
        size_bytes=candidate.static.size_bytes,
    )
    drop = drop_between(base, tally, conditions.level)
    yield Step(replace(report, repaired=measurement, repaired_drop=drop))


def _unsaid(note: str) -> None:
    """The pruned model's measurement has said it already."""
