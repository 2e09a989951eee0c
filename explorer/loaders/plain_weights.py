"""Replaces weights that a model computes before each forward by plain weights with the same values.

A mask on a direction of weight normalisation, or on a weight that spectral normalisation divides, would scale
up the remaining weights; a mask of torch.nn.utils.prune is only zero after the multiplication. As plain
weights, a zero is a zero, and the rest stays as it is.
"""

from collections.abc import Callable, Iterator
from functools import partial

import torch
from torch import nn
from torch.nn.utils import parametrize, prune, remove_spectral_norm, remove_weight_norm
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm

Fold = Callable[[], object]


def fold_parametrisations(model: nn.Module) -> tuple[str, ...]:
    """Fold what torch itself can remove: parametrisations, weight and spectral norms, masks of pruning.

    Args:
        model: in eval mode; it is changed, but gives the same outputs.
    Returns: the layers whose weights were computed.
    """
    folded = []
    for name, module in list(model.named_modules()):
        folds = list(_folds(module))
        for fold in folds:
            with torch.no_grad():
                fold()
        folded += [name or "the model"] if folds else []
    return tuple(folded)


def _folds(module: nn.Module) -> Iterator[Fold]:
    if parametrize.is_parametrized(module):
        for name in list(module.parametrizations):  # type: ignore[arg-type]
            yield partial(_take_out, module, name)
    for hook in list(module._forward_pre_hooks.values()):
        if isinstance(hook, WeightNorm):
            yield partial(remove_weight_norm, module, hook.name)
        elif isinstance(hook, SpectralNorm):
            yield partial(remove_spectral_norm, module, hook.name)
        elif isinstance(hook, prune.BasePruningMethod):
            yield partial(prune.remove, module, hook._tensor_name)


def _take_out(module: nn.Module, name: str) -> None:
    """Replace it by a parameter with the computed value; torch would leave a buffer if it needs no
    gradient.
    """
    value = getattr(module, name).detach().clone()
    parametrize.remove_parametrizations(module, name)
    delattr(module, name)
    module.register_parameter(name, nn.Parameter(value))


def folded_text(folded: tuple[str, ...]) -> str:
    """Return a sentence for `about`, or "" if nothing was folded."""
    if not folded:
        return ""
    names = ", ".join(folded[:3]) + (f" and {len(folded) - 3:,} more" if len(folded) > 3 else "")
    return f" Weights that it computes before each forward are folded in ({names})."
