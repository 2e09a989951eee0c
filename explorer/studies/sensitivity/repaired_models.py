"""The scan of repaired models: the weights behind a cut differ from point to point, so nothing is shared and
every point runs its own model.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

import torch
from torch import Tensor, nn

from ...engine.candidate import prepared
from ...graph.analysed import Analysed
from ...measuring.evaluation import batch_size
from ...values.recipe import Recipe
from .branching import Found

KEPT_BYTES = 1024 * 2**20  # of repaired models; beyond it, models are repaired again for each batch


class RepairedModels:
    """Replaces `branching.Branches`.

    Args:
        recipe_of: (part, ratio) -> its recipe, which asks for the repair.
    """

    def __init__(self, model: Analysed, device: str, recipe_of: Callable[[str, float], Recipe]):
        self._model, self._device, self._recipe_of = model, device, recipe_of
        self.batch = batch_size(device)
        self._kept: dict[tuple[str, float], nn.Module] = {}
        self._bytes = 0

    def walk(self, inputs: Tensor, todo: Mapping[str, Sequence[float]]) -> Iterator[tuple[str, Found]]:
        """Run some ratios of some parts on one batch; yields (part, [(ratio, logits)]) one at a time, and
        (part, []) while a model is repaired.
        """
        for part, ratios in todo.items():
            for ratio in ratios:
                network = self._kept.get((part, ratio))
                if network is None:
                    for step in prepared(self._model, self._recipe_of(part, ratio), self._device):
                        network = step.value.model if step.value else network
                        yield part, []
                    assert network is not None
                    self._keep(part, ratio, network)
                with torch.inference_mode():
                    logits = network(inputs)
                yield part, [(ratio, logits)]

    def _keep(self, part: str, ratio: float, network: nn.Module) -> None:
        size = sum(p.nbytes for p in network.parameters())
        if self._bytes + size <= KEPT_BYTES:
            self._kept[part, ratio], self._bytes = network, self._bytes + size
