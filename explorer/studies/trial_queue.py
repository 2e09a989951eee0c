"""The trials of one study, which several processes may take at once.

Each trial that is being measured has a file that its process holds. If the process is killed, the system lets
go of the file, so the next one who asks sees it: the lost trial is marked as failed and given again.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, BinaryIO

from ..machine.held_file import held, hold, hold_if_free


@dataclass(eq=False)
class TrialQueue:
    """What one process takes from a study.

    Args:
        optuna, study: the optimiser.
        folder: of the files that say which trials are being measured.
        trials: how many there will be in the end.
        ranges: part -> distribution of its ratios.
        seed: of the optimiser, which is seeded again whenever others have taken trials, so that no two draw
            the same.
    """

    optuna: ModuleType
    study: Any
    folder: Path
    trials: int
    ranges: Mapping[str, Any]
    seed: int
    _held: dict[int, BinaryIO] = field(default_factory=dict)
    _seen: int | None = None

    @property
    def whole(self) -> Path:
        """The file that is held while somebody looks at the study and changes it."""
        return self.folder / "study"

    def take(self) -> Any | None:
        """Return the next trial to measure; None if all are done or being measured."""
        states = self.optuna.trial.TrialState
        with held(self.whole):
            self._give_back()
            known = self.study.get_trials(deepcopy=False)
            if sum(trial.state in (states.COMPLETE, states.RUNNING) for trial in known) >= self.trials:
                return None
            if self._seen not in (None, len(known)):
                self.study.sampler = self.optuna.samplers.TPESampler(seed=self.seed + len(known))
            asked = self.study.ask(self.ranges)
            self._held[asked.number] = hold(self._file(asked.number))
            self._seen = len(self.study.get_trials(deepcopy=False))
            return asked

    def finish(self, asked: Any, values: list[float] | None) -> None:
        """Say what a trial came to; None if it was stopped."""
        failed = {"state": self.optuna.trial.TrialState.FAIL}
        with held(self.whole):
            self.study.tell(asked, values) if values else self.study.tell(asked, **failed)
            self._held.pop(asked.number).close()
            self._file(asked.number).unlink(missing_ok=True)

    @property
    def complete(self) -> bool:
        """Nothing is left to measure, not even by others."""
        done = self.study.get_trials(deepcopy=False, states=(self.optuna.trial.TrialState.COMPLETE,))
        return len(done) >= self.trials

    def _file(self, number: int) -> Path:
        return self.folder / str(number)

    def _give_back(self) -> None:
        """Let trials of processes that are gone be taken again."""
        states = self.optuna.trial.TrialState
        for trial in self.study.get_trials(deepcopy=False, states=(states.RUNNING,)):
            if trial.number in self._held:
                continue
            file = hold_if_free(self._file(trial.number))
            if file is None:
                continue
            self.study.tell(trial.number, state=states.FAIL)
            ratios = trial.params or trial.system_attrs.get("fixed_params", {})
            if set(ratios) == set(self.ranges):
                self.study.enqueue_trial(ratios, user_attrs=_origin(trial.user_attrs))
            file.close()
            self._file(trial.number).unlink(missing_ok=True)


def _origin(about: Mapping[str, Any]) -> dict[str, Any]:
    return {name: about[name] for name in ("origin",) if name in about}
