"""Reads a lesson's claim and questions to the learner, and checks them against its experiment."""

from .experiment_tables import RATIO, known_arm, known_point
from .toml_table import LessonError, Table
from .values import (
    COSTS,
    DENSE,
    PREDICTIONS,
    QUANTITIES,
    VERDICTS,
    Case,
    Claim,
    Experiment,
    Option,
    Prediction,
    VerdictName,
)


def read_claim(table: Table, experiment: Experiment) -> Claim:
    cases = tuple(_case(entry, experiment) for entry in table.tables("cases"))
    sentences = table.table("explain")
    explain = {
        verdict: sentences.text(verdict)
        for verdict in possible(sum(len(xs_of(case, experiment)) for case in cases))
    }
    sentences.done()
    made = Claim(table.text("text"), cases, explain)
    table.done()
    return made


def possible(comparisons: int) -> tuple[VerdictName, ...]:
    """Return the verdicts that this many comparisons can lead to; a single one is never mixed."""
    return tuple(verdict for verdict in VERDICTS if verdict != "conditional" or comparisons > 1)


def xs_of(case: Case, experiment: Experiment) -> tuple[float, ...]:
    """Return the points at which a case is judged: those it names, or else all that its arms share."""
    if case.at:
        return case.at
    others = [name for name in (case.against, *case.sum_of) if name != DENSE]
    shared = [set(experiment.points_of(experiment.arm(name))) for name in others]
    own = experiment.timed_at if case.quantity == "speed" else experiment.points_of(experiment.arm(case.arm))
    return tuple(x for x in own if all(x in points for points in shared))


def _case(table: Table, experiment: Experiment) -> Case:
    unbound = float("inf")
    case = Case(
        table.text("name"),
        table.choice("quantity", QUANTITIES),
        known_arm(table, experiment, table.text("arm")),
        known_arm(table, experiment, table.text("against", DENSE), dense=True),
        table.bound("above", -unbound),
        table.bound("below", unbound),
        table.numbers("at", *RATIO),
        table.texts("sum_of"),
        table.whole("batch", 1, 4096, 1),
    )
    for arm in case.sum_of:
        known_arm(table, experiment, arm)
    for x in case.at:
        known_point(table, experiment, case.arm, x)
    _check_case(table, case, experiment)
    table.done()
    return case


def _check_case(table: Table, case: Case, experiment: Experiment) -> None:
    bounded = case.above > -float("inf") or case.below < float("inf")
    if case.quantity == "told_apart" and bounded:
        raise LessonError(
            f"{table.where}: 'told_apart' needs no bound; it asks whether a difference is beyond noise."
        )
    if case.quantity != "told_apart" and not (bounded and case.above < case.below):
        raise LessonError(
            f"{table.where}: {case.quantity!r} needs 'above', 'below', or both with 'above' the smaller."
        )
    if (case.quantity == "joint") != bool(case.sum_of):
        raise LessonError(f"{table.where}: 'joint' and 'sum_of' belong together.")
    others = [experiment.arm(name) for name in (case.against, *case.sum_of) if name != DENSE]
    own = experiment.arm(case.arm)
    if case.quantity not in (*COSTS, "speed", "kept") and any(
        (a.samples, a.model) != (own.samples, own.model) for a in others
    ):
        raise LessonError(
            f"{table.where}: answers can be compared on the same samples of the same model only."
        )
    timed = case.batch in experiment.batches and set(xs_of(case, experiment)) <= set(experiment.timed_at)
    if case.quantity == "speed" and not timed:
        raise LessonError(
            f"{table.where}: speed at batch {case.batch} is not timed; see 'batches' and 'timed_at'."
        )
    if not xs_of(case, experiment):
        raise LessonError(f"{table.where}: its arms share no point.")


def read_prediction(table: Table, experiment: Experiment) -> Prediction:
    kind = table.choice("kind", PREDICTIONS)
    arm = table.text("arm", "")
    prediction = Prediction(
        kind,
        table.text("question"),
        arm,
        table.choice("quantity", COSTS, "nonzero_params"),
        table.number("x", *RATIO, default=0.5),
        table.choice("extreme", ("lowest", "highest"), "lowest"),
        tuple(map(_option, table.tables("options", 2 if kind in ("verdict", "arm") else 0))),
        table.text("expected"),
    )
    if kind in ("curve", "number"):
        known_arm(table, experiment, arm)
    if kind == "number":
        known_point(table, experiment, arm, prediction.x)
    for option in prediction.options:
        if kind == "arm":
            known_point(table, experiment, known_arm(table, experiment, option.arm), prediction.x)
        if kind == "verdict" and option.verdict not in VERDICTS:
            raise LessonError(f"{table.where}: each option needs a verdict: {', '.join(VERDICTS)}.")
    table.done()
    return prediction


def _option(table: Table) -> Option:
    made = Option(table.text("text"), table.text("verdict", ""), table.text("arm", ""))
    table.done()
    return made
