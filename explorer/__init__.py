"""Pruning Explorer: slide pruning ratios of a PyTorch model and see measured accuracy, size, compute and
latency.

The public names are loaded when they are first used, so that `import explorer` stays light.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from .compaction import compact
    from .engine.conditions import Conditions
    from .engine.measure import allocate, masks_for, prune, stream
    from .errors import ExplorerError
    from .exporters import export
    from .graph.export import analyse
    from .loaders import load
    from .recovery.recover import recover, recovered_model
    from .recovery.training_plan import RecoveryPlan, suggested
    from .registry import ALLOCATORS, CRITERIA, DATA, EXPORTERS, LOADERS, SAMPLES
    from .studies.accuracy_curves import strength_curve
    from .values import Choice, Drop, Masks, Measurement, Recipe, Report, Subject, Task

HOMES = {
    "load": "loaders",
    "analyse": "graph.export",
    "prune": "engine",
    "stream": "engine",
    "allocate": "engine",
    "masks_for": "engine",
    "Conditions": "engine",
    "compact": "compaction",
    "strength_curve": "curves",
    "export": "exporters",
    "ExplorerError": "errors",
    "Choice": "values",
    "Drop": "values",
    "Masks": "values",
    "Measurement": "values",
    "Recipe": "values",
    "Report": "values",
    "Subject": "values",
    "Task": "values",
    "ALLOCATORS": "registry",
    "CRITERIA": "registry",
    "DATA": "registry",
    "EXPORTERS": "registry",
    "LOADERS": "registry",
    "SAMPLES": "registry",
    "recover": "recovery.recover",
    "recovered_model": "recovery.recover",
    "RecoveryPlan": "recovery.training_plan",
    "suggested": "recovery.training_plan",
}

__all__ = [
    "ALLOCATORS",
    "CRITERIA",
    "DATA",
    "EXPORTERS",
    "LOADERS",
    "SAMPLES",
    "Choice",
    "Conditions",
    "Drop",
    "ExplorerError",
    "Masks",
    "Measurement",
    "Recipe",
    "RecoveryPlan",
    "Report",
    "Subject",
    "Task",
    "__version__",
    "allocate",
    "analyse",
    "compact",
    "export",
    "load",
    "masks_for",
    "prune",
    "recover",
    "recovered_model",
    "stream",
    "strength_curve",
    "suggested",
]


def __getattr__(name: str) -> Any:
    if name not in HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{HOMES[name]}", __name__), name)
