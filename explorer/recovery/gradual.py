"""Prunes while training: from new random weights, a little more in each round, along one learning-rate
schedule.
"""

from .finetuning import Course
from .iterative import cut_further
from .phases import Known, Phase, Setting
from .schedules import shares, strengths
from .students import Student, fresh


def gradual(setting: Setting, seed: int) -> list[Phase]:
    """Yield the phases: the first round trains the whole model from new weights; each later one begins with a
    further cut (Zhu and Gupta 2017).

    With two rounds and everything cut at once, this is pruning after training, with as many epochs in all.
    """
    plan = setting.plan
    parts = shares(plan.epochs, plan.rounds)
    cuts = strengths(plan.round_schedule, plan.rounds - 1) if plan.rounds > 2 else (1.0,)
    first = Phase(
        "training from scratch",
        parts[0],
        lambda known: _fresh(setting, seed),
        _course(setting, 0),
        pruned=False,
    )
    begun = [sum(parts[:number]) for number in range(1, plan.rounds)]
    return [first, *(_round(setting, *entry) for entry in zip(cuts, begun, parts[1:], strict=True))]


def _course(setting: Setting, epoch: int) -> Course:
    return Course(setting.plan.schedule, epoch, setting.plan.epochs)


def _round(setting: Setting, strength: float, begun: int, epochs: int) -> Phase:
    def begin(known: Known) -> Student:
        return cut_further(setting, known, setting.recipe.scaled(strength))

    return Phase(f"{strength:.0%} of the cut", epochs, begin, _course(setting, begun))


def _fresh(setting: Setting, seed: int) -> Student:
    student = setting.dense_student()
    fresh(student.model, seed)
    return student
