"""Proves a compaction: compares compact with masked in float64 on a conditioned copy, with a negative control
that must fail.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor

from ..compaction.compact import compact
from ..errors import ExplorerError
from ..graph.analysed import Analysed
from ..graph.export import count_macs
from ..graph.running import fixed_batch
from ..machine.peak_memory import peak_of_process
from ..planning.allocate import allocate
from ..planning.allocation import Allocation
from ..pruning.decision import masks_once
from ..values.choice import Choice
from ..values.profile import Masks
from ..values.progress import Returning, Step, Work, outcome, reached
from ..values.recipe import Recipe
from .comparison import expected_answers
from .conditioned_model import conditioned_state, portions, random_inputs
from .float64_run import widened
from .negative_control import is_seen, negative_control
from .own_answers import difference_of_graph

TOLERANCE = 1e-8  # largest relative difference of a correct wiring, in float64
OWN_TOLERANCE = 1e-4  # of the largest output, between a model and its graph in the model's own precision
FEW = 2**24  # weights of a model that may be in memory in float64
REJECTED = 1e-4  # a wrong wiring must move the outputs by at least this much
LEFT = "one removed block left in"
NOTHING = "nothing was removed, so there is nothing to prove"
UNSEEN = "nothing that was removed reaches an output of the model, so there is nothing to prove"


@dataclass(frozen=True)
class AuditReport:
    """What an audit found.

    Args:
        frozen: name and reason of each group that cannot be pruned.
        max_rel_diff: largest difference of the outputs, relative to their variation over inputs; None = not
            computed.
        negative_control: the same after a fault was made on purpose: the median over a few places for it. If
            blocks are removed: of a model that still has one of them, if that differs less.
        fault: what was wrong on purpose; None if there was no negative control.
        verified: every check was run and passed.
        reason: why it is not verified, or None.
        seconds: of the audit alone.
        peak_memory_bytes: the largest resident memory of the whole process.
        peak_memory_of: "model" if it was measured for this model alone, from its loading on; otherwise
            "process", since it began.
        analysis_seconds: from the loaded model to its coupled groups; None = not measured.
        graph_rel_diff: largest difference between the outputs of the model and of its graph, relative to the
            largest output; None = not computed.
    """

    model: str
    groups: int
    frozen: tuple[Mapping[str, str], ...]
    params_before: int
    params_after: int | None
    macs_before: int
    macs_after: int | None
    max_rel_diff: float | None
    negative_control: float | None
    verified: bool
    reason: str | None
    seconds: float
    peak_memory_bytes: int
    peak_memory_of: str = "process"
    analysis_seconds: float | None = None
    graph_rel_diff: float | None = None
    fault: str | None = None

    def to_json(self) -> dict[str, Any]:
        return {**self.__dict__, "frozen": [dict(item) for item in self.frozen]}


def audit(model: Analysed, recipe: Recipe | None = None, *, ratio: float = 0.5) -> AuditReport:
    """Prune, compact and compare; without a recipe every free group loses `ratio` of its units."""
    return outcome(audit_steps(model, recipe, ratio=ratio))


def audit_steps(model: Analysed, recipe: Recipe | None = None, *, ratio: float = 0.5) -> Work[AuditReport]:
    """Do the same in steps of one layer each, so that it can be followed and stopped; the report is the last
    value.
    """
    started = time.perf_counter()
    profile = model.profile
    frozen = tuple({"name": g.name, "reason": g.frozen} for g in profile.groups if g.frozen)
    result = AuditReport(
        model.subject.name,
        len(profile.groups),
        frozen,
        profile.params,
        None,
        profile.macs,
        None,
        None,
        None,
        False,
        profile.error,
        0.0,
        0,
    )
    if model.graph.program is not None:
        chosen = recipe or allocate(model, Recipe(), Allocation(Choice("uniform"), ratio))
        yield reached(0, 1, "Rating channels")
        result = yield from _compared(model, masks_once(model, chosen), result)
    yield Step(replace(result, seconds=time.perf_counter() - started, peak_memory_bytes=peak_of_process()))


def _compared(model: Analysed, masks: Masks, result: AuditReport) -> Returning[AuditReport]:
    try:
        return (yield from _compare(model, masks, result))
    except (
        ExplorerError,
        RuntimeError,
        ValueError,
        TypeError,
        NotImplementedError,
    ) as error:  # foreign operators raise these
        first_line = (str(error).strip().splitlines() or [""])[0][:300]
        return replace(result, reason=f"{type(error).__name__}: {first_line}")


def _compare(model: Analysed, masks: Masks, result: AuditReport) -> Returning[AuditReport]:
    """Compare the outputs. Each tensor is widened to float64 only while it is read, so the dense model is
    never in memory twice.
    """
    own = difference_of_graph(model)
    result = replace(result, graph_rel_diff=own)
    if not own <= OWN_TOLERANCE:
        told = f"the graph read from the model and the model itself give different answers: by {own:.1e}"
        return replace(
            result, reason=f"{told} of the largest answer, and at most {OWN_TOLERANCE:.0e} is allowed"
        )
    if _removes_nothing(masks):
        return replace(result, reason=NOTHING)
    state = yield from conditioned_state(model)
    expected = yield from expected_answers(
        model.graph, masks, state, portions(random_inputs(model), model.graph)
    )
    small = compact(model, masks, state=state, share=True)
    fewer = replace(masks, blocks=masks.blocks[1:])
    kept = compact(model, fewer, state=state, share=True) if masks.blocks else None
    del state
    example = model.subject.example[: fixed_batch(model.graph.program) or 1]  # type: ignore[arg-type]
    macs = count_macs(small, example) // len(example)
    result = replace(result, params_after=sum(p.numel() for p in small.parameters()), macs_after=macs)
    if result.params_after is not None and result.params_after <= FEW:
        small = small._apply(widened)  # once, and not in each of the runs that follow
    difference = max(one.difference(small) for one in expected)
    yield reached(0, 1, "Making a fault on purpose")
    control, fault = yield from negative_control(model.profile, masks, small, expected[-1])
    if kept is not None and (control is not None or not masks.channels):
        one_too_many = expected[-1].difference(kept)
        if control is None or one_too_many < control:
            control, fault = one_too_many, LEFT
    reason = _why_not(expected[0].outputs, difference, control)
    if not masks.blocks and difference <= TOLERANCE and not is_seen(model.profile, masks, small):
        reason = UNSEEN
    return replace(
        result,
        max_rel_diff=difference,
        negative_control=control,
        fault=fault,
        verified=reason is None,
        reason=reason,
    )


def _removes_nothing(masks: Masks) -> bool:
    return (
        not masks.channels and not masks.blocks and all(bool(mask.all()) for mask in masks.weights.values())
    )


def _why_not(expected: Tensor, difference: float, control: float | None) -> str | None:
    varies = float(expected.std(0).max() / expected.abs().max().clamp(min=1e-300))
    if not varies > 1e-6:
        return "the outputs do not vary over inputs, so a comparison proves nothing"
    if not difference <= TOLERANCE:
        return (
            f"the compact and the masked model differ by {difference:.2e}; at most {TOLERANCE:.0e} is allowed"
        )
    if control is None:
        return "no place was found for a fault on purpose, so it is not shown that one would be noticed"
    weak = f"the negative control moved the outputs by only {control:.2e}; at least {REJECTED:.0e} is needed"
    return None if control > REJECTED else weak
