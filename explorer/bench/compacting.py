"""A second recipe on an analysed and rated model, against Torch-Pruning, which finds groups and scores anew for each."""

import copy
import importlib
import importlib.metadata
import importlib.util
from collections.abc import Iterator

import torch
from torch import nn

from ..engine import build, masks_for
from ..errors import ExplorerError
from ..masking import score
from ..registry import CRITERIA
from ..signals.calibration import Calibration
from ..signals.collecting import signals_of
from ..values import Recipe
from .rows import Row, Work, interleaved, row, seconds, stages
from .size import Size, opened

RATIO = 0.5


def compaction(size: Size, device: str) -> Iterator[Row]:
    """Cut, compact and run once, with scores known, over copy, find the groups, prune and run once. Nothing without it."""
    if importlib.util.find_spec("torch_pruning") is None:
        return
    for name, stays in size.foreign:
        try:
            opened(name)
        except ExplorerError:  # torchvision is not installed: the row is left out
            continue
        yield _against_torch_pruning(name, stays, size.long_pairs, device)


def _against_torch_pruning(name: str, stays: str, count: int, device: str) -> Row:
    pruning = importlib.import_module("torch_pruning")
    subject, graph = opened(name)
    example, groups = subject.example[:1].to(device), graph.profile.free_groups

    def recipe(ratio: float) -> Recipe:
        return Recipe(channels=dict.fromkeys(groups, ratio))

    def rate() -> None:
        signals = signals_of(subject, graph, CRITERIA["l1"], 0, Calibration(device=device))
        score(graph.profile, recipe(RATIO), signals, list(groups))

    def ours(ratio: float) -> None:
        run(build(subject, graph, masks_for(subject, graph, recipe(ratio)), device))

    def run(model: nn.Module) -> None:
        with torch.inference_mode():
            model(example)

    def theirs(ratio: float) -> None:
        model = copy.deepcopy(subject.model).to(device)
        importance = pruning.importance.MagnitudeImportance(p=1)
        pruner = pruning.pruner.MagnitudePruner(
            model, example, importance=importance, pruning_ratio=ratio, ignored_layers=[model.get_submodule(stays)]
        )
        pruner.step()
        run(model)

    def make(index: int) -> tuple[Work, Work]:
        ratio = RATIO + 0.01 * index
        return lambda: ours(ratio), lambda: theirs(ratio)

    pairs = interleaved(make, count, device)
    masks = masks_for(subject, graph, recipe(RATIO))
    model = build(subject, graph, masks, device)
    took = {
        "cut": seconds(lambda: masks_for(subject, graph, recipe(RATIO)), device),
        "compact": seconds(lambda: build(subject, graph, masks, device), device),
        "first forward": seconds(lambda: run(model), device),
        "and rating anew would take": seconds(rate, device),
    }
    version = importlib.metadata.version("torch-pruning")
    return row(
        f"compact_speedup_{name.split(':')[-1]}", pairs, f"Torch-Pruning {version}: copy, dependency graph, step, first forward",
        inverse=True, goal=10.0, bound_by=stages(took),
        details={"model": name, "ratio": RATIO, **pairs.details},
    )  # fmt: skip
