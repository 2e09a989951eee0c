"""Finds the best trade-offs between quality and cost with an optimiser over the ratios of all parts (package
optuna, optional).

Every trial is a recipe that is cut, measured on the tuning split and stored as a run like any other. The
first trials are what allocators propose, so the search begins where they end. It can be stopped and continues
where it was. The best of many tries was also lucky, which is why the winner is measured once more, on
held-out data.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..allocators.context import all_but_one
from ..engine.conditions import Conditions
from ..engine.measure import stream
from ..errors import ExplorerError
from ..graph.analysed import Analysed
from ..machine import paths
from ..machine.held_file import held
from ..machine.optional_packages import optional
from ..pruning.checks import check_rates_weights
from ..pruning.decision import calibrate
from ..registry import CRITERIA
from ..runs.store import Store
from ..values.granularity import WEIGHT, WORDS
from ..values.progress import Step, Work, reached
from ..values.recipe import Recipe
from ..values.report import Report
from .search_journal import kept_in, known_trials, remembered, study_of, trial_of
from .search_proposals import known_losses, proposed
from .search_trials import Search, SearchPlan
from .trial_queue import TrialQueue

HIGHEST = 0.95  # highest ratio to try
WITH_SCAN = "A finished sensitivity scan of {parts} is known, so the sensitivity budget proposes trials, too."
WITHOUT_SCAN = (
    "No finished sensitivity scan of {parts} is known, so the sensitivity budget proposes "
    "nothing "
    "until one is."
)
EVERYTHING = Conditions()
OTHERS_S = 0.1  # seconds between two looks at what other processes have measured


USUAL = SearchPlan()


# --------------------------------------------------------------------------- searching


@dataclass(frozen=True)
class TrialMeasuring:
    """How trials are measured: here one after the other, on a cluster several at once.

    Args:
        start: begins to measure a recipe; its work ends with a Report.
        slots: how many may run at once, when asked.
    """

    start: Callable[[Analysed, Recipe, Conditions], Work[Report]] = stream
    slots: Callable[[], int] = lambda: 1


ONE_BY_ONE = TrialMeasuring()


def search(
    model: Analysed,
    recipe: Recipe,
    plan: SearchPlan = USUAL,
    conditions: Conditions = EVERYTHING,
    *,
    folder: Path | None = None,
    store: Store | None = None,
) -> Work[Search]:
    """Yield Progress between batches, and a Search at once and after each trial; earlier trials are not
    measured again.

    Several processes may search with the same plan at once: each takes other trials, and one that a killed
    process has left is taken again.

    Args:
        recipe: criterion, repair and the ratios of the other granularity are used by every trial.
        folder: of the optimiser's journals (default: next to the runs).
        store: of the runs (default: the user's).
    Raises:
        ExplorerError: there is no data or nothing to prune, optuna is not installed, or the disk cannot be
            written.
    """
    yield from RecipeSearch(model, recipe, plan, conditions, folder, store).steps()


@dataclass(frozen=True, eq=False)
class RecipeSearch:
    """A search; the arguments are those of `search`."""

    model: Analysed
    recipe: Recipe
    plan: SearchPlan = USUAL
    conditions: Conditions = EVERYTHING
    folder: Path | None = None
    store: Store | None = None

    @property
    def _home(self) -> Path:
        return self.store.root if self.store else paths.cache()

    def steps(self, measuring: TrialMeasuring = ONE_BY_ONE) -> Work[Search]:
        """Yield the same as `search`."""
        model, recipe, plan = self.model, self.recipe, self.plan
        parts = _parts(model, recipe, plan)
        optuna, place = optional("optuna"), self.folder or self._home / "searches"
        how = replace(self.conditions, latency=False, split="tuning")
        yield reached(0, plan.trials, "Preparing")
        yield from calibrate(model, recipe, how.device)
        with kept_in(place):
            study = study_of(optuna, model.subject, recipe, plan, how, place)
            ranges = {part: optuna.distributions.FloatDistribution(0.0, high) for part, high in parts.items()}
            taken = place / f"{study.study_name}.taken"
            queue = TrialQueue(optuna, study, taken, plan.trials, ranges, plan.seed)
            notes: tuple[str, ...] = ()
            with held(queue.whole):
                if not study.get_trials(deepcopy=False):
                    losses = known_losses(model, recipe, plan, how)
                    for ratios, origin in proposed(model, recipe, plan, losses, how.device):
                        start = {part: min(high, ratios.get(part, 0.0)) for part, high in parts.items()}
                        study.enqueue_trial(start, user_attrs={"origin": origin})
                    parts_are = WORDS[plan.granularity]
                    notes = ((WITHOUT_SCAN if losses is None else WITH_SCAN).format(parts=parts_are),)
            result = Search(plan, known_trials(optuna, study, recipe, plan), notes)
            yield Step(result)
            for step in self._measured(queue, measuring, how, len(result.trials)):
                if step.value:
                    result = replace(result, trials=known_trials(optuna, study, recipe, plan))
                yield Step(result if step.value else None, step.progress)
            known = known_trials(optuna, study, recipe, plan)
            if known != result.trials:  # the last ones are of others
                yield Step(replace(result, trials=known))

    def _measured(
        self, queue: TrialQueue, measuring: TrialMeasuring, how: Conditions, done: int
    ) -> Work[bool]:
        """Measure what the queue gives until nothing is left; True whenever a trial is done."""
        plan, running = self.plan, dict[int, tuple[Any, Work[Report], Report | None]]()
        may_take = True
        try:
            while running or not queue.complete:
                while may_take and len(running) < measuring.slots():
                    asked = queue.take()
                    if asked is None:
                        break
                    tried = self.recipe.with_ratios(plan.granularity, asked.params)
                    running[asked.number] = (asked, measuring.start(self.model, tried, how), None)
                may_take = not running
                if not running:  # another process measures what is left
                    time.sleep(OTHERS_S)
                    yield reached(done, plan.trials, "Waiting for other processes")
                for number, (asked, steps, report) in list(running.items()):
                    step = next(steps, None)
                    if step is None:
                        assert report is not None
                        self._finish(queue, asked, report)
                        del running[number]
                        done, may_take = done + 1, True
                        yield Step(True)
                        continue
                    running[number] = (asked, steps, step.value or report)
                    yield reached(done, plan.trials, "Measuring trials")
        finally:  # even if the search is stopped within a trial
            for asked, steps, _ in running.values():
                steps.close()  # type: ignore[attr-defined]
                queue.finish(asked, None)

    def _finish(self, queue: TrialQueue, asked: Any, report: Report) -> None:
        runs = self.store or Store(self._home)
        origin = asked.user_attrs.get("origin", "optimiser")
        trial = trial_of(asked.number, origin, report, self.plan, runs)
        for name, value in remembered(trial).items():
            asked.set_user_attr(name, value)
        queue.finish(asked, [trial.value, trial.cost])


def _parts(model: Analysed, recipe: Recipe, plan: SearchPlan) -> dict[str, float]:
    """Return the highest ratio to try for each part."""
    if model.subject.task is None:
        raise ExplorerError(
            f"{model.subject.name!r} came without data, so no trial can be measured; add some with --data."
        )
    if plan.granularity == WEIGHT:
        check_rates_weights(CRITERIA[recipe.criterion.name])
        return dict.fromkeys(model.profile.prunable_layers, HIGHEST)
    highest = {
        name: min(HIGHEST, all_but_one(group.units)) for name, group in model.profile.free_groups.items()
    }
    if not highest:
        raise ExplorerError(
            f"No channels of {model.subject.name!r} can be pruned; search with granularity weight."
        )
    return highest
