"""Measures disputed channels themselves: what is lost if each is removed alone, if all are removed together,
and if as many are removed at random.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch

from ..engine.conditions import Conditions
from ..engine.measure import stream
from ..errors import ExplorerError
from ..graph.analysed import Analysed
from ..measuring.statistics import looks_level
from ..values.progress import Progress, Step, Work, result_of
from ..values.recipe import Recipe
from ..values.report import Drop

SEEDS = 5  # of the control
EVERYTHING = Conditions()


@dataclass(frozen=True)
class Settled:
    """What was measured so far, one-shot and without any other fader.

    Args:
        channels: of the group, that were asked about.
        alone: channel -> change if it alone is removed.
        together: if all of them are removed.
        chance: if as many channels of the group are removed at random, one per seed.
        samples: of each measurement.
        level: of the intervals, so that all of them hold at 95 % together.
    """

    group: str
    channels: tuple[int, ...]
    level: float
    alone: Mapping[int, Drop] = field(default_factory=dict)
    together: Drop | None = None
    chance: tuple[Drop, ...] = ()
    samples: int = 0

    @property
    def expected(self) -> int:
        """Return the number of measurements when all is done."""
        return len(self.channels) + 1 + SEEDS

    @property
    def finished(self) -> bool:
        return len(self.alone) + (self.together is not None) + len(self.chance) == self.expected


def settle(
    model: Analysed,
    recipe: Recipe,
    group: str,
    channels: Sequence[int],
    conditions: Conditions = EVERYTHING,
) -> Work[Settled]:
    """Yield Progress between batches, and a Settled after each measurement: all together first, then random
    choices, then one by one.

    Args:
        recipe: its repair is used; its ratios are ignored.
        channels: of the group.
    Raises:
        ExplorerError: there is no data, or no channel is given.
    """
    if model.subject.task is None:
        raise ExplorerError(
            f"{model.subject.name!r} has no data, so nothing can be measured; add some with --data."
        )
    if not channels:
        raise ExplorerError(f"No channels of {group!r} are disputed, so there is nothing to measure.")
    settled = Settled(group, tuple(channels), looks_level(len(channels) + 1))
    units = next(g.units for g in model.profile.groups if g.name == group)
    how = replace(conditions, latency=False, level=settled.level)
    plain = replace(recipe, channels={}, weights={}, keep={}, remove={}, pattern="free", round_to=1)
    removals = [
        tuple(channels),
        *(_drawn(units, len(channels), seed) for seed in range(SEEDS)),
        *((c,) for c in channels),
    ]
    for done, removed in enumerate(removals):
        now = Progress(done, len(removals), "Measuring disputed channels")
        report = yield from result_of(stream(model, replace(plain, remove={group: removed}), how), now)
        assert report.drop is not None
        drop, samples = report.drop, report.pruned.samples
        if done == 0:
            settled = replace(settled, together=drop, samples=samples)
        elif done <= SEEDS:
            settled = replace(settled, chance=(*settled.chance, drop))
        else:
            settled = replace(settled, alone={**settled.alone, removed[0]: drop})
        yield Step(settled)


def _drawn(units: int, count: int, seed: int) -> tuple[int, ...]:
    """Draw this many of a group's channels at random."""
    order = torch.randperm(units, generator=torch.Generator().manual_seed(seed))
    return tuple(sorted(order[:count].tolist()))
