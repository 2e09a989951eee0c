"""Counts what one batch of samples adds to the points of a scan, here or on a worker of a cluster."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property

import torch

from ...engine.conditions import Conditions
from ...graph.analysed import Analysed
from ...measuring.evaluation import batch_of
from ...measuring.judging import judge_for
from ...measuring.tally import Tally, judged
from ...pruning.decision import decide
from ...values.profile import Masks
from ...values.recipe import Recipe
from ...values.samples import Split
from .branching import Branches, touched_tensors
from .graph_pieces import Workshop
from .repaired_models import RepairedModels
from .scan_log import Gain
from .values import ScanPlan
from .whole_model import BuiltModels, WholeModel

Runner = Branches | WholeModel | BuiltModels | RepairedModels


class BatchCounter:
    """What runs the batches of one scan; it is built when it is first needed, since that takes a while.

    Args:
        split: the samples, as `judged_split` returns them.
    """

    def __init__(self, model: Analysed, plan: ScanPlan, conditions: Conditions, split: Split):
        self._model, self._plan, self._device, self._split = model, plan, conditions.device, split
        self._achieved: dict[tuple[str, float], float] = {}

    @cached_property
    def _runner(self) -> Runner:
        model, device = self._model, self._device
        if self._plan.is_repaired:
            return RepairedModels(model, device, self._recipe)
        if model.graph.program is None:
            return WholeModel(model, device, self._masks)
        with torch.inference_mode():
            output = model.subject.model(model.subject.example)
        if not isinstance(output, torch.Tensor):
            return BuiltModels(model, device, self._masks)
        touched = touched_tensors(model.graph, self._plan.granularity)
        return Branches(Workshop(model, device), touched, self._masks, len(self._plan.ratios))

    @property
    def batch(self) -> int:
        """Return the samples of one batch."""
        return self._runner.batch

    def _recipe(self, part: str, ratio: float) -> Recipe:
        return self._plan.recipe.with_ratios(self._plan.granularity, {part: ratio})

    def _masks(self, part: str, ratio: float) -> Masks:
        decided = decide(self._model, self._recipe(part, ratio), self._device)
        self._achieved[part, ratio] = decided.outcomes[0].achieved
        return decided.masks

    def gains(
        self, start: int, stop: int, ratios: Mapping[str, Sequence[float]], base: Tally
    ) -> Iterator[list[Gain]]:
        """Yield what the samples `start` to `stop` add to some ratios of some parts, as they are counted; an
        empty list between two of them is a place to stop at.

        Args:
            base: the dense model on the same samples.
        """
        task = self._model.subject.task
        assert task is not None
        inputs, targets = batch_of(self._split, task.normalisation, start, stop, self._device)
        judge = judge_for(task) or judged
        for part, found in self._runner.walk(inputs, ratios):
            tallies = {r: base if logits is None else judge(logits, targets).cpu() for r, logits in found}
            yield [Gain.of((part, r, self._removed(part, r)), tally, base) for r, tally in tallies.items()]

    def _removed(self, part: str, ratio: float) -> float:
        if (part, ratio) not in self._achieved:  # a part that cannot change the output has no masks
            self._masks(part, ratio)
        return self._achieved[part, ratio]
