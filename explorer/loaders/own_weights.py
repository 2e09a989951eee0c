"""Special weights in a user's own model: masks of torch.nn.utils.prune are made permanent, packed weights are
refused.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import prune

from ..errors import LoadError


def check_plain(model: nn.Module, name: str) -> None:
    """Check that the model has plain weights.

    Raises:
        LoadError: the model is scripted or quantised, so it has no weights that can be pruned.
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
    """Whether it is a tensor of a quantised type, or a module that contains one."""
    if isinstance(item, Tensor):
        return item.is_quantized
    return ".quantized" in type(item).__module__ and type(item).__module__.startswith("torch")


def fold_masks(model: nn.Module) -> int:
    """Make the masks of torch.nn.utils.prune permanent, so that what they hide is zero. Changes the model and
    returns the number of masks.
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
