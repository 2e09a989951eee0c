"""Pruning Explorer: change the pruning ratios of a PyTorch model and see the measured effect of each.

The public names are loaded when they are first used, so that `import explorer` stays light.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .machine.version import __version__

if TYPE_CHECKING:
    from .compaction.compact import compact
    from .engine.conditions import Conditions
    from .engine.measure import prune, stream
    from .errors import ExplorerError
    from .exporters.export import export
    from .graph.analysed import analyse
    from .loaders.model_text import load
    from .planning.allocate import allocate
    from .planning.allocation import Allocation
    from .pruning.decision import masks_for
    from .recovery.recover import recover, recovered_model
    from .recovery.training_plan import RecoveryPlan, suggested
    from .registry import ALLOCATORS, CRITERIA, DATA, EXPORTERS, LOADERS, METRICS, SAMPLES
    from .studies.accuracy_curves import strength_curve
    from .values.choice import Choice
    from .values.metric import Metric
    from .values.profile import Masks
    from .values.recipe import Recipe
    from .values.report import Drop, Measurement, Report
    from .values.subject import Subject, Task

HOMES = {
    "ALLOCATORS": "registry",
    "Allocation": "planning.allocation",
    "CRITERIA": "registry",
    "Choice": "values.choice",
    "Conditions": "engine.conditions",
    "DATA": "registry",
    "Drop": "values.report",
    "EXPORTERS": "registry",
    "ExplorerError": "errors",
    "LOADERS": "registry",
    "METRICS": "registry",
    "Masks": "values.profile",
    "Measurement": "values.report",
    "Metric": "values.metric",
    "Recipe": "values.recipe",
    "RecoveryPlan": "recovery.training_plan",
    "Report": "values.report",
    "SAMPLES": "registry",
    "Subject": "values.subject",
    "Task": "values.subject",
    "allocate": "planning.allocate",
    "analyse": "graph.analysed",
    "compact": "compaction.compact",
    "export": "exporters.export",
    "load": "loaders.model_text",
    "masks_for": "pruning.decision",
    "prune": "engine.measure",
    "recover": "recovery.recover",
    "recovered_model": "recovery.recover",
    "stream": "engine.measure",
    "strength_curve": "studies.accuracy_curves",
    "suggested": "recovery.training_plan",
}

__all__ = [
    "ALLOCATORS",
    "CRITERIA",
    "DATA",
    "EXPORTERS",
    "LOADERS",
    "METRICS",
    "SAMPLES",
    "Allocation",
    "Choice",
    "Conditions",
    "Drop",
    "ExplorerError",
    "Masks",
    "Measurement",
    "Metric",
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


# verbs that take a model and a recipe, which is checked here: inside, a recipe is trusted
TAKING_RECIPES = {"allocate", "export", "masks_for", "prune", "recover", "stream", "strength_curve"}


def __getattr__(name: str) -> Any:
    if name not in HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{HOMES[name]}", __name__), name)
    if name in TAKING_RECIPES:
        value = import_module(".pruning.checks", __name__).bordering(value)
    return value
