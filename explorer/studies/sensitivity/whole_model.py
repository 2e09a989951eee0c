"""The scan of a model without a graph: nothing can be reused, so every point runs the whole model with masked
weights.
"""

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence

import torch
from torch import Tensor

from ...graph.analysed import Analysed
from ...measuring.evaluation import batch_size
from ...measuring.memory_layout import in_usual_order, laid_out
from ...values.profile import Masks
from .branching import Found


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
