"""Finds the best trade-offs between quality and cost with an optimiser over the ratios of all parts (package
optuna, optional).

Every trial is a recipe that is cut, measured on the tuning split and stored as a run like any other. The
first trials are what allocators propose, so the search begins where they end. It can be stopped and continues
where it was. The best of many tries was also lucky, which is why the winner is measured once more, on
held-out data.
"""

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

from ..allocators.context import Losses, all_but_one
from ..engine.conditions import Conditions
from ..engine.measure import stream
from ..errors import ExplorerError
from ..graph.analysed import Analysed
from ..machine import paths
from ..machine.held_file import HeldLock, held
from ..machine.optional_packages import optional
from ..machine.version import __version__
from ..measuring.judging import metrics_of
from ..measuring.statistics import wilson
from ..planning.allocate import allocate
from ..planning.allocation import Allocation
from ..pruning.checks import check_rates_weights
from ..pruning.decision import calibrate
from ..registry import ALLOCATORS, CRITERIA
from ..runs.held_out import held_out
from ..runs.store import Store
from ..values.choice import Choice
from ..values.granularity import WEIGHT, WORDS
from ..values.plain import canonical_json
from ..values.progress import Step, Work, mapped, reached
from ..values.recipe import Recipe
from ..values.report import Drop, Measurement, Report
from ..values.subject import Subject
from .search_trials import Search, SearchPlan, Trial
from .sensitivity.scan import known as known_scan
from .sensitivity.shipped_scans import delivered
from .sensitivity.values import ScanPlan
from .trial_queue import TrialQueue

HIGHEST = 0.95  # highest ratio to try
TARGETS = (0.5, 0.25, 0.1, 0.75)  # of the allocators' proposals
TAG = "search"
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
        with _kept_in(place):
            study = _study(optuna, model.subject, recipe, plan, how, place)
            ranges = {part: optuna.distributions.FloatDistribution(0.0, high) for part, high in parts.items()}
            taken = place / f"{study.study_name}.taken"
            queue = TrialQueue(optuna, study, taken, plan.trials, ranges, plan.seed)
            notes: tuple[str, ...] = ()
            with held(queue.whole):
                if not study.get_trials(deepcopy=False):
                    losses = _losses(model, recipe, plan, how)
                    for ratios, origin in _proposed(model, recipe, plan, losses, how.device):
                        start = {part: min(high, ratios.get(part, 0.0)) for part, high in parts.items()}
                        study.enqueue_trial(start, user_attrs={"origin": origin})
                    parts_are = WORDS[plan.granularity]
                    notes = ((WITHOUT_SCAN if losses is None else WITH_SCAN).format(parts=parts_are),)
            result = Search(plan, _known(optuna, study, recipe, plan), notes)
            yield Step(result)
            for step in self._measured(queue, measuring, how, len(result.trials)):
                result = replace(result, trials=_known(optuna, study, recipe, plan)) if step.value else result
                yield Step(result if step.value else None, step.progress)
            known = _known(optuna, study, recipe, plan)
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
        trial = _trial(asked.number, origin, report, self.plan, runs)
        for name, value in _remembered(trial).items():
            asked.set_user_attr(name, value)
        queue.finish(asked, [trial.value, trial.cost])


@contextmanager
def _kept_in(place: Path) -> Iterator[None]:
    """Turn errors while a search is saved there into one sentence.

    Raises:
        ExplorerError: the disk cannot be written.
    """
    try:
        yield
    except OSError as error:
        told = f"A search keeps what it tries in {str(place)!r}, which cannot be written ({error.strerror})"
        way = f"make room there, or choose another folder with {paths.CACHE_VARIABLE}"
        raise ExplorerError(f"{told}; {way}.") from error


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


def _study(
    optuna: ModuleType, subject: Subject, recipe: Recipe, plan: SearchPlan, how: Conditions, folder: Path
) -> Any:
    """Return the optimiser with all that it knows, from a journal on disk."""
    kept = recipe.with_ratios(plan.granularity, {})
    key = [
        __version__,
        subject.id,
        subject.task.fingerprint if subject.task else None,
        how.samples,
        how.device,
        kept.to_json(),
        plan.cost,
        plan.granularity,
        plan.seed,
    ]
    name = hashlib.sha256(canonical_json(key).encode()).hexdigest()[:24]
    folder.mkdir(parents=True, exist_ok=True)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    # optuna's own locks stay behind when a process is killed, and others then wait for half a minute
    lock = HeldLock(folder / f"{name}.lock")
    journal = optional("optuna.storages.journal").JournalFileBackend(str(folder / f"{name}.log"), lock)
    storage = optuna.storages.JournalStorage(journal)
    assert subject.task is not None
    best = "minimize" if metrics_of(subject.task)[0].better == "lower" else "maximize"
    study = optuna.create_study(
        study_name=name, storage=storage, load_if_exists=True, directions=[best, "minimize"]
    )
    # a search that continues must not draw again what an earlier one drew, so each has its own seed
    study.sampler = optuna.samplers.TPESampler(seed=plan.seed + len(study.get_trials(deepcopy=False)))
    return study


