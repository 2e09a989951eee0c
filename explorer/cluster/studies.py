"""The studies of this program by name, on this machine or on a cluster: commands and pages ask either."""

from collections.abc import Callable, Sequence

from ..engine.conditions import Conditions
from ..graph.analysed import Analysed
from ..machine.environment import environment, pick_device
from ..measuring.latency import TimingPlan
from ..recovery.recovery_table import RecoveryRow, TablePlan, recovery_table
from ..runs.store import Store
from ..studies.accuracy_curves import Family, Lines, curves
from ..studies.criteria_agreement import Ratings, rate
from ..studies.latency_staircase import USUAL, Staircase, staircase
from ..studies.recipe_search import RecipeSearch
from ..studies.search_trials import Search, SearchPlan
from ..studies.sensitivity.scan import scan
from ..studies.sensitivity.values import Scan, ScanPlan
from ..values.progress import Work
from ..values.recipe import Recipe
from ..values.subject import Subject
from . import recipes
from . import recovery_table as tables
from . import scan as scans
from . import staircase as staircases
from .connection import Cluster
from .subject_source import SubjectSource


class Studies:
    """Studies on this machine; the functions are those of the room `studies`, which say what they raise."""

    def device(self, asked: str = "auto") -> str:
        """Return the kind of device that scans and curves run on.

        Raises:
            ExplorerError: there is no such device.
        """
        return pick_device(asked).type

    def scan(self, model: Analysed, plan: ScanPlan, conditions: Conditions) -> Work[Scan]:
        return scan(model, plan, conditions)

    def curves(self, model: Analysed, families: Sequence[Family], conditions: Conditions) -> Work[Lines]:
        return curves(model, families, conditions)

    def search(
        self,
        model: Analysed,
        recipe: Recipe,
        plan: SearchPlan,
        conditions: Conditions,
        store: Store | None = None,
    ) -> Work[Search]:
        return RecipeSearch(model, recipe, plan, conditions, store=store).steps()

    def recovery_table(
        self, model: Analysed, recipe: Recipe, plan: TablePlan, conditions: Conditions
    ) -> Work[tuple[RecoveryRow, ...]]:
        return recovery_table(model, recipe, plan, conditions)

    def rate(
        self, model: Analysed, recipe: Recipe, criteria: Sequence[str] | None = None, device: str = "cpu"
    ) -> Work[Ratings]:
        return rate(model, recipe, criteria=criteria, device=device)

    def staircase(
        self,
        model: Analysed,
        group: str,
        widths: Sequence[int] | None = None,
        plan: TimingPlan = USUAL,
        device: str = "cpu",
    ) -> Work[Staircase]:
        return staircase(model, group, widths=widths, plan=plan, device=device)


HERE = Studies()


class ClusterStudies(Studies):
    """The same on a cluster. A model that workers cannot load by name, such as uploaded weights, is studied
    on this machine.

    Args:
        source_of: how workers load a model; None if they cannot.
        device_name: of the device that latencies are asked about; "" = this machine's.
    """

    def __init__(
        self,
        cluster: Cluster,
        source_of: Callable[[Subject], SubjectSource | None],
        device_name: str = "",
    ):
        self._cluster, self._source_of, self._device_name = cluster, source_of, device_name

    def device(self, asked: str = "auto") -> str:
        """Return the kind of device that scans and curves run on: with "auto", what the workers have."""
        return self._cluster.device if asked == "auto" else asked

    def scan(self, model: Analysed, plan: ScanPlan, conditions: Conditions) -> Work[Scan]:
        source = self._source_of(model.subject)
        if source is None:
            return super().scan(model, plan, conditions)
        return scans.scan(self._cluster, source, model, plan, conditions)

    def curves(self, model: Analysed, families: Sequence[Family], conditions: Conditions) -> Work[Lines]:
        source = self._source_of(model.subject)
        if source is None:
            return super().curves(model, families, conditions)
        return recipes.curves(self._cluster, source, families, conditions)

    def search(
        self,
        model: Analysed,
        recipe: Recipe,
        plan: SearchPlan,
        conditions: Conditions,
        store: Store | None = None,
    ) -> Work[Search]:
        source = self._source_of(model.subject)
        if source is None:
            return super().search(model, recipe, plan, conditions, store)
        asked = RecipeSearch(model, recipe, plan, conditions, store=store)
        return recipes.search(self._cluster, source, asked)

    def recovery_table(
        self, model: Analysed, recipe: Recipe, plan: TablePlan, conditions: Conditions
    ) -> Work[tuple[RecoveryRow, ...]]:
        source = self._source_of(model.subject)
        if source is None:
            return super().recovery_table(model, recipe, plan, conditions)
        return tables.recovery_table(self._cluster, source, model, recipe, plan, conditions)

    def rate(
        self, model: Analysed, recipe: Recipe, criteria: Sequence[str] | None = None, device: str = "cpu"
    ) -> Work[Ratings]:
        source = self._source_of(model.subject)
        if source is None:
            return super().rate(model, recipe, criteria, device)
        return recipes.rate(self._cluster, source, model, recipe, criteria, device)

    def staircase(
        self,
        model: Analysed,
        group: str,
        widths: Sequence[int] | None = None,
        plan: TimingPlan = USUAL,
        device: str = "cpu",
    ) -> Work[Staircase]:
        source = self._source_of(model.subject)
        if source is None:
            return super().staircase(model, group, widths, plan, device)
        name = self._device_name or str(environment(device)["device_name"])
        return staircases.staircase(self._cluster, source, group, widths, plan, name)
