"""Norms, reductions and pools: statistics over labelled positions are taken over the remaining ones."""

from typing import Any

from torch import Tensor

from ..labels import Labelled, varying
from .call import Arrays, Call, channel_of, channels, labelled, name_of, only, rule
from .elementwise import meet

PLACES = 1  # the second of what max and min return along one dimension


@rule("batch_norm", "instance_norm", "_native_batch_norm_legit_no_training")
def batch_norm(call: Call) -> Any:
    source = call.args[0]
    shape = tuple(source.shape[1] if d == 1 else 1 for d in range(len(source.shape)))
    vectors = [
        Labelled(v.meta.reshape(shape), tuple(a.reshape(shape) for a in v.arrays))
        for v in labelled(call.args[1:5])
    ]
    if name_of(call) == "instance_norm":
        source = Labelled(source.meta, channels(call, source, 1, f"normalised in {call.where}"))
    arrays = meet(call.ties, [source, *vectors], "") if vectors else source.arrays
    return arrays if isinstance(call.out, Tensor) else [arrays, *(() for _ in call.out[1:])]


@rule("layer_norm", "rms_norm", "native_layer_norm")
def layer_norm(call: Call) -> Any:
    arrays = meet(call.ties, [call.args[0], *labelled(call.args[2:])], "")
    if isinstance(call.out, Tensor):
        return arrays
    last = set(range(len(call.args[0].shape) - len(call.args[1]), len(call.args[0].shape)))
    # one mean and one spread for the remaining positions
    moments = tuple(a for a in arrays if not varying(a) & last)
    return [arrays, moments, moments]


@rule("group_norm")
def group_norm(call: Call) -> Arrays:
    """Keep groups equal: small ones are removed whole, large ones lose the same positions."""
    source, groups = call.args[0], call.args[1]
    arrays: Any = batch_norm(
        Call(call.ties, call.target, (source, *labelled(call.args[2:4])), {}, call.out, call.where)
    )
    for array in arrays:
        if varying(array) == {1}:
            blocks = array.reshape(groups, -1)
            call.ties.tie(blocks, blocks[:, :1] if blocks.shape[1] <= groups else blocks[:1])
    return arrays


@rule(
    "mean",
    "sum",
    "amax",
    "amin",
    "max",
    "min",
    "var",
    "std",
    "var_mean",
    "std_mean",
    "logsumexp",
    "linalg_vector_norm",
    "nansum",
)
def reduce(call: Call) -> Any:
    """Take statistics over labelled positions over the remaining ones; the place of the largest is a number
    that means another channel once some are removed.
    """
    if len(labelled(call.args)) > 1:  # the larger of two
        return meet(call.ties, labelled(call.args), f"compared in {call.where}")
    source, name = call.args[0], name_of(call)
    if name in ("max", "min") and PLACES in call.read:
        dim = call.arg(1, "dim") % max(1, len(source.shape))
        why = f"goes through arg{name} along its channels in {call.where}"
        source = Labelled(source.meta, only(call, source, lambda dims: dim not in dims, why))
    arrays = _reduced(call, source)
    return arrays if isinstance(call.out, Tensor) else [arrays for _ in call.out]


def _reduced(call: Call, source: Labelled) -> Arrays:
    rank = len(source.shape)
    dims = call.arg(2 if name_of(call) == "linalg_vector_norm" else 1, "dim", None)
    dims = (
        [dims] if isinstance(dims, int) and not isinstance(dims, bool) else dims
    )  # std(x, True) takes all dimensions
    reduced = {d % rank for d in dims} if isinstance(dims, list | tuple) and dims else set(range(rank))
    made = call.out if isinstance(call.out, Tensor) else call.out[0]
    keep = made.dim() == rank
    arrays = []
    for array in source.arrays:
        if varying(array) & reduced:
            if not varying(array) - reduced:
                continue
            array = call.ties.tie_along(array, varying(array) & reduced)  # e.g. whole heads
        shape = [extent for d, extent in enumerate(array.shape) if d not in reduced or keep]
        arrays.append(array.reshape(shape))
    return tuple(arrays)


@rule("_weight_norm")
def weight_norm(call: Call) -> Arrays:
    """Combine directions of weights with their lengths: one per channel."""
    return meet(call.ties, call.args[:2], f"scaled in {call.where}")


@rule("softmax", "log_softmax", "_softmax", "_log_softmax", "_safe_softmax")
def softmax(call: Call) -> Arrays:
    """Handle one dimension alone by the remaining positions; several kinds as a whole, for each of the
    others.
    """
    source = call.args[0]
    dim = call.args[1] % len(source.shape)
    return tuple(call.ties.tie_along(a, frozenset({dim})) if {dim} < varying(a) else a for a in source.arrays)


POOLS = (
    "max_pool1d max_pool2d max_pool3d avg_pool1d avg_pool2d avg_pool3d adaptive_avg_pool1d "
    "adaptive_avg_pool2d adaptive_avg_pool3d adaptive_max_pool1d adaptive_max_pool2d adaptive_max_pool3d "
    "lp_pool1d lp_pool2d lp_pool3d _adaptive_avg_pool2d _adaptive_avg_pool3d max_pool1d_with_indices "
    "max_pool2d_with_indices max_pool3d_with_indices upsample_nearest1d upsample_nearest2d "
    "upsample_nearest3d _upsample_nearest_exact1d _upsample_nearest_exact2d _upsample_nearest_exact3d "
    "upsample_linear1d upsample_bilinear2d upsample_trilinear3d upsample_bicubic2d _upsample_bilinear2d_aa "
    "_upsample_bicubic2d_aa _upsample_lanczos2d_aa"
).split()


@rule(*POOLS)
def pool(call: Call) -> Any:
    source = call.args[0]
    why = f"pooled together with the channels next to it in {call.where}"
    arrays = channels(call, source, channel_of(call), why)
    return arrays if isinstance(call.out, Tensor) else [arrays for _ in call.out]


@rule("fractional_max_pool2d", "fractional_max_pool3d")
def fractional(call: Call) -> Any:
    """Handle random windows: two or three numbers for each channel give the positions."""
    pooled: Any = pool(call)
    samples = call.args[3]
    lines = [a.reshape(1, -1, 1) for a in pooled[0] if varying(a) == {channel_of(call)}]
    meta = samples.meta.narrow(2, 0, 1)
    meet(call.ties, [Labelled(meta, tuple(lines)), samples], f"pooled together in {call.where}")
    return pooled
