"""Weights that a model computes before each forward become plain weights, with the values that they have.

A mask on a direction of weight normalisation, or on a weight that spectral normalisation divides, would let
what is left grow; a mask of torch.nn.utils.prune is no zero until it is multiplied. Folded in, a zero is a
zero, and the rest stays as it is.
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
    """Fold what torch itself can take out: parametrisations, weight and spectral norms, masks of pruning.

    Args:
        model: in eval mode; it is changed, and answers as before.
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
    """A parameter with the value that was computed; torch would leave a buffer of what needs no gradient."""
    value = getattr(module, name).detach().clone()
    parametrize.remove_parametrizations(module, name)
    delattr(module, name)
    module.register_parameter(name, nn.Parameter(value))


def folded_text(folded: tuple[str, ...]) -> str:
    """A sentence for `about`, "" where nothing was folded."""
    if not folded:
        return ""
    names = ", ".join(folded[:3]) + (f" and {len(folded) - 3:,} more" if len(folded) > 3 else "")
    return f" Weights that it computes before each forward are folded in ({names})."
