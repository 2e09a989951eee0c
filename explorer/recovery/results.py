"""Turns a finished recovery into what any other model has: masks, the model itself, and a Report."""

from dataclasses import replace
from pathlib import Path

from ..engine.candidate import Candidate, described
from ..engine.conditions import Conditions
from ..engine.measure import measure
from ..errors import ExplorerError
from ..graph.analysed import Analysed
from ..measuring.memory_layout import laid_out
from ..pruning.cutting import Cut
from ..pruning.decision import decide
from ..values.profile import Masks
from ..values.progress import Work
from ..values.recipe import Recipe
from ..values.report import Report
from ..values.subject import Subject
from .checkpoints import CHECKPOINT, RESULT, Folder, key_of, masks_of
from .controls import Control, controls
from .recover import GONE, recovered_model
from .training_plan import RecoveryPlan
from .values import MeasuredArm, Recovery
from .what_was_done import done

# methods that cut the subject's original weights, so that the recipe alone decides the masks
CUT_FIRST = ("finetune", "distill", "scratch", "recalibrate")


def finished(key: str, root: Path | None = None) -> Recovery | None:
    """Return the recovery of that key, if it was finished on this machine."""
    found = Folder(key, root).read(CHECKPOINT)
    if found is None:
        return None
    try:
        state = Recovery.from_json(found[1]["recovery"])
    except (KeyError, TypeError, ExplorerError):  # written by another version
        return None
    return state if state.finished else None


def dense_control(
    subject: Subject, plan: RecoveryPlan, conditions: Conditions, root: Path | None = None
) -> MeasuredArm | None:
    """Return the dense model after the same training, if that was finished on this machine."""
    control = controls(Recipe(), plan)[0]
    run = (
        finished(key_of(subject, control.recipe, control.plan, conditions), root)
        if plan.trained_epochs
        else None
    )
    return run.recovered[0] if run and run.recovered else None


def known_controls(
    subject: Subject, found: Recovery, conditions: Conditions, root: Path | None = None
) -> tuple[tuple[Control, Recovery | None], ...]:
    """Return the fair controls of a recovery, each with its result if it was finished on this machine."""
    fair = controls(found.recipe, found.plan) if found.plan.trained_epochs else ()
    return tuple((c, finished(key_of(subject, c.recipe, c.plan, conditions), root)) for c in fair)


def recovered_masks(key: str, root: Path | None = None) -> Masks:
    """Return the masks of a recovery, bit for bit; some methods decide them again while they train.

    Raises:
        ExplorerError: the file is no longer there.
    """
    found = Folder(key, root).read(RESULT)
    if found is None:
        raise ExplorerError(GONE)
    return masks_of(found[0])


def recovered_candidate(
    model: Analysed, recovery: Recovery, device: str = "cpu", *, root: Path | None = None
) -> Candidate:
    """Return the recovered model with its parameters, MACs and sizes.

    Raises:
        ExplorerError: its weights are no longer in the cache.
    """
    network = laid_out(recovered_model(model, recovery.key, root=root), device)
    decided = Cut(recovered_masks(recovery.key, root), decide(model, recovery.recipe, device).outcomes)
    seed = recovery.plan.seeds[0]
    return described(
        model, network, decided, (f"After the cut: {done(recovery.plan)}, seed {seed}.",), device
    )


def recovered_reports(
    model: Analysed, recovery: Recovery, conditions: Conditions, *, root: Path | None = None
) -> Work[Report]:
    """Yield the same as `stream` for a pruned model, but for the recovered one.

    Raises:
        ExplorerError: its weights are no longer in the cache, or the split does not exist.
    """
    candidate = recovered_candidate(model, recovery, conditions.device, root=root)
    yield from measure(model, replace(recovery.recipe, after="none"), candidate, conditions)
