"""The recovery table on a cluster: every training is a piece of work, all arms run at once."""

from functools import partial

from ..engine.conditions import Conditions
from ..graph.analysed import Analysed
from ..pruning.decision import calibrate
from ..recovery.recovery_table import RecoveryRow, TableArm, TablePlan, TrainingBench, arms_of
from ..recovery.training_plan import RecoveryPlan
from ..recovery.values import Recovery
from ..values.progress import Step, Work, as_work, reached
from ..values.recipe import Recipe
from .connection import Cluster
from .kinds import asked_json
from .subject_source import SubjectSource
from .work_item import WorkItem

Rows = tuple[RecoveryRow, ...]


def recovery_table(
    cluster: Cluster,
    source: SubjectSource,
    model: Analysed,
    recipe: Recipe,
    plan: TablePlan,
    conditions: Conditions,
) -> Work[Rows]:
    """Yield the same rows as the table of one machine, in the same order.

    Raises:
        ExplorerError: as there, or the cluster fails.
    """
    yield from calibrate(model, recipe, conditions.device)
    bench = TrainingBench(model, plan, conditions, partial(_begun, cluster, source))
    arms: list[tuple[TableArm, Work[Rows]]] = []
    rows: dict[int, Rows] = {}
    shown = 0
    try:
        for arm in arms_of(model, recipe, plan, conditions.device):
            arms.append((arm, as_work(bench.rows(arm))))
            yield reached(0, len(arms), "Choosing what is cut")
        running = dict(enumerate(work for _, work in arms))
        while running:
            for number, work in list(running.items()):
                step = next(work, None)
                if step is None:
                    del running[number]
                elif step.value is not None:
                    rows[number] = step.value
            cluster.wait()
            yield reached(len(rows), len(arms), "arms are trained")
            if _first(rows, len(arms)) > shown:
                shown = _first(rows, len(arms))
                yield Step(tuple(row for number in range(shown) for row in rows[number]))
    finally:
        for _, work in arms:
            work.close()  # type: ignore[attr-defined]


def _first(rows: dict[int, Rows], arms: int) -> int:
    """Return how many arms at the beginning of the table are done."""
    return next((number for number in range(arms) if number not in rows), arms)


def _begun(
    cluster: Cluster,
    source: SubjectSource,
    model: Analysed,
    recipe: Recipe,
    plan: RecoveryPlan,
    conditions: Conditions,
) -> Work[Recovery]:
    """Ask for a training at once, and return the work that waits for it."""
    asked = {"recipe": recipe.to_json(), "plan": plan.to_json(), "conditions": asked_json(conditions)}
    answer = cluster.ask(WorkItem("recovery", source, asked))

    def waiting() -> Work[Recovery]:
        try:
            yield Step(Recovery.from_json((yield from cluster.result(answer))))
        finally:
            cluster.let_go([answer])

    return waiting()
