"""Operators that work along some dimensions, position by position: channels along the others pass, those
along these are frozen.
"""

from math import prod
from typing import Any

from torch import Tensor

from ..labels import Labelled, varying
from .call import Arrays, Call, beside, channel_of, channels, name_of, only, rule
from .elementwise import meet

ORDERED = (
    "cumsum cumprod logcumsumexp cummax cummin sort argsort topk argmax argmin prod median mode kthvalue any "
    "all nanmean nanmedian"
).split()
FOURIER = [
    f"fft_{kind}{dims}"
    for kind in ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft")
    for dims in ("", "2", "n")
]


@rule(*ORDERED)
def along(call: Call) -> Any:
    """Handle one dimension, or all of them, in an order that matters or by a count."""
    source: Labelled = call.args[0]
    rank, name = len(source.shape), name_of(call)
    default = -1 if name in ("sort", "argsort", "topk", "kthvalue", "mode") else None
    dim = call.arg(2 if name in ("topk", "kthvalue") else 1, "dim", default)
    output = call.out if isinstance(call.out, Tensor) else call.out[0]
    worked = set(range(rank)) if dim is None else {d % rank for d in ([dim] if isinstance(dim, int) else dim)}
    kept = only(
        call,
        source,
        lambda dims: not dims & worked,
        f"goes through {name} along its channels in {call.where}",
    )
    if output.dim() < rank:
        kept = tuple(a.reshape([n for d, n in enumerate(a.shape) if d not in worked]) for a in kept)
    return kept if isinstance(call.out, Tensor) else [kept for _ in call.out]


@rule(*FOURIER)
def fourier(call: Call) -> Arrays:
    source: Labelled = call.args[0]
    rank, name = len(source.shape), name_of(call)
    default: Any = [-2, -1] if name.endswith("2") else list(range(rank)) if name.endswith("n") else -1
    dims = call.arg(2, "dim", default)
    worked = {d % rank for d in ([dims] if isinstance(dims, int) else dims or range(rank))}
    return only(call, source, lambda d: not d & worked, f"transformed along its channels in {call.where}")


@rule("view_as_complex", "view_as_real")
def pairs(call: Call) -> Arrays:
    """Handle the last dimension of two numbers, which becomes one complex number, or back."""
    source: Labelled = call.args[0]
    if name_of(call) == "view_as_real":
        return tuple(a.unsqueeze(-1) for a in source.arrays)
    last = len(source.shape) - 1
    kept = only(call, source, lambda dims: last not in dims, f"paired to complex numbers in {call.where}")
    return tuple(a.squeeze(-1) for a in kept)


@rule("scatter", "scatter_add", "scatter_reduce", "index_add", "index_copy", "index_reduce", "gather")
def scattered(call: Call) -> Arrays:
    """Read or write positions along one dimension by number; along the others, labels that meet are tied."""
    source: Labelled = call.args[0]
    dim = call.args[1] % max(1, len(source.shape))
    # then the numbers are a line, otherwise as many as the values
    by_number = name_of(call).startswith("index")
    others = [value for value in call.args[3 if by_number else 2 :] if isinstance(value, Labelled)]
    values = beside(call, [source, *others], dim, f"looked up by position in {call.where}")
    return meet(call.ties, values, f"looked up together in {call.where}")


@rule("unfold")
def windows(call: Call) -> Arrays:
    """Handle windows along one dimension, whose positions come last."""
    source: Labelled = call.args[0]
    dim = call.args[1] % len(source.shape)
    kept = only(
        call, source, lambda dims: dim not in dims, f"unfolded along a labelled dimension in {call.where}"
    )
    return tuple(a.unsqueeze(-1) for a in kept)


@rule("im2col")
def unfolded(call: Call) -> Arrays:
    """Handle (n, channels, h, w) -> (n, channels * window, places)."""
    kept = channels(call, call.args[0], 1, f"unfolded along a labelled dimension in {call.where}")
    return tuple(
        a.flatten(2).repeat_interleave(prod(call.args[1]), 1) if 1 in varying(a) else a.flatten(2)
        for a in kept
    )


@rule("col2im")
def folded(call: Call) -> Arrays:
    """Handle (n, channels * window, places) -> (n, channels, h, w): the numbers of one window belong to one
    channel.
    """
    kept = channels(call, call.args[0], 1, f"folded along a labelled dimension in {call.where}")
    blocks = (a.reshape(-1, prod(call.args[2])) for a in kept if varying(a))
    return tuple(call.ties.tie_along(b, frozenset({1})).reshape(1, -1, 1, 1) for b in blocks)


@rule("grid_sampler", "grid_sampler_2d", "grid_sampler_3d", "max_unpool2d", "max_unpool3d")
def sampled(call: Call) -> Arrays:
    """Move positions within each channel; one grid serves all channels, a table of positions has one per
    channel.
    """
    source, places = call.args[0], call.args[1]
    grid = name_of(call).startswith("grid")
    channel = 1 if grid else channel_of(call)
    why = f"sampled along a labelled dimension in {call.where}"
    kept = Labelled(source.meta, channels(call, source, channel, why))
    if grid:
        only(call, places, lambda dims: not dims, f"tells where to sample in {call.where}")
        return kept.arrays
    moved = Labelled(places.meta, channels(call, places, channel, why))
    return meet(call.ties, [kept, moved], f"moved together in {call.where}")
