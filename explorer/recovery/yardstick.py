"""Measures a recovered model next to the dense one, on the same samples of the tuning split, after each
epoch.
"""

from collections.abc import Generator
from dataclasses import replace
from typing import Never

from torch import nn

from ..engine.candidate import build
from ..engine.dense_model import baseline, judged_split
from ..errors import ExplorerError
from ..machine.environment import environment
from ..measuring.evaluation import Execution, evaluate
from ..measuring.judging import judge_for
from ..measuring.tally import EMPTY, Tally, drop_between
from ..repair.bn_recalibration import recalibrate
from ..values.progress import Returning, Step, Work, reached
from ..values.report import Measurement
from .checkpoints import key_of
from .phases import Setting
from .values import MeasuredArm, Recovery


class Yardstick:
    """Measures models under one setting.

    Raises:
        ExplorerError: there is no data to train on or to measure on.
    """

    def __init__(self, setting: Setting):
        task = setting.model.subject.task
        training = task.split("training") if task else None
        if task is None or training is None:
            without = f"Recovery needs training data, which {setting.model.subject.name!r} does not have"
            raise ExplorerError(f"{without}; add some with --data.")
        self.task, self.training, self._setting = task, training, setting
        self._split, self._device = (
            judged_split(setting.model, setting.conditions),
            setting.conditions.device,
        )
        self._how = Execution(self._device, judge=judge_for(task))
        self._dense: Tally = EMPTY

    def dense(self) -> Work[Never]:
        """Measure the dense model; this has to come first."""
        setting = self._setting
        for tally in baseline(setting.model, setting.conditions, len(self._split)):
            self._dense = tally
            yield reached(len(self._dense), len(self._split), "Measuring the dense model")

    def measure(self, name: str, model: nn.Module) -> Returning[MeasuredArm]:
        """Yield Progress, and return what was measured of a model in eval mode."""
        tally = EMPTY
        for tally in evaluate(model, self._split, self.task.normalisation, [len(self._split)], self._how):
            yield reached(len(tally), len(self._split), f"Measuring {name}")
        return MeasuredArm(name, _with_parameters(tally, model), drop_between(self._dense, tally))

    def without_training(self) -> Generator[Step[Recovery], None, Recovery]:
        """Return the dense, the one-shot and the recalibrated model."""
        setting, task = self._setting, self.task
        masks = setting.cut(setting.model.subject, setting.recipe).masks
        model = build(setting.model, masks, self._device)
        subject, key = (
            setting.model.subject,
            key_of(setting.model.subject, setting.recipe, setting.plan, setting.conditions),
        )
        about = {
            "id": subject.id,
            "name": subject.name,
            "task": task.name,
            "task_fingerprint": task.fingerprint,
        }
        one_shot = yield from self.measure("one-shot", model)
        recovery = Recovery(
            about,
            key,
            setting.recipe,
            setting.plan,
            _with_parameters(self._dense, subject.model),
            len(self._split),
            one_shot,
            environment=environment(self._device),
        )
        yield Step(recovery)
        if recalibrate(model, self.training, task.normalisation, device=self._device):
            recovery = replace(recovery, recalibrated=(yield from self.measure("recalibrated", model)))
        return recovery


def _with_parameters(tally: Tally, model: nn.Module) -> Measurement:
    own = list(model.parameters())
    kept = sum(int(parameter.count_nonzero()) for parameter in own)
    return replace(
        tally.measurement(), params=sum(parameter.numel() for parameter in own), nonzero_params=kept
    )
