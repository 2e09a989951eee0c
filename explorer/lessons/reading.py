"""A folder of TOML files -> lessons. Everything is checked here, at the border; inside, a lesson is trusted."""

import tomllib
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

from ..errors import ExplorerError, UnknownNameError
from ..labels import GLOSSARY
from ..recovery.training_plan import RecoveryPlan
from ..registry import ALLOCATORS, CRITERIA
from ..values import Recipe
from .tables import LessonError, Table
from .values import (
    BY_HAND,
    COSTS,
    DENSE,
    GRANULARITIES,
    MATCHES,
    PREDICTIONS,
    QUANTITIES,
    ROLES,
    VERDICTS,
    VIEWS,
    Answer,
    Arm,
    Case,
    Check,
    Claim,
    Experiment,
    Lesson,
    Option,
    Prediction,
    Published,
    Section,
    Source,
    TryIt,
    VerdictName,
)

CONTENT = Path(__file__).with_name("content")
FILE_LIMIT = 100_000  # bytes
RATIO = (0.0, 0.99)


def lessons(folder: Path = CONTENT) -> dict[str, Lesson]:
    """Name -> lesson, in the order of their numbers; read once.

    Raises:
        LessonError: a file says something that is not allowed, or two lessons have one number.
    """
    return dict(_all(folder))


@cache
def _all(folder: Path) -> tuple[tuple[str, Lesson], ...]:
    found = sorted((read(path) for path in sorted(folder.glob("*.toml"))), key=lambda lesson: lesson.number)
    for one, other in pairwise(found):
        if one.number == other.number:
            raise LessonError(f"Lessons {one.name!r} and {other.name!r} both have the number {one.number}.")
    return tuple((lesson.name, lesson) for lesson in found)


def lesson(name: str, folder: Path = CONTENT) -> Lesson:
    """The lesson of that name.

    Raises:
        UnknownNameError: there is none.
    """
    known = lessons(folder)
    if name not in known:
        raise UnknownNameError("lesson", name, known)
    return known[name]


def read(path: Path) -> Lesson:
    """The lesson of a file.

    Raises:
        LessonError: the file is too large, not TOML, or says something that is not allowed.
    """
    if path.stat().st_size > FILE_LIMIT:
        raise LessonError(f"Lesson {path.name!r} is larger than {FILE_LIMIT:,} bytes.")
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise LessonError(f"Lesson {path.name!r} is not valid TOML: {error}.") from error
    return parse(path.stem, data)


def parse(name: str, data: object) -> Lesson:
    """A lesson from the data of its file.

    Raises:
        LessonError: something is missing, unknown or not allowed; the text says where.
    """
    top = Table(data, f"Lesson {name!r}")
    experiment = _experiment(top.table("experiment"))
    found = Lesson(
        name, top.whole("number", 1, 99), top.text("title"), top.whole("minutes", 1, 60), top.text("summary"),
        tuple(map(_section, top.tables("sections"))), experiment, _prediction(top.table("prediction"), experiment),
        _claim(top.table("claim"), experiment), _check(top.table("check")), _try_it(top.table("try"), experiment),
        tuple(map(_published, top.tables("published", 0))), tuple(map(_source, top.tables("sources"))),
    )  # fmt: skip
    top.done()
    return found


def _section(table: Table) -> Section:
    made = Section(table.text("title"), table.text("text"), table.texts("terms"))
    for term in made.terms:
        if term not in GLOSSARY:
            raise LessonError(f"{table.where}: no term named {term!r} in the glossary. It has {', '.join(GLOSSARY)}.")
    table.done()
    return made


# --------------------------------------------------------------------------- experiment


def _experiment(table: Table) -> Experiment:
    made = Experiment(
        table.text("model"), table.texts("models"), table.text("axis"), table.numbers("points", *RATIO, ...),
        tuple(map(_arm, table.tables("arms"))), table.whole("samples", 1, 100_000, None),
        tuple(int(batch) for batch in table.numbers("batches", 1, 4096)), table.numbers("timed_at", *RATIO), table.texts("views"),
    )  # fmt: skip
    names = [arm.name for arm in made.arms]
    if len(set(names)) < len(names) or DENSE in names:
        raise LessonError(f"{table.where}: arms need different names, and none may be {DENSE!r}.")
    for arm in made.arms:
        if arm.equal_to:
            _known_arm(table, made, arm.equal_to)
        if not made.points_of(arm):
            raise LessonError(f"{table.where}: arm {arm.name!r} has no points.")
    if made.batches and not made.timed_at:
        raise LessonError(f"{table.where}: 'batches' need 'timed_at', the points that are timed.")
    for view in made.views:
        if view not in VIEWS:
            raise LessonError(f"{table.where}: no view named {view!r}. Available: {', '.join(VIEWS)}.")
    table.done()
    return made


