"""Norms, reductions and pools: statistics over labelled positions are taken over those that are left."""

from typing import Any

from torch import Tensor

from ..labels import Labelled, varying
from .call import Arrays, Call, labelled, name_of, only, rule
from .elementwise import meet


@rule("batch_norm", "instance_norm", "_native_batch_norm_legit_no_training")
def batch_norm(call: Call) -> Arrays:
    source = call.args[0]
    shape = tuple(source.shape[1] if d == 1 else 1 for d in range(len(source.shape)))
    vectors = [Labelled(v.meta.reshape(shape), tuple(a.reshape(shape) for a in v.arrays)) for v in labelled(call.args[1:5])]
    if name_of(call) == "instance_norm":
        source = Labelled(source.meta, only(call, source, lambda dims: dims == {1}, f"normalised in {call.where}"))
    return meet(call.ties, [source, *vectors], "")[:1] if vectors else source.arrays


@rule("layer_norm", "rms_norm", "native_layer_norm")
def layer_norm(call: Call) -> Arrays:
    return meet(call.ties, [call.args[0], *labelled(call.args[2:])], "")


@rule("group_norm")
def group_norm(call: Call) -> Arrays:
    """Equal positions of all groups are tied, so that groups stay equal."""
    source, groups = call.args[0], call.args[1]
    arrays: Any = batch_norm(Call(call.ties, call.target, (source, *labelled(call.args[2:4])), {}, call.out, call.where))
    for array in arrays:
        if varying(array) == {1}:
            blocks = array.reshape(groups, -1)
            call.ties.tie(blocks, blocks[:1])
    return arrays


@rule("mean", "sum", "amax", "linalg_vector_norm")
def reduce(call: Call) -> Arrays:
    """Statistics over labelled positions are taken over those that are left."""
    source = call.args[0]
    rank = len(source.shape)
    position, name = (2, "dim") if name_of(call) == "linalg_vector_norm" else (1, "dim")
    dims = call.arg(position, name, None)
    dims = list(range(rank)) if dims is None or dims == [] else [dims] if isinstance(dims, int) else dims
    reduced = {d % rank for d in dims}
    keep = call.arg(position + 1, "keepdim", False)
    arrays = []
    for array in source.arrays:
        if varying(array) & reduced:
            if not varying(array) - reduced:
                continue
            array = call.ties.tie_along(array, varying(array) & reduced)  # e.g. whole heads
        shape = [extent for d, extent in enumerate(array.shape) if d not in reduced or keep]
        arrays.append(array.reshape(shape))
    return tuple(arrays)


@rule("softmax", "log_softmax", "_softmax", "_log_softmax")
def softmax(call: Call) -> Arrays:
    source = call.args[0]
    dim = call.args[1] % len(source.shape)
    return only(call, source, lambda dims: dim not in dims or dims == {dim}, f"normalised in {call.where}")


POOLS = (
    "max_pool1d max_pool2d max_pool3d avg_pool1d avg_pool2d avg_pool3d adaptive_avg_pool1d adaptive_avg_pool2d "
    "adaptive_avg_pool3d adaptive_max_pool1d adaptive_max_pool2d lp_pool2d upsample_nearest2d upsample_bilinear2d "
    "upsample_bicubic2d upsample_nearest1d _adaptive_avg_pool2d max_pool2d_with_indices"
).split()


@rule(*POOLS)
def pool(call: Call) -> Any:
    source = call.args[0]
    arrays = only(call, source, lambda dims: dims == {1}, f"pooled along a labelled dimension in {call.where}")
    return arrays if isinstance(call.out, Tensor) else [arrays for _ in call.out]
