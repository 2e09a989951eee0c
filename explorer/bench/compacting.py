"""A second recipe on an analysed and rated model, compared with Torch-Pruning, which finds groups and scores
again for each.
"""

import copy
import importlib
import importlib.metadata
import importlib.util
from collections.abc import Callable, Iterator

import torch
from torch import nn

from ..engine.candidate import build
from ..errors import ExplorerError
from ..pruning.decision import masks_for
from ..pruning.scoring import score
from ..registry import CRITERIA
from ..signals.calibration import Calibration
from ..signals.collection import signals_of
from ..values.recipe import Recipe
from .effort import Effort, opened
from .timed_rows import Timeable, TimedRow, interleaved, row, seconds, stages

RATIO, GOAL = 0.5, 10.0


def compaction(size: Effort, device: str) -> Iterator[TimedRow]:
    """Return the rows: cut and compact with known scores, over copy, find the groups and prune; then both
    with a first forward. None without Torch-Pruning.
    """
    if importlib.util.find_spec("torch_pruning") is None:
        return
    for name, stays in size.foreign:
        try:
            opened(name)
        except ExplorerError:  # torchvision is not installed: the row is left out
            continue
        yield from _against_torch_pruning(name, stays, size, device)


def _against_torch_pruning(name: str, stays: str, size: Effort, device: str) -> Iterator[TimedRow]:
    pruning = importlib.import_module("torch_pruning")
    model = opened(name)
    example, groups = model.subject.example[:1].to(device), model.profile.free_groups

    def recipe(ratio: float) -> Recipe:
        return Recipe(channels=dict.fromkeys(groups, ratio))

    def rate() -> None:
        signals = signals_of(model, CRITERIA["l1"], 0, Calibration(device=device))
        score(model.profile, recipe(RATIO), signals, list(groups))

    def ours(ratio: float) -> nn.Module:
        return build(model, masks_for(model, recipe(ratio)), device)

    def run(network: nn.Module) -> None:
        with torch.inference_mode():
            network(example)

    def theirs(ratio: float) -> nn.Module:
        network = copy.deepcopy(model.subject.model).to(device)
        importance = pruning.importance.MagnitudeImportance(p=1)
        pruner = pruning.pruner.MagnitudePruner(
            network,
            example,
            importance=importance,
            pruning_ratio=ratio,
            ignored_layers=[network.get_submodule(stays)],
        )
        pruner.step()
        return network

    def turns(then: Callable[[nn.Module], object]) -> Callable[[int], tuple[Timeable, Timeable]]:
        def make(index: int) -> tuple[Timeable, Timeable]:
            ratio = RATIO + 0.1 * index / (size.pairs + 1)  # no two pairs ask for the same
            return lambda: then(ours(ratio)), lambda: then(theirs(ratio))

        return make

    masks, (mine, other) = masks_for(model, recipe(RATIO)), (ours(RATIO), theirs(RATIO))
    took = {
        "cut": seconds(lambda: masks_for(model, recipe(RATIO)), device),
        "compact": seconds(lambda: build(model, masks, device), device),
        "and rating again would take": seconds(rate, device),
        "the first forward takes": seconds(lambda: run(mine), device),
        "theirs": seconds(lambda: run(other), device),
    }
    against = f"Torch-Pruning {importlib.metadata.version('torch-pruning')}: copy, dependency graph, step"
    for label, then, goal, more in (
        ("compact_speedup", id, GOAL, ""),
        ("compact_and_run_speedup", run, None, ", first forward"),
    ):
        pairs = interleaved(turns(then), size.pairs, device, long_count=size.long_pairs)
        yield row(
            f"{label}_{name.split(':')[-1]}",
            pairs,
            against + more,
            inverse=True,
            goal=goal,
            bound_by=stages(took),
            details={"model": name, "ratio": RATIO, **pairs.details},
        )
