"""A recovery as a sequence of phases: each decides what is trained, and trains it for some epochs."""

from collections.abc import Callable
from dataclasses import dataclass

from ..engine.conditions import Conditions
from ..errors import ExplorerError
from ..graph.analysed import Analysed
from ..pruning.cutting import Cut
from ..pruning.decision import decide
from ..repair.bn_recalibration import recalibrate
from ..values.recipe import Recipe
from ..values.subject import Subject
from .finetuning import Course
from .students import DENSE, State, Student, fresh, make_student, with_state
from .training_plan import RecoveryPlan


@dataclass(frozen=True, eq=False)
class Setting:
    """What does not change during a recovery."""

    model: Analysed
    recipe: Recipe
    plan: RecoveryPlan
    conditions: Conditions

    def cut(self, subject: Subject, recipe: Recipe) -> Cut:
        """Return the masks of a recipe for this subject's weights."""
        return decide(Analysed(subject, self.model.graph), recipe, self.conditions.device)

    def student(self, subject: Subject | None = None, recipe: Recipe | None = None) -> Student:
        """Return a trainable copy of a subject (default: the given one), cut by a recipe (default: the whole)
        that rates its weights.
        """
        chosen = subject or self.model.subject
        masks = self.cut(chosen, self.recipe if recipe is None else recipe).masks
        return make_student(Analysed(chosen, self.model.graph), masks, self.conditions.device)

    def dense_student(self) -> Student:
        return make_student(self.model, DENSE, self.conditions.device)

    def weighted(self, state: State) -> Subject:
        """Return the subject with other weights."""
        return with_state(self.model.subject, state)


@dataclass(frozen=True, eq=False)
class Known:
    """What earlier phases left, in the dense model's shapes.

    Args:
        state: at the end of the last one; before the first, the subject's own.
        student: of the last one, with its masks; None before the first.
        remembered: the state at the end of the phase that had to remember it.
    """

    state: State
    student: Student | None = None
    remembered: State | None = None


@dataclass(frozen=True, eq=False)
class Phase:
    """Some epochs of training (or none) after a decision.

    Args:
        begin: returns what is trained.
        pruned: the student is cut by the recipe or a part of it.
        remember: keep its last state for a later phase.
    """

    name: str
    epochs: int
    begin: Callable[[Known], Student]
    course: Course
    pruned: bool = True
    remember: bool = False


def finetuned(setting: Setting, seed: int) -> list[Phase]:
    """Yield one phase: cut once, then train; with a teacher if the plan has one."""
    plan = setting.plan
    return [
        Phase(
            "fine-tuning", plan.epochs, lambda known: setting.student(), Course(plan.schedule, 0, plan.epochs)
        )
    ]


def recalibrated(setting: Setting, seed: int) -> list[Phase]:
    """Yield one phase: cut, and measure the statistics of norms again; nothing is trained.

    Raises:
        ExplorerError: the model has no batch norms.
    """

    def begin(known: Known) -> Student:
        student, task = setting.student(), setting.model.subject.task
        training = task.split("training") if task else None
        if (
            task is None
            or training is None
            or not recalibrate(student.model, training, task.normalisation, device=setting.conditions.device)
        ):
            raise ExplorerError(
                f"{setting.model.subject.name!r} has no batch norms to recalibrate; "
                "choose a method that trains."
            )
        return student

    return [Phase("recalibration", 0, begin, Course("constant", 0, 1))]


def from_scratch(setting: Setting, seed: int) -> list[Phase]:
    """Yield the same smaller model, or the same masks, with weights drawn again (Liu et al. 2019,
    arXiv:1810.05270).
    """
    plan = setting.plan

    def begin(known: Known) -> Student:
        student = setting.student()
        fresh(student.model, seed)
        student.hold()
        return student

    return [Phase("training from scratch", plan.epochs, begin, Course(plan.schedule, 0, plan.epochs))]


def regularised(setting: Setting, seed: int) -> list[Phase]:
    """Yield the phases: train the dense model with a penalty, cut it by the resulting weights, then
    fine-tune.
    """
    plan = setting.plan
    rest = plan.epochs - plan.penalty_epochs
    course = Course(plan.schedule, 0, plan.penalty_epochs, plan.penalty)
    name = f"training with {plan.penalty}"
    pulled = Phase(name, plan.penalty_epochs, lambda known: setting.dense_student(), course, pruned=False)
    after = Course(plan.schedule, 0, rest)
    return [
        pulled,
        Phase("fine-tuning", rest, lambda known: setting.student(setting.weighted(known.state)), after),
    ]
