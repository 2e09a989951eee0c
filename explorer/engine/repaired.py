"""What least squares makes of a cut, next to what the cut alone does, on the same samples."""

from dataclasses import replace

from ..graph.analysed import Analysed
from ..measuring.evaluation import Execution, evaluate
from ..measuring.judging import judge_for
from ..measuring.precision import in_dtype
from ..measuring.tally import EMPTY, drop_between
from ..values.progress import PAUSE, Step, Work, result_of
from ..values.recipe import Recipe
from ..values.report import Report
from .candidate import prepared
from .conditions import Conditions, fitting_batch
from .dense_model import dense_candidate, dense_tallies, judged_split


def is_repairable(model: Analysed, recipe: Recipe) -> bool:
    """The recipe removes something, asks for no repair of its own, and there is what a repair needs."""
    task = model.subject.task
    trained = task is not None and bool(task.split("training"))
    return recipe.after == "none" and not recipe.is_empty and model.graph.program is not None and trained


def with_repaired(model: Analysed, report: Report, conditions: Conditions) -> Work[Report]:
    """The report with the repaired model's quality, on the samples of the pruned one."""
    task = model.subject.task
    assert task is not None
    recipe = replace(report.recipe, after="least_squares")
    candidate = yield from result_of(prepared(model, recipe, conditions.device))
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
