"""Estimates what a recovery will cost before it begins: epochs and samples exactly, seconds from a few
measured batches.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch

from ..engine.conditions import Conditions, split_for
from ..engine.dense_model import judged_split
from ..graph.analysed import Analysed
from ..measuring.evaluation import Execution, evaluate
from ..measuring.judging import judge_for
from ..training.steps import training_split
from ..values.progress import Step, Work, reached
from ..values.recipe import Recipe
from ..values.subject import Subject
from .finetuning import Means, Training
from .phases import Setting
from .recovery_run import PHASES
from .students import Student
from .training_plan import RecoveryPlan

BATCHES = 6  # measured of each kind; the first of each also sets things up and does not count
LOOKED = 256  # samples of a timed measurement


@dataclass(frozen=True)
class Cost:
    """The cost of a plan.

    Args:
        epochs, samples: trained in all, over all seeds and epochs.
        seconds: an estimate from a few batches on this machine now; None before it was measured.
        batches: how many were timed.
    """

    epochs: int
    samples: int
    seconds: float | None = None
    batches: int = 0


def counted(subject: Subject, plan: RecoveryPlan) -> Cost:
    """Return the cost as far as it is known without measuring.

    Raises:
        ExplorerError: there is no training split, or it is smaller than a batch.
    """
    assert subject.task is not None
    epochs = plan.trained_epochs * len(plan.seeds)
    a_pass = len(training_split(subject.task, plan.batch_size)) // plan.batch_size * plan.batch_size
    return Cost(epochs, epochs * a_pass)


def estimate(model: Analysed, recipe: Recipe, plan: RecoveryPlan, conditions: Conditions) -> Work[Cost]:
    """Yield Progress at each timed batch, and at the end the Cost with its seconds.

    Times the training of the dense model and of the fully pruned one; rounds in between count as their mean.
    A teacher adds one pass of the dense model per batch. An early stop would make it shorter.

    Raises:
        ExplorerError: there is no data, or the recipe does not fit.
    """
    setting, cost = (
        Setting(model, recipe, plan, conditions),
        counted(model.subject, plan),
    )
    samples = len(split_for(model.subject, conditions))
    students = {True: setting.student(), False: setting.dense_student()}
    seconds: dict[bool, float] = {}
    looking: dict[bool, float] = {}
    for number, (pruned, student) in enumerate(students.items()):
        for done, (trained, looked) in enumerate(_timed(setting, student), 1):
            seconds[pruned], looking[pruned] = trained, looked
            yield reached(number * BATCHES + done, 2 * BATCHES, "Timing a few batches")

    def mean(times):
        return (times[True] + times[False]) / 2

    total, steps = 0.0, cost.samples // plan.batch_size // max(1, cost.epochs)
    for phase in PHASES[plan.method](setting, plan.seeds[0]):
        between = plan.method in ("iterative", "gradual") and phase.pruned
        a_step, a_look = (mean(times) if between else times[phase.pruned] for times in (seconds, looking))
        taught = plan.distillation_weight and phase.pruned
        a_step += looking[False] * plan.batch_size if taught else 0.0
        total += phase.epochs * steps * a_step + (phase.epochs + 1) * samples * a_look
    yield Step(replace(cost, seconds=total * len(plan.seeds), batches=2 * (BATCHES - 1)))


def _timed(setting: Setting, student: Student) -> Iterator[tuple[float, float]]:
    """Yield the seconds of a training step and of a measured sample, the fastest so far, after each timed
    batch.
    """
    task, plan, device = setting.model.subject.task, setting.plan, setting.conditions.device
    assert task is not None
    course = PHASES["finetune"](setting, 0)[0].course
    training = Training(student, task, plan, course, (0, 0), Means(device=device))
    split = judged_split(setting.model, setting.conditions).first(LOOKED)
    how = Execution(device, judge=judge_for(task))
    a_step = a_sample = float("inf")
    for index in range(BATCHES):
        started = _now(device)
        training.step(0, index % training.steps)
        trained = _now(device)
        *_, tally = evaluate(student.model, split, task.normalisation, [len(split)], how)
        if index:
            a_step, a_sample = (
                min(a_step, trained - started),
                min(a_sample, (_now(device) - trained) / len(tally)),
            )
        yield a_step, a_sample


def _now(device: str) -> float:
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()
