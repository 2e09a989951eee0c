"""Norms, means and softmaxes over the kept positions only, as the smaller model takes them."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

Statistic = Callable[[Any, Any, Tensor], Tensor]


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


def _largest(args: Any, kwargs: Any, kept: Tensor) -> Tensor:
    hidden = args[0].masked_fill(~kept, -torch.inf)
    found = torch.ops.aten.amax.default(hidden, *args[1:], **kwargs)
    return found.masked_fill(found == -torch.inf, 0)


def _vector_norm(args: Any, kwargs: Any, kept: Tensor) -> Tensor:
    return torch.ops.aten.linalg_vector_norm.default(args[0] * kept, *args[1:], **kwargs)


def _softmax(args: Any, kwargs: Any, kept: Tensor) -> Tensor:
    return args[0].masked_fill(~kept, -torch.inf).softmax(args[1]).nan_to_num(0.0)


STATISTICS: dict[str, Statistic] = {
    "layer_norm": _layer_norm, "rms_norm": _rms_norm, "group_norm": _group_norm, "mean": _mean, "sum": _summed,
    "amax": _largest, "linalg_vector_norm": _vector_norm, "softmax": _softmax,
}  # fmt: skip
