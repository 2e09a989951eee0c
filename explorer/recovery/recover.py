"""recipe + plan + subject -> the recovered model and what was measured meanwhile. The subject is never
modified.
"""

from pathlib import Path

from torch import nn

from ..engine.conditions import Conditions
from ..errors import ExplorerError
from ..graph.analysed import Analysed
from ..values.progress import Work
from ..values.recipe import Recipe
from .checkpoints import key_of, masks_of, unpacked
from .disk_limit import make_room
from .phases import Setting
from .recovery_run import RecoveryRun, result_state
from .students import make_student, set_state
from .training_plan import RecoveryPlan
from .values import Recovery

ALL = Conditions()
GONE = "The recovered weights are no longer in the cache; start the recovery again."


def recover(
    model: Analysed,
    recipe: Recipe,
    plan: RecoveryPlan,
    conditions: Conditions = ALL,
    *,
    root: Path | None = None,
) -> Work[Recovery]:
    """Prune, then train as planned. Yields Progress at least once per batch, and a Recovery whenever there is
    something new to show.

    The model is trained on the training split alone and measured on the tuning split, which also decides an
    early stop. Close it to stop; the same call continues where it was, even in another process, with the same
    result.

    Args:
        recipe: its `after` is ignored; recalibration is measured anyway.
        conditions: how many tuning samples, and the device.
        root: folder of all recoveries (default: in the cache).
    Raises:
        ExplorerError: there is no training data, or the folder cannot be written.
    """
    own = key_of(model.subject, recipe, plan, conditions)
    make_room(root, own=[own])
    yield from RecoveryRun(Setting(model, recipe, plan, conditions), root).steps()
    make_room(root, own=[own])


def recovered_model(model: Analysed, key: str, *, root: Path | None = None) -> nn.Module:
    """Return the model that a recovery has kept, compact, on the processor, in eval mode.

    Raises:
        ExplorerError: no such recovery is finished on this machine.
    """
    tensors = result_state(key, root)
    if tensors is None:
        raise ExplorerError(GONE)
    student = make_student(model, masks_of(tensors))
    set_state(student, unpacked(tensors, "model"))
    return student.model.eval()
