"""Measures one coupled group at several widths in milliseconds on this device: where it really gets faster,
and where a step ends.

Latency falls in steps, because kernels work in blocks of channels. All widths and the dense model take turns,
so a drift of the machine slows all of them alike, and each width is compared with the dense model within the
same rounds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import nn

from ..engine.candidate import build
from ..errors import ExplorerError, UnknownNameError
from ..graph.analysed import Analysed
from ..graph.export import ModelGraph
from ..machine.environment import environment
from ..measuring.latency import (
    FEWEST_ROUNDS,
    SpeedUp,
    SpeedVerdict,
    TimingPlan,
    faster,
    median_ratio,
    rounds,
    summary,
)
from ..values.profile import Group, Masks
from ..values.progress import Step, Work, reached

WIDTHS = 12  # widths to measure for one group, including the dense one
BATCH = 32  # samples per forward; with one sample most of the time is spent between the kernels
ROUNDS, BUDGET_S = 30, 30.0
USUAL = TimingPlan(BATCH, ROUNDS, BUDGET_S)
ANSWERS: dict[SpeedVerdict, str] = {
    "faster": "yes",
    "slower": "no, slower",
    "not distinguishable": "not distinguishable",
}


@dataclass(frozen=True)
class TimedWidth:
    """One width of the group.

    Args:
        kept: number of units kept.
        ratio: fraction removed.
        latency_ms: median, p10, p90 of a forward.
        speed_up: over the dense model in the same rounds; the intervals of all widths together hold 95 % of
            the time.
        is_edge: it is the widest of its step: no wider width that was measured is as fast beyond noise.
    """

    kept: int
    ratio: float
    latency_ms: Mapping[str, float]
    speed_up: SpeedUp
    is_edge: bool

    @property
    def answer(self) -> str:
        """Return whether it is faster here, in words."""
        return ANSWERS[self.speed_up.verdict]

    def to_json(self) -> dict[str, Any]:
        return {
            "kept": self.kept,
            "ratio": self.ratio,
            "latency_ms": dict(self.latency_ms),
            "speed_up": self.speed_up.to_json(),
            "is_edge": self.is_edge,
            "faster_here": self.answer,
        }


@dataclass(frozen=True)
class Staircase:
    """Latency against kept units of one group, all other groups dense.

    Args:
        units: of the dense group.
        steps: by rising number of kept units; the last one is dense.
        batch: samples per forward.
        rounds: number of rounds, each of which measured every width once.
        environment: device, threads, versions.
    """

    subject: Mapping[str, str]
    group: str
    unit: str
    units: int
    steps: tuple[TimedWidth, ...]
    batch: int
    rounds: int
    environment: Mapping[str, Any]

    @property
    def fast_ratios(self) -> tuple[float, ...]:
        """Return the ratios worth snapping to, rising from 0: each is the widest of its step; a smaller ratio
        in the same step would save no time.
        """
        return tuple(sorted(step.ratio for step in self.steps if step.is_edge))

    def to_json(self) -> dict[str, Any]:
        plain = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "steps"}
        return {
            **plain,
            "subject": dict(self.subject),
            "environment": dict(self.environment),
            "steps": [step.to_json() for step in self.steps],
            "fast_ratios": list(self.fast_ratios),
        }


def nearest_fast(ratio: float, fast_ratios: Sequence[float]) -> float:
    """Return the closest ratio on a fast edge, or the ratio itself if there are no edges.

    >>> nearest_fast(0.4, (0.0, 0.25, 0.5))
    0.5
    """
    return min(fast_ratios, key=lambda edge: (abs(edge - ratio), edge), default=ratio)


def widths_of(units: int, count: int = WIDTHS) -> tuple[int, ...]:
    """Return the numbers of kept units to measure, rising to all: every one if they are few, otherwise evenly
    spaced.

    >>> widths_of(3), widths_of(64, 4)
    ((1, 2, 3), (1, 22, 43, 64))
    """
    if units <= count:
        return tuple(range(1, units + 1))
    return tuple(sorted({round(1 + i * (units - 1) / (count - 1)) for i in range(count)}))


def staircase(
    model: Analysed,
    group: str,
    *,
    widths: Sequence[int] | None = None,
    plan: TimingPlan = USUAL,
    device: str = "cpu",
) -> Work[Staircase]:
    """Measure a group. Yields Progress at each model and forward, and a Staircase after every six rounds; the
    last one has all rounds.

    Args:
        widths: kept units; the dense width is always measured too.
    Raises:
        ExplorerError: there is no such group, or it cannot be pruned, or a width is not possible.
    """
    coupled = _group(model.graph, group)
    kept = sorted({*(widths if widths is not None else widths_of(coupled.units)), coupled.units})
    if kept[0] < 1 or kept[-1] > coupled.units:
        raise ExplorerError(
            f"Widths of {group!r} must be from 1 to {coupled.units}, got {kept[0]} to {kept[-1]}."
        )
    models: dict[str, nn.Module] = {}
    for width in kept:
        yield reached(len(models), len(kept), "building the widths")
        models[str(width)] = build(model, _first_units(coupled, width), device)
    times: dict[str, list[float]] = {name: [] for name in models}
    about, where = {"id": model.subject.id, "name": model.subject.name}, environment(device)
    done = shown = 0

    def so_far() -> Staircase:
        steps = _steps(times, coupled.units)
        return Staircase(about, group, coupled.unit, coupled.units, steps, plan.batch, done, where)

    for turn in rounds(models, model.subject.example, plan, device=device, pauses=True):
        for name, milliseconds in (turn.value or {}).items():
            times[name].append(milliseconds)
        done += turn.value is not None
        yield reached(done, plan.pairs, "timing, in turns")
        if done >= shown + FEWEST_ROUNDS:  # the intervals take longer than a round of a small model
            shown = done
            yield Step(so_far())
    if done > shown:
        yield Step(so_far())


def _group(graph: ModelGraph, name: str) -> Group:
    known = {group.name: group for group in graph.profile.groups}
    if name not in known:
        raise UnknownNameError("coupled group", name, graph.profile.free_groups)
    if known[name].frozen is not None:
        raise ExplorerError(f"Group {name!r} cannot be pruned: {known[name].frozen}")
    return known[name]


def _first_units(group: Group, kept: int) -> Masks:
    """Keep the first units; which units are kept makes no difference to the clock."""
    if kept == group.units:
        return Masks({}, {})
    return Masks({group.name: torch.arange(group.units) < kept}, {})


def _steps(times: Mapping[str, Sequence[float]], units: int) -> tuple[TimedWidth, ...]:
    """Return the steps of complete rounds, by rising number of kept units; the widths share the error, since
    the best one will be picked.
    """
    dense, level = times[str(units)], _level(len(times) - 1)
    edges = _edges({int(name): taken for name, taken in times.items()})
    return tuple(
        TimedWidth(
            int(name),
            round(1 - int(name) / units, 4),
            summary(taken),
            faster(dense, taken, level=level),
            int(name) in edges,
        )
        for name, taken in times.items()
    )


def _level(widths: int) -> float:
    """Return the level of each interval, so that all of them hold 95 % of the time (Bonferroni)."""
    return 1 - 0.05 / max(1, widths)


def _edges(times: Mapping[int, Sequence[float]]) -> set[int]:
    """Return the widths that are faster, beyond noise, than the edge before them, from dense downwards.

    A width begins a new step if the whole interval of its ratio to the last edge is below 1; the widths share
    the error.
    """
    widest, *narrower = sorted(times, reverse=True)
    edges, last, level = {widest}, widest, _level(len(narrower))
    for width in narrower:
        _, _, high = median_ratio(times[width], times[last], level=level)
        if high < 1:
            edges.add(width)
            last = width
    return edges
