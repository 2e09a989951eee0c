"""Special weights in a user's own model: masks of torch.nn.utils.prune are made permanent, packed weights are
refused.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import prune

from ..errors import LoadError


def uncompiled(model: nn.Module) -> nn.Module:
    """Return the model without what torch.compile put around its parts: a graph is made of the parts, and
    compiling them takes minutes.
    """
    for module in list(model.modules()):
        for name, child in list(module._modules.items()):
            if _is_compiled(child):
                module._modules[name] = child._orig_mod  # type: ignore[union-attr, assignment]
    whole: Any = model._orig_mod if _is_compiled(model) else model
    for module in whole.modules():
        if getattr(module, "_compiled_call_impl", None) is not None:
            module._compiled_call_impl = None
    return whole  # type: ignore[no-any-return]


def _is_compiled(module: nn.Module | None) -> bool:
    return type(module).__name__ == "OptimizedModule"  # its own file takes a second to import


def keep_tensors_alone(model: nn.Module) -> None:
    """Leave out of the model's state what is no tensor, such as the extra state of its modules."""

    def leave_out(module: nn.Module, state: dict[str, Any], prefix: str, about: Any) -> None:
        for name in [name for name, value in state.items() if not isinstance(value, Tensor)]:
            del state[name]

    if not isinstance(model, torch.jit.ScriptModule):  # refused later
        model._register_state_dict_hook(leave_out)


def check_plain(model: nn.Module, name: str) -> None:
    """Check that the model has plain weights.

    Raises:
        LoadError: the model is scripted, exported or quantised, or its weights have no values, no names or no
            dense layout, so they cannot be pruned.
    """
    if isinstance(model, torch.jit.ScriptModule):
        raise LoadError(
            f"The model of {name} is scripted, so its code and weights are sealed; load the torch.nn.Module "
            "that it was made from, and script what is exported."
        )
    if any(map(_is_exported, model.modules())):
        raise LoadError(
            f"The model of {name} holds a program of torch.export, which cannot be set to evaluation; load "
            "the torch.nn.Module that it was made from, or what torch.export.unflatten makes of the program."
        )
    if any(parameter.layout != torch.strided for parameter in model.parameters() if not _is_lazy(parameter)):
        raise LoadError(
            f"The model of {name} has sparse weights, which cannot be rated; make them dense with "
            ".to_dense()."
        )
    if any(tensor.is_meta for tensor in [*model.parameters(), *model.buffers()] if not _is_lazy(tensor)):
        raise LoadError(
            f"The model of {name} has weights without values, on the device 'meta'; build it on the CPU."
        )
    if not all(isinstance(value, Tensor) for value in model.state_dict().values()):
        raise LoadError(
            f"The model of {name} has a state_dict of its own that holds more than tensors; name what builds "
            "the torch.nn.Module inside it."
        )
    if any(map(_is_packed, [*model.modules(), *model.parameters(), *model.buffers()])):
        raise LoadError(
            f"The model of {name} is quantised, and packed weights cannot be pruned; prune the model before "
            "it is quantised."
        )


def _is_exported(module: nn.Module) -> bool:
    """Whether it is what `ExportedProgram.module()` returns, whose file takes a second to import."""
    return any(kind.__module__ == "torch.export._unlift" for kind in type(module).__mro__)


def _is_lazy(tensor: Tensor) -> bool:
    return isinstance(tensor, nn.UninitializedParameter | nn.UninitializedBuffer)


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
