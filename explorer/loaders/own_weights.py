"""What a model of one's own may hold in place of plain weights: masks of torch.nn.utils.prune are made
permanent, packed weights are refused.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import prune

from ..errors import LoadError


def check_plain(model: nn.Module, name: str) -> None:
    """
    Raises:
        LoadError: the model is scripted or quantised, so there are no weights that can be pruned.
    """
    if isinstance(model, torch.jit.ScriptModule):
        raise LoadError(
            f"The model of {name} is scripted, so its code and weights are sealed; load the torch.nn.Module "
            "that it was made from, and script what is exported."
        )
    if any(map(_is_packed, [*model.modules(), *model.parameters(), *model.buffers()])):
        raise LoadError(
            f"The model of {name} is quantised, and packed weights cannot be pruned; prune the model before "
            "it is quantised."
        )


def _is_packed(item: Any) -> bool:
    """A tensor of a quantised type, or a module that holds such."""
    if isinstance(item, Tensor):
        return item.is_quantized
    return ".quantized" in type(item).__module__ and type(item).__module__.startswith("torch")


def fold_masks(model: nn.Module) -> int:
    """Make the masks of torch.nn.utils.prune permanent: what they hide is zero then. Returns how many there
    were; the model is changed.
    """
    masked = [
        (module, hook._tensor_name)
        for module in model.modules()
        for hook in module._forward_pre_hooks.values()
        if isinstance(hook, prune.BasePruningMethod)
    ]
    for module, leaf in masked:
        prune.remove(module, leaf)
    return len(masked)
