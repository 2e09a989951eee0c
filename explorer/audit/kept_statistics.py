"""Norms, means and softmaxes over the kept positions only, as the smaller model computes them."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

Statistic = Callable[[Any, Any, Tensor], Any]


def _moments(x: Tensor, kept: Tensor, dims: list[int]) -> tuple[Tensor, Tensor]:
    weight = kept.expand(x.shape).double()
    count = weight.sum(dims, keepdim=True)
    mean = (x * weight).sum(dims, keepdim=True) / count
    return mean, ((x - mean).square() * weight).sum(dims, keepdim=True) / count


def _layer_norm(args: Any, kwargs: Any, kept: Tensor) -> Tensor:
    x, shape, weight, bias, eps = [*args, *[None] * 5][:5]
    mean, variance = _moments(x, kept, list(range(-len(shape), 0)))
    result = (x - mean) / (variance + (1e-5 if eps is None else eps)).sqrt()
    result = result if weight is None else result * weight
    return result if bias is None else result + bias


def _native_layer_norm(args: Any, kwargs: Any, kept: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return it with the mean and the reciprocal of the spread that it used."""
    x, dims = args[0], list(range(-len(args[1]), 0))
    mean, variance = _moments(x, kept, dims)
    return _layer_norm(args, kwargs, kept), mean, (variance + args[4]).rsqrt()


def _rms_norm(args: Any, kwargs: Any, kept: Tensor) -> Tensor:
    x, shape, weight, eps = [*args, *[None] * 4][:4]
    square, _ = _moments(x.square(), kept, list(range(-len(shape), 0)))
    result = x / (square + (torch.finfo(x.dtype).eps if eps is None else eps)).sqrt()
    return result if weight is None else result * weight


def _group_norm(args: Any, kwargs: Any, kept: Tensor) -> Tensor:
    x, groups, weight, bias, eps = [*args, *[None] * 5][:5]
    split = (x.shape[0], groups, -1)
    mean, variance = _moments(x.reshape(split), kept.expand(x.shape).reshape(split), [2])
    result = ((x.reshape(split) - mean) / (variance + (1e-5 if eps is None else eps)).sqrt()).reshape(x.shape)
    lifted = (1, -1) + (1,) * (x.dim() - 2)
    result = result if weight is None else result * weight.view(lifted)
    return result if bias is None else result + bias.view(lifted)


def _mean(args: Any, kwargs: Any, kept: Tensor) -> Tensor:
    x, dims = args[0], args[1] if len(args) > 1 else kwargs.get("dim")
    keep = args[2] if len(args) > 2 else kwargs.get("keepdim", False)
    dims = [dims] if isinstance(dims, int) else list(dims or range(x.dim()))
    weight = kept.expand(x.shape).to(x.dtype)
    return (x * weight).sum(dims, keepdim=keep) / weight.sum(dims, keepdim=keep).clamp(min=1)


def _summed(args: Any, kwargs: Any, kept: Tensor) -> Tensor:
    x, dims = args[0], args[1] if len(args) > 1 else kwargs.get("dim")
    keep = args[2] if len(args) > 2 else kwargs.get("keepdim", False)
    return (x * kept).sum(dims if dims is not None else list(range(x.dim())), keepdim=keep)


def _summed_numbers(args: Any, kwargs: Any, kept: Tensor) -> Tensor:
    return torch.ops.aten.nansum.default(args[0].masked_fill(~kept, 0), *args[1:], **kwargs)


def _largest(args: Any, kwargs: Any, kept: Tensor) -> Tensor:
    hidden = args[0].masked_fill(~kept, -torch.inf)
    found = torch.ops.aten.amax.default(hidden, *args[1:], **kwargs)
    return found.masked_fill(found == -torch.inf, 0)


def _vector_norm(args: Any, kwargs: Any, kept: Tensor) -> Tensor:
    return torch.ops.aten.linalg_vector_norm.default(args[0] * kept, *args[1:], **kwargs)


