"""Convolutions: kernels meet channels, in groups or one by one, and outputs get new labels."""

from typing import Any

import torch
from torch import Tensor

from ..labels import FIXED, Labelled, Ties, varying
from .call import Arrays, Call, channels, name_of, rule


@rule("conv1d", "conv2d", "conv3d", "convolution")
def conv(call: Call) -> Arrays:
    source, weight, bias = call.args[0], call.args[1], call.arg(2, "bias")
    groups = call.arg(8, "groups", 1) if name_of(call) == "convolution" else call.arg(6, "groups", 1)
    transposed = call.args[6] if name_of(call) == "convolution" else False
    return _convolve(call, source, weight, bias, groups, transposed)


@rule("conv_transpose1d", "conv_transpose2d", "conv_transpose3d")
def conv_transpose(call: Call) -> Arrays:
    return _convolve(call, call.args[0], call.args[1], call.arg(2, "bias"), call.arg(6, "groups", 1), True)


def along(value: Labelled, dim: int) -> Tensor | None:
    """Return (size,) labels of the array that varies along one dimension alone, or None."""
    for array in value.arrays:
        if varying(array) == {dim} or (array.numel() == 1 and value.shape[dim] == 1):
            return array.flatten()
    return None


def _convolve(
    call: Call, source: Labelled, weight: Labelled, bias: Any, groups: int, transposed: bool
) -> Arrays:
    """Convolve. Grouped: equal positions of all groups are tied, so that groups stay equal; depthwise:
    outputs follow inputs.
    """
    ties, rank = call.ties, len(source.shape)
    channel = 1 if rank == weight.meta.dim() else 0
    kept = channels(call, source, channel, f"convolved along a labelled dimension in {call.where}")
    entering = along(Labelled(source.meta, kept), channel)
    in_dim, out_dim = (0, 1) if transposed else (1, 0)
    weight = whole_outputs(call, weight, out_dim)
    w_in, w_out = along(weight, in_dim), along(weight, out_dim)
    inputs = source.shape[channel]
    outputs = weight.shape[out_dim] * (groups if transposed else 1)
    entering = entering_labels(call, entering, inputs)
    own = w_out if groups == inputs and groups > 1 and not transposed else w_in
    if own is None:  # the weight cannot lose what enters
        ties.freeze(entering, f"convolved with weights that are computed for all channels in {call.where}")
    if groups > 1 and groups == inputs and outputs % inputs == 0:
        w_out = _depthwise(ties, entering, w_in, w_out, outputs // inputs, transposed)
    elif groups > 1:
        w_in = _grouped(ties, entering, w_in, w_out, groups, transposed)
        if transposed and w_out is not None:
            w_out = w_out.repeat(groups)
    elif entering is not None and w_in is not None:
        ties.tie(entering, w_in, "")
    if isinstance(bias, Labelled) and w_out is not None:
        for array in bias.arrays:
            ties.tie(array.flatten(), w_out)
    if w_out is None:
        return ()
    shape = tuple(outputs if d == channel else 1 for d in range(rank))
    return (w_out.reshape(shape),)


def whole_outputs(call: Call, weight: Labelled, dim: int) -> Labelled:
    """Return the weight with labels along single dimensions only.

    Of a weight that a layer computes number by number, whole outputs go: all that make one are tied.
    """
    kept = [array for array in weight.arrays if len(varying(array)) < 2]
    for array in weight.arrays:
        if len(varying(array)) < 2:
            continue
        if dim in varying(array) and not any(dim in varying(other) for other in kept):
            kept.append(call.ties.tie_along(array, varying(array) - {dim}))
        else:
            call.ties.freeze(array, f"spread over several dimensions of a weight in {call.where}")
    return Labelled(weight.meta, tuple(kept), weight.parameter)


def entering_labels(call: Call, labels: Tensor | None, size: int) -> Tensor:
    """Return labels that enter a contraction; FIXED if no layer produces them (tie() then freezes what meets
    them).
    """
    return torch.full((size,), FIXED) if labels is None else labels


def _depthwise(
    ties: Ties,
    entering: Tensor,
    w_in: Tensor | None,
    w_out: Tensor | None,
    multiple: int,
    transposed: bool,
) -> Tensor | None:
    """Tie a depthwise convolution: output channel c * multiple + i belongs to input channel c."""
    if transposed:
        if w_in is not None:
            ties.tie(entering, w_in)
        if w_out is not None:
            ties.freeze(w_out, "shared by all channels of a transposed depthwise convolution")
        return entering.repeat_interleave(multiple)
    if w_in is not None:
        ties.freeze(w_in, "the only input of a depthwise filter")
    if w_out is not None:
        ties.tie(entering.repeat_interleave(multiple), w_out)
    return w_out


def _grouped(
    ties: Ties, entering: Tensor, w_in: Tensor | None, w_out: Tensor | None, groups: int, transposed: bool
) -> Tensor | None:
    blocks = entering.reshape(groups, -1)
    shared = w_out if transposed else w_in  # the weight's dimension that all groups share
    split = w_in if transposed else w_out  # the weight's dimension that is cut into groups
    if transposed:
        if split is not None:
            ties.tie(blocks.flatten(), split)
        ties.tie(blocks, blocks[:1])
        return split
    if shared is not None:
        ties.tie(blocks, shared.reshape(1, -1))
    else:
        ties.tie(blocks, blocks[:1])
    if split is not None:
        rows = split.reshape(groups, -1)
        ties.tie(rows, rows[:1])
    return shared