def _losses(model: Analysed, recipe: Recipe, plan: SearchPlan, how: Conditions) -> Losses | None:
    """Return the results of a scan that was finished before, or came with the model; none is started here,
    since it would take long.
    """
    asked = model, ScanPlan(plan.granularity, recipe=recipe), how
    scanned = known_scan(*asked)
    if scanned is None or not scanned.finished:
        scanned = delivered(*asked) or scanned
    return scanned.losses() if scanned is not None and scanned.finished else None


def _proposed(
    model: Analysed, recipe: Recipe, plan: SearchPlan, losses: Losses | None, device: str
) -> Iterator[tuple[Mapping[str, float], str]]:
    """Return ratios that allocators choose, with the allocator's name, for at most half of the trials; those
    with a scan come first, if there is one.
    """
    left = max(1, plan.trials // 2)
    able = [
        name for name, plugin in ALLOCATORS.items() if losses is not None or not plugin.traits["needs_scan"]
    ]
    for target in TARGETS:
        for name in sorted(able, key=lambda name: not ALLOCATORS[name].traits["needs_scan"]):
            if left == 0:
                return
            params = {"saves": plan.cost} if ALLOCATORS[name].traits["needs_scan"] else {}
            try:
                wish = Allocation(Choice(name, params), target, plan.granularity, losses=losses)
                chosen = allocate(model, recipe, wish, device)
            except ExplorerError:  # out of reach, or its own criterion cannot rate this model
                continue
            yield chosen.ratios(plan.granularity), f"{name} at {target:.0%}".replace("%", " %")
            left -= 1


# --------------------------------------------------------------------------- trials


def _trial(number: int, origin: str, report: Report, plan: SearchPlan, runs: Store) -> Trial:
    """Store what was measured as a run and return the trial."""
    measured, drop = report.pruned, report.drop
    assert drop is not None
    left = {
        "params": (measured.nonzero_params, report.baseline.nonzero_params),
        "macs": (measured.macs, report.baseline.macs),
    }
    now, before = left[plan.cost]
    run = runs.put(report, note=f"search for less {plan.cost}, trial {number}, {origin}", tags=[TAG])
    return Trial(
        number,
        report.recipe,
        origin,
        (now or 0) / max(1, before or 0),
        measured,
        report.total_samples or measured.samples,
        drop,
        run,
    )


def _remembered(trial: Trial) -> dict[str, Any]:
    return {
        "measured": trial.measured.to_json(),
        "total": trial.total,
        "drop": trial.drop.to_json(),
        "run": trial.run,
        "origin": trial.origin,
    }


def _known(optuna: ModuleType, study: Any, recipe: Recipe, plan: SearchPlan) -> tuple[Trial, ...]:
    """Return the finished trials of earlier searches."""
    trials = []
    for trial in study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.COMPLETE,)):
        about = trial.user_attrs
        drop = Drop.from_json(about["drop"])
        trials.append(
            Trial(
                trial.number,
                recipe.with_ratios(plan.granularity, trial.params),
                about["origin"],
                trial.values[1],
                _measured(about),
                about["total"],
                drop,
                about["run"],
            )
        )
    return tuple(trials)


def _measured(about: Mapping[str, Any]) -> Measurement:
    """Return what was measured in a trial; a journal of an earlier version has the counts of accuracy."""
    if "measured" in about:
        return Measurement.from_json(about["measured"])
    correct, samples = about["correct"], about["samples"]
    low, high = wilson(correct, samples)
    return Measurement(correct / samples, low, high, samples=samples, correct=correct)


def check_winner(
    model: Analysed,
    search: Search,
    conditions: Conditions = EVERYTHING,
    *,
    store: Store | None = None,
) -> Work[Report]:
    """Measure the winner once on held-out data: the opening is counted, and the Report says so and is stored.

    Raises:
        ExplorerError: there is no winner, or no held-out data.
    """
    winner, runs = search.winner, store or Store(paths.cache())
    if winner is None:
        raise ExplorerError(
            f"There is no trial in which {search.limit}, so there is no winner; allow more, or run more "
            "trials."
        )
    runs.check_room()
    how, sentence = held_out(model.subject, replace(conditions, samples=None, latency=False), runs)
    note, tags = f"winner of a search, trial {winner.number}", [TAG, "held-out"]

    def kept(measured: Report) -> Report:
        report = replace(measured, notes=(*measured.notes, sentence))
        if report.stage == "final":
            runs.put(report, note=note, tags=tags, parent=winner.run)
        return report

    yield from mapped(stream(model, winner.recipe, how), kept)
