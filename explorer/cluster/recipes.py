"""Recipes measured on a cluster: points of curves, trials of a search, ratings of criteria."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

from ..engine.conditions import Conditions
from ..graph.analysed import Analysed
from ..registry import CRITERIA
from ..studies.accuracy_curves import MEASURING, Family, Lines, in_turns, lines_of
from ..studies.criteria_agreement import Ratings, check_comparable
from ..studies.recipe_search import RecipeSearch, TrialMeasuring
from ..studies.search_trials import Search
from ..values.choice import Choice
from ..values.progress import PAUSE, Step, Work, reached
from ..values.recipe import Recipe
from ..values.report import Report
from .connection import Cluster, WorkAnswer
from .kinds import asked_json
from .packing import tensors_of
from .subject_source import SubjectSource
from .work_item import WorkItem


def _item(source: SubjectSource, recipe: Recipe, conditions: Conditions) -> WorkItem:
    return WorkItem("report", source, {"recipe": recipe.to_json(), "conditions": asked_json(conditions)})


def curves(
    cluster: Cluster, source: SubjectSource, families: Sequence[Family], conditions: Conditions
) -> Work[Lines]:
    """Measure all recipes, several at once. Yields all lines so far at each new point.

    Raises:
        ExplorerError: a recipe does not fit the model, or the cluster fails.
    """
    how = replace(conditions, latency=False)
    done: dict[str, dict[float, Report]] = {family.name: {} for family in families}
    turns = in_turns(families)
    wanted: dict[str, list[tuple[Family, float]]] = {}
    answers: dict[str, WorkAnswer] = {}
    try:
        for family, step in turns:
            item = _item(source, family.recipes[family.steps.index(step)], how)
            wanted.setdefault(item.address, []).append((family, step))
            if item.address not in answers:
                answers[item.address] = cluster.ask(item)
        yield reached(0, len(turns), MEASURING)
        for step_there in cluster.results(list(answers.values())):
            answer = step_there.value
            if answer is None:
                yield PAUSE
                continue
            for family, step in wanted[answer.item.address]:
                done[family.name][step] = report_of(answer)
            yield Step(lines_of(done), reached(_count(done), len(turns), MEASURING).progress)
    finally:
        cluster.let_go(list(answers.values()))


def _count(done: Mapping[str, Mapping[float, Report]]) -> int:
    return sum(map(len, done.values()))


def report_of(answer: WorkAnswer) -> Report:
    """Return the report of an answer."""
    assert answer.known is not None
    return Report.from_json(answer.known["result"])


def search(cluster: Cluster, source: SubjectSource, wanted: RecipeSearch) -> Work[Search]:
    """Yield the same as a search on one machine. As many trials run at once as there are workers, so the
    optimiser proposes each with the results of fewer others.
    """
    start = partial(_measured, cluster, source)
    yield from wanted.steps(TrialMeasuring(start, lambda: cluster.workers))


def _measured(
    cluster: Cluster, source: SubjectSource, model: Analysed, recipe: Recipe, conditions: Conditions
) -> Work[Report]:
    """Ask for a measurement at once, and return the work that waits for it."""
    answer = cluster.ask(_item(source, recipe, conditions))

    def waiting() -> Work[Report]:
        try:
            yield from cluster.result(answer)
            yield Step(report_of(answer))
        finally:
            cluster.let_go([answer])

    return waiting()


def rate(
    cluster: Cluster,
    source: SubjectSource,
    model: Analysed,
    recipe: Recipe,
    criteria: Sequence[str] | None,
    device: str,
) -> Work[Ratings]:
    """Yield the same as `criteria_agreement.rate`, each criterion on one worker.

    Raises:
        ExplorerError: as there, or the cluster fails.
    """
    check_comparable(model)
    names = [CRITERIA[name].name for name in criteria or CRITERIA]
    asked = {"conditions": {"device": device}}
    answers: dict[str, WorkAnswer] = {}
    try:
        for name in names:
            own = recipe if name == recipe.criterion.name else replace(recipe, criterion=Choice(name))
            bare = replace(own, channels={}, weights={}, keep={}, remove={}, blocks=())
            answers[name] = cluster.ask(WorkItem("scores", source, {"recipe": bare.to_json(), **asked}))
        scores, left_out = {}, {}
        for count, (name, answer) in enumerate(answers.items()):
            yield reached(count, len(names), f"Rating by {name}")
            result = yield from cluster.result(answer)
            if "left_out" in result:
                left_out[name] = result["left_out"]
            else:
                scores[name] = tensors_of(result["scores"])
        yield Step(Ratings(scores, left_out))
    finally:
        cluster.let_go(list(answers.values()))
