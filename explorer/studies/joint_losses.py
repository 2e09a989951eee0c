"""What each block, each coupled group and each layer costs alone: what a plan over several kinds needs."""

from collections.abc import Sequence
from dataclasses import replace

from ..allocators.context import Losses
from ..engine.conditions import Conditions
from ..errors import ExplorerError
from ..graph.analysed import Analysed
from ..values.granularity import BLOCK, GRADED, GRANULARITIES, Granularity
from ..values.progress import Returning, result_of
from ..values.recipe import Recipe
from .block_scan import block_scan
from .sensitivity.scan import scan
from .sensitivity.scan_at_hand import finished_at_hand
from .sensitivity.values import ScanPlan


def joint_losses(
    model: Analysed, recipe: Recipe, kinds: Sequence[Granularity], conditions: Conditions
) -> Returning[dict[Granularity, Losses]]:
    """Return kind -> part -> (ratio, growth of the loss) pairs; a kind of which the model has no parts has
    none.

    Scans of channels and weights are read from disk or come with a sample; blocks are measured now.

    Args:
        recipe: how units are rated, and whether each cut is repaired before it is measured.
        kinds: what is spent on.
    Raises:
        ExplorerError: a kind is unknown, or there is no data.
    """
    unknown = [kind for kind in kinds if kind not in GRANULARITIES]
    if unknown or not kinds:
        given = repr(unknown[0][:80]) if unknown else "none"
        raise ExplorerError(f"A plan spends on some of {', '.join(GRANULARITIES)}, got {given}.")
    conditions = replace(conditions, latency=False)
    losses: dict[Granularity, Losses] = {}
    for kind in kinds:
        losses[kind] = yield from _losses(model, recipe, kind, conditions)
    return losses


def kinds_of(model: Analysed) -> tuple[Granularity, ...]:
    """Return the kinds of which a model has parts that can be removed."""
    graded = (kind for kind in GRADED if model.profile.parts(kind))
    return (*((BLOCK,) if model.profile.free_blocks else ()), *graded)


def _losses(model: Analysed, recipe: Recipe, kind: Granularity, conditions: Conditions) -> Returning[Losses]:
    if kind not in kinds_of(model):
        return {}
    if kind == BLOCK:
        return (yield from result_of(block_scan(model, conditions, recipe.after))).losses()
    plan = ScanPlan(kind, recipe=recipe)
    scanned = finished_at_hand(model, plan, conditions)
    return (scanned or (yield from result_of(scan(model, plan, conditions)))).losses()
