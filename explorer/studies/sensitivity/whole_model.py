"""Scans that reuse nothing, so that every point runs a whole model: of models without a graph, and of those
whose output is no single tensor.
"""

import copy
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence

import torch
from torch import Tensor, nn

from ...engine.candidate import build
from ...graph.analysed import Analysed
from ...measuring.evaluation import batch_size
from ...measuring.memory_layout import in_usual_order, laid_out
from ...values.profile import Masks
from .branching import Found

KEPT = 256  # pruned models that are kept for the next batch; they share what no part changes


class WholeModel:
    """Replaces `branching.Branches`; single weights only.

    Args:
        masks_of: (layer, ratio) -> its masks.
    """

    def __init__(self, model: Analysed, device: str, masks_of: Callable[[str, float], Masks]):
        self._model = laid_out(in_usual_order(copy.deepcopy(model.subject.model)), device)
        self.batch = batch_size(device)
        self._layers, self._masks_of = model.profile.prunable_layers, masks_of

    def walk(self, inputs: Tensor, todo: Mapping[str, Sequence[float]]) -> Iterator[tuple[str, Found]]:
        """Run some ratios of some layers on one batch; yields (layer, [(ratio, logits)]) one at a time."""
        for part, ratios in todo.items():
            for ratio in ratios:
                name = self._layers[part].weight
                mask = self._masks_of(part, ratio).weights[part].to(inputs.device)
                with torch.inference_mode():
                    masked = {name: self._model.get_parameter(name) * mask}
                    logits = torch.func.functional_call(self._model, masked, (inputs,))
                yield part, [(ratio, logits)]


class BuiltModels:
    """Replaces `branching.Branches` for any output, such as scores and boxes: each point is the model that
    export would write.

    Args:
        masks_of: (part, ratio) -> its masks.
    """

    def __init__(self, model: Analysed, device: str, masks_of: Callable[[str, float], Masks]):
        self._model, self._device, self._masks_of = model, device, masks_of
        self.batch = batch_size(device)
        self._built: OrderedDict[tuple[str, float], nn.Module] = OrderedDict()

    def walk(self, inputs: Tensor, todo: Mapping[str, Sequence[float]]) -> Iterator[tuple[str, Found]]:
        """Run some ratios of some parts on one batch; yields (part, [(ratio, outputs)]) one at a time."""
        for part, ratios in todo.items():
            for ratio in ratios:
                network = self._network(part, ratio)
                with torch.inference_mode():
                    outputs = network(inputs)
                yield part, [(ratio, outputs)]

    def _network(self, part: str, ratio: float) -> nn.Module:
        if (part, ratio) not in self._built:
            masks = self._masks_of(part, ratio)
            self._built[part, ratio] = build(self._model, masks, self._device, share=True)
            if len(self._built) > KEPT:
                self._built.popitem(last=False)
        return self._built[part, ratio]
