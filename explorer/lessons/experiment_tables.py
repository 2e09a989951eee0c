"""Reads and checks a lesson's experiment: arms, points, recipes, training."""

from typing import Any

from ..errors import ExplorerError
from ..loaders.model_text import check_named
from ..recovery.training_plan import RecoveryPlan
from ..registry import ALLOCATORS, CRITERIA
from ..values.granularity import BLOCK, GRANULARITIES, PLURALS, read_granularity
from ..values.recipe import Recipe
from .toml_table import LessonError, Table
from .values import BY_HAND, DENSE, EQUAL_IN, MATCHES, ROLES, VIEWS, Arm, Experiment

RATIO = (0.0, 0.99)


def read_experiment(table: Table) -> Experiment:
    experiment = Experiment(
        _model(table, table.text("model")),
        tuple(_model(table, name) for name in table.texts("models")),
        table.text("axis"),
        table.numbers("points", *RATIO, ...),
        tuple(map(_arm, table.tables("arms"))),
        table.whole("samples", 1, 100_000, None),
        tuple(int(batch) for batch in table.numbers("batches", 1, 4096)),
        table.numbers("timed_at", *RATIO),
        table.texts("views"),
    )
    names = [arm.name for arm in experiment.arms]
    if len(set(names)) < len(names) or DENSE in names:
        raise LessonError(f"{table.where}: arms need different names, and none may be {DENSE!r}.")
    for arm in experiment.arms:
        if arm.equal_to:
            known_arm(table, experiment, arm.equal_to)
        if not experiment.points_of(arm):
            raise LessonError(f"{table.where}: arm {arm.name!r} has no points.")
    if experiment.batches and not experiment.timed_at:
        raise LessonError(f"{table.where}: 'batches' need 'timed_at', the points that are timed.")
    for view in experiment.views:
        if view not in VIEWS:
            raise LessonError(f"{table.where}: no view named {view!r}. Available: {', '.join(VIEWS)}.")
    table.done()
    return experiment


def _arm(table: Table) -> Arm:
    arm = Arm(
        table.text("name"),
        table.text("label"),
        read_granularity(table.choice("granularity", GRANULARITIES)),
        table.text("allocator", "uniform"),
        _parts(table),
        table.choice("match", MATCHES, "units"),
        table.text("equal_to", ""),
        table.numbers("points", *RATIO),
        _settings(table),
        table.number("base", *RATIO, default=0.0),
        table.whole("samples", 2, 100_000, None),
        _model(table, table.text("model", "")),
        table.choice("by_hand", BY_HAND, "no"),
        _training(table),
        table.choice("equal_in", EQUAL_IN, "params"),
    )
    if arm.granularity == BLOCK and arm.parts != "all":
        raise LessonError(f"{table.where}: an arm of blocks takes all of them; leave 'parts' out.")
    if arm.allocator not in ALLOCATORS or arm.recipe.criterion.name not in CRITERIA:
        raise LessonError(
            f"{table.where}: no allocator {arm.allocator!r} or no criterion {arm.recipe.criterion.name!r} "
            "here."
        )
    table.done()
    return arm


def _model(table: Table, name: str) -> str:
    """Return the name of a model that a lesson file may name; an empty name means none."""
    try:
        if name:
            check_named(name)
    except ExplorerError as error:
        raise LessonError(f"{table.where}: {error}") from error
    return name


def _parts(table: Table) -> str:
    given = table.text("parts", "all")
    unknown = [role for role in given.split("+") if role not in ROLES]
    if given != "all" and unknown:
        raise LessonError(
            f"{table.where}: no role named {unknown[0][:40]!r}. Available: all, {', '.join(ROLES)}."
        )
    return given


def _settings(table: Table) -> Recipe:
    given = table.rest("recipe")
    if {*PLURALS.values(), "keep", "remove"} & set(given):
        raise LessonError(
            f"{table.where}: the ratios of a recipe come from the points; give settings such as 'criterion' "
            "only."
        )
    try:
        recipe = Recipe.from_json(given)
        CRITERIA[recipe.criterion.name].check(recipe.criterion.params)
        return recipe
    except ExplorerError as error:
        raise LessonError(f"{table.where}: {error}") from error


def _training(table: Table) -> dict[str, Any]:
    given = table.rest("training")
    try:
        RecoveryPlan.from_json(given)
    except ExplorerError as error:
        raise LessonError(f"{table.where}: {error}") from error
    return given


def known_arm(table: Table, experiment: Experiment, name: str, *, dense: bool = False) -> str:
    known = [arm.name for arm in experiment.arms] + ([DENSE] if dense else [])
    if name not in known:
        raise LessonError(f"{table.where}: no arm named {name!r}. Available: {', '.join(known)}.")
    return name


def known_point(table: Table, experiment: Experiment, arm: str, x: float) -> float:
    known = experiment.points_of(experiment.arm(arm))
    if x not in known:
        raise LessonError(
            f"{table.where}: arm {arm!r} has no point {x:g}. It has {', '.join(f'{p:g}' for p in known)}."
        )
    return x