def _arm(table: Table) -> Arm:
    made = Arm(
        table.text("name"), table.text("label"), table.choice("granularity", GRANULARITIES), table.text("allocator", "uniform"),
        _parts(table), table.choice("match", MATCHES, "units"), table.text("equal_to", ""),
        table.numbers("points", *RATIO), _settings(table), table.number("base", *RATIO, default=0.0),
        table.whole("samples", 2, 100_000, None), table.text("model", ""), table.choice("by_hand", BY_HAND, "no"),
        _training(table),
    )  # fmt: skip
    if made.allocator not in ALLOCATORS or made.recipe.criterion.name not in CRITERIA:
        raise LessonError(f"{table.where}: no allocator {made.allocator!r} or no criterion {made.recipe.criterion.name!r} here.")
    table.done()
    return made


def _parts(table: Table) -> str:
    given = table.text("parts", "all")
    unknown = [role for role in given.split("+") if role not in ROLES]
    if given != "all" and unknown:
        raise LessonError(f"{table.where}: no role named {unknown[0][:40]!r}. Available: all, {', '.join(ROLES)}.")
    return given


def _settings(table: Table) -> Recipe:
    given = table.rest("recipe")
    if {"channels", "weights", "keep", "remove"} & set(given):
        raise LessonError(f"{table.where}: the ratios of a recipe come from the points; give settings such as 'criterion' only.")
    try:
        return Recipe.from_json(given)
    except ExplorerError as error:
        raise LessonError(f"{table.where}: {error}") from error


def _training(table: Table) -> dict[str, Any]:
    given = table.rest("training")
    try:
        RecoveryPlan.from_json(given)
    except ExplorerError as error:
        raise LessonError(f"{table.where}: {error}") from error
    return given


def _known_arm(table: Table, experiment: Experiment, name: str, *, dense: bool = False) -> str:
    known = [arm.name for arm in experiment.arms] + ([DENSE] if dense else [])
    if name not in known:
        raise LessonError(f"{table.where}: no arm named {name!r}. Available: {', '.join(known)}.")
    return name


def _known_point(table: Table, experiment: Experiment, arm: str, x: float) -> float:
    known = experiment.points_of(experiment.arm(arm))
    if x not in known:
        raise LessonError(f"{table.where}: arm {arm!r} has no point {x:g}. It has {', '.join(f'{p:g}' for p in known)}.")
    return x


# --------------------------------------------------------------------------- claim and prediction


def _claim(table: Table, experiment: Experiment) -> Claim:
    cases = tuple(_case(entry, experiment) for entry in table.tables("cases"))
    told = table.table("explain")
    explain = {verdict: told.text(verdict) for verdict in possible(sum(len(xs_of(case, experiment)) for case in cases))}
    told.done()
    made = Claim(table.text("text"), cases, explain)
    table.done()
    return made


def possible(comparisons: int) -> tuple[VerdictName, ...]:
    """The verdicts that so many comparisons can come to; a single one is never mixed."""
    return tuple(verdict for verdict in VERDICTS if verdict != "conditional" or comparisons > 1)


def xs_of(case: Case, experiment: Experiment) -> tuple[float, ...]:
    """Where a case is looked at: as it says, else wherever all of its arms have a point."""
    if case.at:
        return case.at
    others = [name for name in (case.against, *case.sum_of) if name != DENSE]
    shared = [set(experiment.points_of(experiment.arm(name))) for name in others]
    own = experiment.timed_at if case.quantity == "speed" else experiment.points_of(experiment.arm(case.arm))
    return tuple(x for x in own if all(x in points for points in shared))


