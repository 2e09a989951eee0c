"""What allocators propose to a search, which begins where they end."""

from collections.abc import Iterator, Mapping

from ..allocators.context import Losses
from ..engine.conditions import Conditions
from ..errors import ExplorerError
from ..graph.analysed import Analysed
from ..planning.allocate import allocate
from ..planning.allocation import Allocation
from ..registry import ALLOCATORS
from ..values.choice import Choice
from ..values.recipe import Recipe
from .search_trials import SearchPlan
from .sensitivity.scan_at_hand import finished_at_hand
from .sensitivity.values import ScanPlan

TARGETS = (0.5, 0.25, 0.1, 0.75)  # of the proposals


def known_losses(model: Analysed, recipe: Recipe, plan: SearchPlan, how: Conditions) -> Losses | None:
    """Return the results of a scan that was finished before, or came with the model; none is started here,
    since it would take long.
    """
    scanned = finished_at_hand(model, ScanPlan(plan.granularity, recipe=recipe), how)
    return None if scanned is None else scanned.losses()


def proposed(
    model: Analysed, recipe: Recipe, plan: SearchPlan, losses: Losses | None, device: str
) -> Iterator[tuple[Mapping[str, float], str]]:
    """Return ratios that allocators choose, with the allocator's name, for at most half of the trials; those
    with a scan come first, if there is one.
    """
    left = max(1, plan.trials // 2)
    able = [
        name for name, plugin in ALLOCATORS.items() if losses is not None or not plugin.traits["needs_scan"]
    ]
    for target in TARGETS:
        for name in sorted(able, key=lambda name: not ALLOCATORS[name].traits["needs_scan"]):
            if left == 0:
                return
            params = {"saves": plan.cost} if ALLOCATORS[name].traits["needs_scan"] else {}
            try:
                wish = Allocation(Choice(name, params), target, plan.granularity, losses=losses)
                chosen = allocate(model, recipe, wish, device)
            except ExplorerError:  # out of reach, or its own criterion cannot rate this model
                continue
            yield chosen.ratios(plan.granularity), f"{name} at {target:.0%}".replace("%", " %")
            left -= 1
