"""Runs a recovery: seed after seed, phase after phase, saved to disk so that it can continue after it is
killed.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from torch import Tensor

from ..engine.candidate import build
from ..errors import ExplorerError
from ..pruning.decision import calibrate
from ..values.json_fields import built
from ..values.progress import Step, Work, reached
from .checkpoints import CHECKPOINT, RESULT, Folder, key_of, marks_of, masks_of, packed, unpacked
from .distillation import Objective, teacher_of
from .finetuning import Means, Training
from .gradual import gradual
from .iterative import iterated
from .phases import Known, Phase, Setting, finetuned, from_scratch, recalibrated, regularised
from .progress import TrainingPlace, chosen_epoch, curve_width
from .regularisation import count_norms
from .rewinding import rewound
from .students import DENSE, Student, full_state, make_student, set_state
from .values import EpochPoint, MeasuredArm, Recovery
from .yardstick import Yardstick

SAVE_SECONDS = 30.0  # between two checkpoints within an epoch
TRAINING = (
    "Training"  # one label for the whole, so that the remaining time is known from the first batches on
)

# method -> the name of the resulting model
NAMES = {
    "finetune": "fine-tuned",
    "distill": "distilled",
    "iterative": "iterative",
    "gradual": "pruned while training",
    "rewind": "rewound",
    "regularise": "regularised before",
    "scratch": "from scratch",
    "recalibrate": "recalibrated",
}

Steps = Work[Recovery]
PHASES: dict[str, Callable[[Setting, int], list[Phase]]] = {
    "finetune": finetuned,
    "distill": finetuned,
    "iterative": iterated,
    "gradual": gradual,
    "rewind": rewound,
    "regularise": regularised,
    "scratch": from_scratch,
    "recalibrate": recalibrated,
}


class RecoveryRun:
    """One recovery; `steps` yields what there is to show.

    Args:
        root: folder of all recoveries (default: in the cache).
    Raises:
        ExplorerError: there is no data to train on.
    """

    def __init__(self, setting: Setting, root: Path | None = None):
        self._setting, self._plan, self._device = setting, setting.plan, setting.conditions.device
        self._yardstick = Yardstick(setting)
        self._folder = Folder(
            key_of(setting.model.subject, setting.recipe, setting.plan, setting.conditions), root
        )
        self._steps_an_epoch = len(self._yardstick.training) // self._plan.batch_size
        self._layers = tuple(setting.model.graph.profile.prunable_layers.values())
        self._phases: list[Phase] = []  # of the seed that runs
        self._place = TrainingPlace()
        self._kept: dict[str, Tensor] = {}  # of a checkpoint to continue from
        self._best: dict[str, Tensor] = {}  # the student's tensors at the best epoch of this phase
        self._remembered: dict[str, Tensor] = {}  # what a phase kept for a later one
        self._saved = time.monotonic()
        self._state: Recovery

    def steps(self) -> Work[Recovery]:
        """Yield Progress, and a Recovery whenever there is something new to show; the last one is
        finished.
        """
        yield from calibrate(self._setting.model, self._setting.recipe, self._device)
        yield from self._yardstick.dense()
        if not self._taken_up():
            self._state = yield from self._yardstick.without_training()
        yield Step(self._state)
        if self._state.finished:
            return
        for seed in self._plan.seeds[self._place.seed :]:
            yield from self._seed(seed)
        self._state = replace(self._state, finished=True)
        self._save_summary()
        yield Step(self._state)

    # ------------------------------------------------------------------ one seed

    def _seed(self, seed: int) -> Work[Recovery]:
        phases = self._phases = PHASES[self._plan.method](self._setting, seed)
        known, student = Known(self._setting.model.subject.model.state_dict()), None
        for number in range(self._place.phase, len(phases)):
            phase = phases[number]
            if self._kept:
                student = self._student_taken_up(phase)
            else:
                student = phase.begin(known)
                self._place.enter(number)
                yield from self._look(phase, student, seed, 0)
            yield from self._trained(phase, student, seed)
            state = full_state(student, self._setting.model.subject, self._setting.model.graph.profile)
            self._remembered = state if phase.remember else self._remembered
            known = Known(state, student, self._remembered or None)
        assert student is not None
        kept = self._state.epochs[chosen_epoch(self._state, seed, self._plan.patience)]
        arm = MeasuredArm(f"{NAMES[self._plan.method]}, seed {seed}", kept.measurement, kept.drop)
        self._state = replace(self._state, recovered=(*self._state.recovered, arm))
        if self._place.seed == 0:
            parts = packed(
                model=student.model.state_dict(),
                channels=student.masks.channels,
                weights=student.masks.weights,
                blocks=marks_of(student.masks),
            )
            self._folder.write(RESULT, parts, {"recovery": self._state.to_json()})
        self._place.next_seed()
        self._remembered = {}
        self._save_summary()
        yield Step(self._state)

    def _trained(self, phase: Phase, student: Student, seed: int) -> Work[Recovery]:
        """Train a student to the end of its phase, from its current place."""
        training = self._training(phase, student, seed)
        if self._kept:
            training.resume(unpacked(self._kept, "optimiser"))
            self._kept = {}
        width = curve_width(self._plan.trained_epochs * self._steps_an_epoch)
        try:
            while self._place.epoch < phase.epochs and not self._stops():
                while self._place.step < self._steps_an_epoch:
                    yield from self._batch(training, width)
                    self._save_at_times(student, training)
                yield from self._look(phase, student, seed, self._place.epoch + 1)
                self._save(student, training)
        except GeneratorExit:
            self._save(student, training)
            raise
        if self._may_stop():
            set_state(student, self._best)

    def _may_stop(self) -> bool:
        """Whether training may end early: only the last phase may, and keeps its best epoch; the others have
        to reach what the plan says.
        """
        return bool(self._plan.patience) and self._place.phase == len(self._phases) - 1

    def _stops(self) -> bool:
        return self._may_stop() and self._place.stale >= self._plan.patience

    def _batch(self, training: Training, width: int) -> Work[Recovery]:
        place = self._place
        step = training.step(place.epoch, place.step)
        place.step += 1
        epoch = self._epochs_before() + place.epoch + place.step / self._steps_an_epoch
        point = place.counted(step, epoch, width)
        if training.parts > 1:
            self._state = self._state.noted(
                f"Device memory ran out: each batch is trained in {training.parts} parts."
            )
        if point is not None:
            self._state = replace(self._state, losses=(*self._state.losses, point))
            yield Step(self._state)
        total = len(self._plan.seeds) * self._plan.trained_epochs
        done = place.seed * self._plan.trained_epochs + epoch
        yield reached(round(done * self._steps_an_epoch), total * self._steps_an_epoch, TRAINING)

    def _epochs_before(self) -> int:
        """Return the number of epochs of this seed before this phase."""
        return sum(earlier.epochs for earlier in self._phases[: self._place.phase])

    def _look(self, phase: Phase, student: Student, seed: int, epoch: int) -> Work[Recovery]:
        """Measure the student as it is now; only then is the epoch done, so that an interrupted one is
        measured again.
        """
        arm = yield from self._yardstick.measure(phase.name, student.model)
        penalty = self._plan.penalty if self._plan.method == "regularise" else None
        norms = count_norms(student.model, self._layers, penalty) if penalty and not phase.pruned else ()
        kept = student.kept_parameters() / self._setting.model.graph.profile.params
        point = EpochPoint(
            seed,
            phase.name,
            self._epochs_before() + epoch,
            phase.pruned,
            arm.measurement,
            arm.drop,
            kept,
            norms,
        )
        self._state = replace(self._state, epochs=(*self._state.epochs, point))
        if self._place.judged(arm.measurement.loss) and self._may_stop():
            self._best = {
                name: tensor.detach().clone() for name, tensor in student.model.state_dict().items()
            }
        self._place.epoch, self._place.step = epoch, 0
        yield Step(self._state)

    def _training(self, phase: Phase, student: Student, seed: int) -> Training:
        objective, plan = Objective(), self._plan
        if plan.distillation_weight and phase.pruned:
            teacher = build(self._setting.model, DENSE, self._device)
            objective = Objective(teacher_of(teacher), plan.distillation_weight, plan.temperature)
        return Training(
            student,
            self._yardstick.task,
            plan,
            phase.course,
            (seed, self._place.phase),
            Means(objective, self._layers, self._device),
        )

    # ------------------------------------------------------------------ on disk

    def _about(self) -> dict[str, Any]:
        return {"place": asdict(self._place), "recovery": self._state.to_json()}

    def _save(self, student: Student, training: Training) -> None:
        """Save all that is needed to continue from here."""
        parts = packed(
            model=student.model.state_dict(),
            channels=student.masks.channels,
            weights=student.masks.weights,
            blocks=marks_of(student.masks),
            optimiser=training.tensors(),
            best=self._best,
            remembered=self._remembered,
        )
        self._folder.write(CHECKPOINT, parts, self._about())
        self._saved = time.monotonic()

    def _save_at_times(self, student: Student, training: Training) -> None:
        if time.monotonic() - self._saved >= SAVE_SECONDS:
            self._save(student, training)

    def _save_summary(self) -> None:
        """Save the summary: between two seeds, and at the end, there are no tensors to continue with."""
        self._folder.write(CHECKPOINT, {}, self._about())

    def _taken_up(self) -> bool:
        """Continue from a checkpoint, if there is one that can be read."""
        found = self._folder.read(CHECKPOINT)
        if found is None:
            return False
        self._kept, about = found
        try:
            place, state = built(TrainingPlace, about["place"]), Recovery.from_json(about["recovery"])
        except (KeyError, TypeError, ValueError, ExplorerError):  # written by another version
            self._kept = {}
            return False
        self._place, self._state = place, state
        self._best, self._remembered = unpacked(self._kept, "best"), unpacked(self._kept, "remembered")
        return True

    def _student_taken_up(self, phase: Phase) -> Student:
        student = make_student(self._setting.model, masks_of(self._kept), self._device)
        set_state(student, unpacked(self._kept, "model"))
        return student


def result_state(key: str, root: Path | None = None) -> Mapping[str, Tensor] | None:
    """Return the tensors of a recovery's kept model, as `packed`, or None if it isn't finished."""
    found = Folder(key, root).read(RESULT)
    return found[0] if found else None