def _case(table: Table, experiment: Experiment) -> Case:
    unbound = float("inf")
    made = Case(
        table.text("name"), table.choice("quantity", QUANTITIES), _known_arm(table, experiment, table.text("arm")),
        _known_arm(table, experiment, table.text("against", DENSE), dense=True),
        table.bound("above", -unbound), table.bound("below", unbound),
        table.numbers("at", *RATIO), table.texts("sum_of"), table.whole("batch", 1, 4096, 1),
    )  # fmt: skip
    for arm in made.sum_of:
        _known_arm(table, experiment, arm)
    for x in made.at:
        _known_point(table, experiment, made.arm, x)
    _check_case(table, made, experiment)
    table.done()
    return made


def _check_case(table: Table, case: Case, experiment: Experiment) -> None:
    bounded = case.above > -float("inf") or case.below < float("inf")
    if case.quantity == "told_apart" and bounded:
        raise LessonError(f"{table.where}: 'told_apart' needs no bound; it asks whether a difference is beyond noise.")
    if case.quantity != "told_apart" and not (bounded and case.above < case.below):
        raise LessonError(f"{table.where}: {case.quantity!r} needs 'above', 'below', or both with 'above' the smaller.")
    if (case.quantity == "joint") != bool(case.sum_of):
        raise LessonError(f"{table.where}: 'joint' and 'sum_of' belong together.")
    others = [experiment.arm(name) for name in (case.against, *case.sum_of) if name != DENSE]
    own = experiment.arm(case.arm)
    if case.quantity not in (*COSTS, "speed") and any((a.samples, a.model) != (own.samples, own.model) for a in others):
        raise LessonError(f"{table.where}: answers can be compared on the same samples of the same model only.")
    timed = case.batch in experiment.batches and set(xs_of(case, experiment)) <= set(experiment.timed_at)
    if case.quantity == "speed" and not timed:
        raise LessonError(f"{table.where}: speed at batch {case.batch} is not timed; see 'batches' and 'timed_at'.")
    if not xs_of(case, experiment):
        raise LessonError(f"{table.where}: its arms share no point.")


def _prediction(table: Table, experiment: Experiment) -> Prediction:
    kind = table.choice("kind", PREDICTIONS)
    arm = table.text("arm", "")
    made = Prediction(
        kind, table.text("question"), arm, table.choice("quantity", COSTS, "nonzero_params"),
        table.number("x", *RATIO, default=0.5),
        table.choice("extreme", ("lowest", "highest"), "lowest"),
        tuple(map(_option, table.tables("options", 2 if kind in ("verdict", "arm") else 0))), table.text("expected"),
    )  # fmt: skip
    if kind in ("curve", "number"):
        _known_arm(table, experiment, arm)
    if kind == "number":
        _known_point(table, experiment, arm, made.x)
    for option in made.options:
        if kind == "arm":
            _known_point(table, experiment, _known_arm(table, experiment, option.arm), made.x)
        if kind == "verdict" and option.verdict not in VERDICTS:
            raise LessonError(f"{table.where}: each option needs a verdict: {', '.join(VERDICTS)}.")
    table.done()
    return made


def _option(table: Table) -> Option:
    made = Option(table.text("text"), table.text("verdict", ""), table.text("arm", ""))
    table.done()
    return made


# --------------------------------------------------------------------------- the rest


def _check(table: Table) -> Check:
    made = Check(table.text("question"), tuple(map(_answer, table.tables("answers", 2))))
    if sum(answer.right for answer in made.answers) != 1:
        raise LessonError(f"{table.where}: exactly one answer must be right.")
    table.done()
    return made


def _answer(table: Table) -> Answer:
    made = Answer(table.text("text"), table.flag("right"), table.text("reason"))
    table.done()
    return made


def _try_it(table: Table, experiment: Experiment) -> TryIt:
    arm = _known_arm(table, experiment, table.text("arm"))
    made = TryIt(table.text("text"), arm, _known_point(table, experiment, arm, table.number("x", *RATIO)))
    table.done()
    return made


def _published(table: Table) -> Published:
    made = Published(table.text("name"), table.numbers("x", 0, 1), table.numbers("accuracy", 0, 1), table.text("note", ""))
    if len(made.x) != len(made.accuracy):
        raise LessonError(f"{table.where}: 'x' and 'accuracy' must be equally long, got {len(made.x)} and {len(made.accuracy)}.")
    table.done()
    return made


def _source(table: Table) -> Source:
    made = Source(table.text("text"), table.text("url", ""))
    if made.url and not made.url.startswith("https://"):
        raise LessonError(f"{table.where}: 'url' must begin with https://, got {made.url[:60]!r}.")
    table.done()
    return made