def _softmax(args: Any, kwargs: Any, kept: Tensor) -> Tensor:
    return args[0].masked_fill(~kept, -torch.inf).softmax(args[1]).nan_to_num(0.0)


def _smallest(args: Any, kwargs: Any, kept: Tensor) -> Tensor:
    return -_largest((-args[0], *args[1:]), kwargs, kept)


def _found(select: Any) -> Statistic:
    """Return max and min, of all values or with the position along one dimension."""

    def statistic(args: Any, kwargs: Any, kept: Tensor) -> Any:
        hidden = args[0].masked_fill(~kept, -torch.inf if select is torch.max else torch.inf)
        return select(hidden, *args[1:], **kwargs)

    return statistic


def _spread(name: str) -> Statistic:
    """Return var and std, alone or with the mean."""

    def statistic(args: Any, kwargs: Any, kept: Tensor) -> Any:
        x, dims = args[0], args[1] if len(args) > 1 else kwargs.get("dim")
        flat = not isinstance(dims, int | list | tuple) or isinstance(dims, bool)
        chosen = (
            list(range(x.dim()))
            if flat
            else [dims]
            if isinstance(dims, int)
            else list(dims) or list(range(x.dim()))
        )
        correction = kwargs.get("correction")
        unbiased = kwargs.get(
            "unbiased", dims if isinstance(dims, bool) else args[2] if len(args) > 2 else True
        )
        correction = float(unbiased) if correction is None else float(correction)
        mean, variance = _moments(x, kept, chosen)
        count = kept.expand(x.shape).double().sum(chosen, keepdim=True)
        variance = variance * count / (count - correction).clamp(min=0)
        keep = kwargs.get("keepdim", args[3] if len(args) > 3 else False)

        def shaped(t):
            return t if keep else t.squeeze(chosen)

        spread = shaped(variance.sqrt() if name.startswith("std") else variance)
        return (spread, shaped(mean)) if name.endswith("mean") else spread

    return statistic


def _batch_norm(args: Any, kwargs: Any, kept: Tensor) -> Tensor:
    """Return the batch norm of training mode: by the statistics of its input."""
    x, weight, bias = args[:3]
    dims = [d for d in range(x.dim()) if d != 1]
    mean, variance = _moments(x, kept, dims)
    lifted = [1 if d != 1 else -1 for d in range(x.dim())]
    result = (x - mean) / (variance + args[7]).sqrt()
    result = result if weight is None else result * weight.view(lifted)
    return result if bias is None else result + bias.view(lifted)


def _log_softmax(args: Any, kwargs: Any, kept: Tensor) -> Tensor:
    return args[0].masked_fill(~kept, -torch.inf).log_softmax(args[1]).masked_fill(~kept, 0)


def _logsumexp(args: Any, kwargs: Any, kept: Tensor) -> Tensor:
    return torch.ops.aten.logsumexp.default(args[0].masked_fill(~kept, -torch.inf), *args[1:], **kwargs)


STATISTICS: dict[str, Statistic] = {
    "layer_norm": _layer_norm,
    "native_layer_norm": _native_layer_norm,
    "rms_norm": _rms_norm,
    "group_norm": _group_norm,
    "mean": _mean,
    "sum": _summed,
    "amax": _largest,
    "amin": _smallest,
    "max": _found(torch.max),
    "min": _found(torch.min),
    "var": _spread("var"),
    "std": _spread("std"),
    "var_mean": _spread("var_mean"),
    "std_mean": _spread("std_mean"),
    "logsumexp": _logsumexp,
    "linalg_vector_norm": _vector_norm,
    "nansum": _summed_numbers,
    "softmax": _softmax,
    "_softmax": _softmax,
    "_safe_softmax": _softmax,
    "log_softmax": _log_softmax,
    "_log_softmax": _log_softmax,
    "batch_norm": _batch_norm,
}
