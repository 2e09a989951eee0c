"""The journal of a search: what it has tried, on disk, and how a trial is written down."""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from ..engine.conditions import Conditions
from ..errors import ExplorerError
from ..machine import paths
from ..machine.held_file import HeldLock
from ..machine.optional_packages import optional
from ..machine.version import __version__
from ..measuring.judging import metrics_of
from ..measuring.statistics import wilson
from ..runs.store import Store
from ..values.plain import canonical_json
from ..values.recipe import Recipe
from ..values.report import Drop, Measurement, Report
from ..values.subject import Subject
from .search_trials import SearchPlan, Trial

TAG = "search"


@contextmanager
def kept_in(place: Path) -> Iterator[None]:
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


def study_of(
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


def trial_of(number: int, origin: str, report: Report, plan: SearchPlan, runs: Store) -> Trial:
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


def remembered(trial: Trial) -> dict[str, Any]:
    return {
        "measured": trial.measured.to_json(),
        "total": trial.total,
        "drop": trial.drop.to_json(),
        "run": trial.run,
        "origin": trial.origin,
    }


def known_trials(optuna: ModuleType, study: Any, recipe: Recipe, plan: SearchPlan) -> tuple[Trial, ...]:
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
                measured_of(about),
                about["total"],
                drop,
                about["run"],
            )
        )
    return tuple(trials)


def measured_of(about: Mapping[str, Any]) -> Measurement:
    """Return what was measured in a trial; a journal of an earlier version has the counts of accuracy."""
    if "measured" in about:
        return Measurement.from_json(about["measured"])
    correct, samples = about["correct"], about["samples"]
    low, high = wilson(correct, samples)
    return Measurement(correct / samples, low, high, samples=samples, correct=correct)
