"""Goes back to an earlier point of training and trains from there: with the weights of that point (the
lottery ticket), or only its learning rate.
"""

from ..graph.analysed import Analysed
from .finetuning import Course
from .phases import Known, Phase, Setting
from .students import DENSE, Student, fresh, make_student

SCHEDULE = "one_cycle"  # of the training that is rewound to


def rewound(setting: Setting, seed: int) -> list[Phase]:
    """Yield the phases of retraining from the epoch that is rewound to.

    Weights of an earlier epoch exist only if the training is repeated: then the dense model is first trained
    from new weights by the plan's own settings, its final weights decide what is cut, and its weights at the
    earlier epoch are retrained (Frankle et al. 2019, arXiv:1903.01611). With the learning rate alone, the
    model's own weights stay as they are (Renda et al. 2020, arXiv:2003.02389).
    """
    plan = setting.plan
    total = plan.rewind_epoch + plan.epochs
    course = Course(SCHEDULE, plan.rewind_epoch, total)
    if plan.rewind == "learning_rate":
        return [Phase("retraining", plan.epochs, lambda known: setting.student(), course)]
    rest = Phase("training on", plan.epochs, lambda known: _dense(setting, known), course, pruned=False)
    last = Phase("retraining", plan.epochs, lambda known: _ticket(setting, known, seed), course)
    name, begin, from_start = (
        "training from scratch",
        lambda known: _fresh(setting, seed),
        Course(SCHEDULE, 0, total),
    )
    if not plan.rewind_epoch:
        return [Phase(name, plan.epochs, begin, from_start, pruned=False), last]
    return [Phase(name, plan.rewind_epoch, begin, from_start, pruned=False, remember=True), rest, last]


def _fresh(setting: Setting, seed: int) -> Student:
    """Return the dense model with new weights."""
    student = setting.dense_student()
    fresh(student.model, seed)
    return student


def _dense(setting: Setting, known: Known) -> Student:
    return make_student(
        Analysed(setting.weighted(known.state), setting.model.graph), DENSE, setting.conditions.device
    )


def _ticket(setting: Setting, known: Known, seed: int) -> Student:
    """Return masks by the trained weights, on the weights of the earlier epoch."""
    masks = setting.cut(setting.weighted(known.state), setting.recipe).masks
    then = known.remembered if known.remembered is not None else _fresh(setting, seed).model.state_dict()
    return make_student(
        Analysed(setting.weighted(then), setting.model.graph), masks, setting.conditions.device
    )
