"""Chooses ratios by measured latency: whatever widths an allocator asks about are timed here, alone and
together, until it knows enough.

Each is timed in turns with the dense model, at one sample per forward like the latency of a Report, and only
once: a later request, even for another target, finds it on disk.
"""

import math
from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor, nn

from ..engine.candidate import build
from ..graph.analysed import Analysed
from ..measuring.latency import TimingPlan, rounds
from ..values.profile import Masks
from ..values.progress import Progress, Returning, Step
from ..values.recipe import Recipe
from .allocate import allocate
from .allocation import Allocation
from .known_latencies import BLOCK, UnmeasuredError, timed_widths

TURNS, SECONDS = 21, 1.5  # for one set of widths
OPTIONS = 9  # ratios of each part that a scan knows
TOGETHER = 20  # joint plans that are usually tried
LABEL = "Timing widths"
T = TypeVar("T")


def allocated(model: Analysed, recipe: Recipe, wish: Allocation, device: str = "cpu") -> Returning[Recipe]:
    """Return the same as `allocate` after measuring all times that it needs; yields Progress between
    forwards.

    Among plans that are about equally fast, noise decides which one counts as fast enough; the Report's
    latency is a new measurement.

    Raises:
        ExplorerError: as in `allocate`.
    """
    return (yield from timed(model, lambda: allocate(model, recipe, wish, device), device))


def timed(model: Analysed, ask: Callable[[], T], device: str = "cpu") -> Returning[T]:
    """Call `ask` until it no longer asks for an unknown time, and return its result."""
    known, done = timed_widths(model.subject, device), 0
    expected = OPTIONS * len(model.profile.free_groups) + TOGETHER
    units = {group.name: group.units for group in model.profile.groups}
    dense: nn.Module | None = None
    while True:
        try:
            return ask()
        except UnmeasuredError as asked:
            now = Progress(done, max(expected, done + 1), LABEL)
            dense = dense or build(model, Masks({}, {}), device)
            away = tuple(name.removeprefix(BLOCK) for name, _ in asked.widths if name.startswith(BLOCK))
            kept = {name: left for name, left in asked.widths if not name.startswith(BLOCK)}
            masks = Masks({name: torch.arange(units[name]) < left for name, left in kept.items()}, {}, away)
            share = yield from _share(dense, build(model, masks, device), model.subject.example, device, now)
            known.add(asked.widths, share)
            done += 1


def _share(
    dense: nn.Module, pruned: nn.Module, example: Tensor, device: str, now: Progress
) -> Returning[float]:
    """Return the share of the dense model's time; calls `now` after each round.

    Uses the fastest forwards of both: other programs can only slow one down, and a plan asks about many
    models.
    """
    fastest = {"dense": math.inf, "pruned": math.inf}
    for turn in rounds(
        {"dense": dense, "pruned": pruned},
        example[:1],
        TimingPlan(pairs=TURNS, budget_s=SECONDS),
        device=device,
    ):
        for name, milliseconds in (turn.value or {}).items():
            fastest[name] = min(fastest[name], milliseconds)
        yield Step(progress=now)
    return fastest["pruned"] / fastest["dense"]
