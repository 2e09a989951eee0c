"""Changes the literals of a graph when units are removed: sizes, splits, slices, pads, groups."""

import math
import operator
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, fx, nn

from ..errors import CompactionError
from .labels import Labelled
from .nodes import op_name
from .rules.movement import read_positions
from .strides import is_even, stride_order, taken_by
from .survivors import Survivors

SIZED = (
    "view",
    "reshape",
    "_unsafe_view",
    "expand",
    "new_zeros",
    "new_ones",
    "new_full",
    "new_empty",
    "zeros",
    "ones",
    "full",
    "empty",
    "rand",
    "randn",
    "broadcast_to",
)
aten = torch.ops.aten
VIEWS = (aten.view.default, aten._unsafe_view.default)
CONTIGUOUS = ("matrix_exp", "linalg_matrix_exp")  # their kernels read batches in the usual order alone


def rewrite(
    node: fx.Node, args: tuple, kwargs: dict, graph: fx.Graph, left: Survivors
) -> tuple[Any, tuple, dict]:
    """Return the target and arguments of a node after the cut.

    Args:
        node: of the dense graph (for its labelled values).
        args, kwargs: already mapped to nodes of the new graph.
        graph: the new graph, into which size arithmetic is inserted.
    """
    values = left.coupling.values
    out = values[node.name]
    name = op_name(node.target).rstrip("_")
    if (
        node.target in VIEWS
    ):  # the traced strides were those of one memory format; the smaller model may run in another
        return aten.reshape.default, *_resize(name, node, args, kwargs, graph, left)
    source = values[node.args[0].name] if node.args and isinstance(node.args[0], fx.Node) else None
    if name in SIZED and isinstance(out, Labelled):
        return node.target, *_resize(name, node, args, kwargs, graph, left)
    if name in CONTIGUOUS:
        return node.target, (graph.call_function(aten.contiguous.default, (args[0],)), *args[1:]), kwargs
    if name in REWRITES and isinstance(source, Labelled):
        return REWRITES[name](node, args, kwargs, source, left)
    return node.target, args, kwargs


def _resize(
    name: str, node: fx.Node, args: tuple, kwargs: dict, graph: fx.Graph, left: Survivors
) -> tuple[tuple, dict]:
    out = left.coupling.values[node.name]
    position = 0 if name in ("zeros", "ones", "full", "empty", "rand", "randn") else 1
    sizes = list(args[position])
    for dim, mask in left.kept(out).items():
        old, new = out.shape[dim], int(mask.sum())
        if isinstance(sizes[dim], fx.Node):  # such as batch times channels, where the batch stays open
            share = math.gcd(old, new)
            grown = graph.call_function(operator.mul, (sizes[dim], new // share))
            sizes[dim] = graph.call_function(operator.floordiv, (grown, old // share))
        elif sizes[dim] != -1:
            sizes[dim] = new
    return (*args[:position], sizes, *args[position + 1 :]), kwargs


Rewrite = Callable[[fx.Node, tuple, dict, Labelled, Survivors], tuple[Any, tuple, dict]]
REWRITES: dict[str, Rewrite] = {}


def rewrites(*names: str) -> Callable[[Rewrite], Rewrite]:
    def decorate(function: Rewrite) -> Rewrite:
        REWRITES.update(dict.fromkeys(names, function))
        return function

    return decorate


def _arg(node_args: tuple, kwargs: dict, index: int, name: str, default: Any) -> Any:
    return node_args[index] if len(node_args) > index else kwargs.get(name, default)


@rewrites("conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d")
def _conv(node: fx.Node, args: tuple, kwargs: dict, source: Labelled, left: Survivors) -> tuple:
    groups = _arg(args, kwargs, 6, "groups", 1)
    if isinstance(groups, fx.Node):  # as many as there are samples
        return node.target, args, kwargs
    new = conv_groups(node, groups, left)
    if new != groups:
        args = (*args[:6], new, *args[7:]) if len(args) > 6 else args
        kwargs = {**kwargs, "groups": new} if len(args) <= 6 else kwargs
    return node.target, args, kwargs


def conv_groups(node: fx.Node, groups: int, left: Survivors) -> int:
    """Return the number of groups after the cut: depthwise convolutions follow their channels, others keep
    their number.
    """
    if groups == 1:
        return 1
    inputs: Any = node.args[:2]
    source, weight = (left.coupling.values[n.name] for n in inputs)
    channels = left.shape(source)[1 if len(source.shape) == weight.meta.dim() else 0]
    if "transpose" in op_name(node.target):
        return channels if groups == weight.shape[0] else groups
    return channels // left.shape(weight)[1]


@rewrites("split", "chunk", "split_with_sizes", "unsafe_split", "unsafe_chunk", "tensor_split")
def _split(node: fx.Node, args: tuple, kwargs: dict, source: Labelled, left: Survivors) -> tuple:
    dim = _arg(args, kwargs, 2, "dim", 0) % len(source.shape)
    if dim not in left.kept(source):
        return node.target, args, kwargs
    sizes = [left.shape(piece)[dim] for piece in left.coupling.values[node.name]]
    if min(sizes) == 0:
        raise CompactionError(
            f"Removing these units would leave nothing of one part of the split in {node.name!r}."
        )
    return aten.split_with_sizes.default, (args[0], sizes, dim), {}


@rewrites("slice")
def _slice(node: fx.Node, args: tuple, kwargs: dict, source: Labelled, left: Survivors) -> tuple:
    dim = _arg(args, kwargs, 1, "dim", 0) % len(source.shape)
    kept = left.kept(source).get(dim)
    if kept is None:
        return node.target, args, kwargs
    size = source.shape[dim]
    step = _arg(args, kwargs, 4, "step", 1)
    ends = slice(_arg(args, kwargs, 2, "start", None), _arg(args, kwargs, 3, "end", None))
    start, stop, _ = ends.indices(size)
    if (start, stop, step) == (
        0,
        size,
        1,
    ):  # everything, even if a batch of any size is folded into the dimension
        return node.target, args, kwargs
    taken = taken_by(range(start, stop, step), kept)
    if not taken:
        raise CompactionError(f"Removing these units would leave nothing of the slice in {node.name!r}.")
    if taken == list(range(taken[0], taken[0] + len(taken))):
        return node.target, (args[0], dim, taken[0], taken[-1] + 1), {}
    if is_even(taken):
        return node.target, (args[0], dim, taken[0], taken[-1] + 1, taken[1] - taken[0]), {}
    raise CompactionError(
        f"The slice with step {step} in {node.name!r} cannot be renumbered for these units."
    )


@rewrites("narrow")
def _narrow(node: fx.Node, args: tuple, kwargs: dict, source: Labelled, left: Survivors) -> tuple:
    dim = args[1] % len(source.shape)
    kept = left.kept(source).get(dim)
    if kept is None:
        return node.target, args, kwargs
    start, length = args[2], args[3]
    return node.target, (args[0], dim, int(kept[:start].sum()), int(kept[start : start + length].sum())), {}


@rewrites("select")
def _select(node: fx.Node, args: tuple, kwargs: dict, source: Labelled, left: Survivors) -> tuple:
    dim = args[1] % len(source.shape)
    kept = left.kept(source).get(dim)
    if kept is None:
        return node.target, args, kwargs
    position = args[2] % source.shape[dim]
    return node.target, (args[0], dim, int(kept[:position].sum())), {}


@rewrites("repeat_interleave")
def _repeat_interleave(node: fx.Node, args: tuple, kwargs: dict, source: Labelled, left: Survivors) -> tuple:
    """Repeat as often as copies are left."""
    dim = _arg(args, kwargs, 2, "dim", None)
    out = left.coupling.values[node.name]
    if dim is None or dim % len(source.shape) not in left.kept(out):
        return node.target, args, kwargs
    repeats = left.shape(out)[dim] // left.shape(source)[dim]
    return node.target, (args[0], repeats, dim), {}


@rewrites("repeat")
def _repeat(node: fx.Node, args: tuple, kwargs: dict, source: Labelled, left: Survivors) -> tuple:
    """Repeat a single value as often as there are channels that read it."""
    times, out = list(args[1]), left.coupling.values[node.name]
    own = (1,) * (len(times) - len(source.shape)) + source.shape
    for dim, kept in left.kept(out).items():
        if own[dim] == 1:
            times[dim] = int(kept.sum())
    return node.target, (args[0], times), {}


@rewrites("roll")
def _roll(node: fx.Node, args: tuple, kwargs: dict, source: Labelled, left: Survivors) -> tuple:
    """Roll as many of the channels that are left as come to the start."""
    shifts, dims = (
        list(given) if isinstance(given, list | tuple) else [given]
        for given in (args[1], _arg(args, kwargs, 2, "dims", []))
    )
    kept = left.kept(source)
    if not dims or not kept:
        return node.target, args, kwargs
    total = dict.fromkeys((dim % len(source.shape) for dim in dims), 0)
    for shift, dim in zip(shifts, dims, strict=True):
        total[dim % len(source.shape)] += shift
    for dim in kept.keys() & total.keys():
        first = len(kept[dim]) - total[dim] % len(kept[dim])
        total[dim] = int(kept[dim][first:].sum())
    return node.target, (args[0], list(total.values()), list(total)), {}


def order_left(node: fx.Node, left: Survivors) -> Tensor | None:
    """Return the order in which a node reads the channels that are left; None if it reads them as before."""
    values, name = left.coupling.values, op_name(node.target)
    if name == "slice":
        return stride_order(node, left)
    if name not in ("index", "index_select"):
        return None
    given: Any = fx.node.map_arg(node.args, lambda n: values[n.name])
    read = read_positions(given, name)
    kept = left.kept(given[0]).get(read[0]) if read is not None else None
    if read is None or kept is None:
        return None
    return (torch.cumsum(kept, 0) - 1)[read[1][kept[read[1]]]]


@rewrites("pad", "constant_pad_nd")
def _pad(node: fx.Node, args: tuple, kwargs: dict, source: Labelled, left: Survivors) -> tuple:
    widths, out = list(args[1]), left.coupling.values[node.name]
    rank = len(source.shape)
    for dim, kept in left.kept(out).items():
        low = 2 * (rank - 1 - dim)
        if low < len(widths):
            before, after = widths[low], widths[low + 1]
            widths[low] = int(kept[:before].sum())
            widths[low + 1] = int(kept[len(kept) - after :].sum()) if after else 0
    return node.target, (args[0], widths, *args[2:]), kwargs


@rewrites("layer_norm", "rms_norm", "native_layer_norm")
def _layer_norm(node: fx.Node, args: tuple, kwargs: dict, source: Labelled, left: Survivors) -> tuple:
    first = len(source.shape) - len(args[1])
    return node.target, (args[0], _kept_sizes(args[1], source, first, left), *args[2:]), kwargs


def _kept_sizes(given: Any, value: Labelled, first: int, left: Survivors) -> list[Any]:
    """Return the sizes of a value from a dimension on; those that lose nothing stay as given, including open
    ones.
    """
    sizes, kept = left.shape(value), left.kept(value)
    return [sizes[first + d] if first + d in kept else size for d, size in enumerate(given)]


def groups_of_channels(node: fx.Node, groups: int, left: Survivors) -> int:
    """Return how many groups of channels are left in a norm or a shuffle."""
    source: Any = node.args[0]
    kept = left.kept(left.coupling.values[source.name]).get(1)
    return groups if kept is None else int(kept.view(groups, -1).any(1).sum())


def groups_left(node: fx.Node, full: nn.Module, left: Survivors) -> int | None:
    """Return the number of groups after the cut for a module that has groups, otherwise None."""
    if isinstance(full, nn.GroupNorm):
        return groups_of_channels(node, full.num_groups, left)
    return conv_groups(node, full.groups, left) if isinstance(full, nn.modules.conv._ConvNd) else None


@rewrites("channel_shuffle", "native_channel_shuffle")
def _channel_shuffle(node: fx.Node, args: tuple, kwargs: dict, source: Labelled, left: Survivors) -> tuple:
    return node.target, (args[0], groups_of_channels(node, args[1], left)), kwargs


@rewrites("group_norm")
def _group_norm(node: fx.Node, args: tuple, kwargs: dict, source: Labelled, left: Survivors) -> tuple:
    return node.target, (args[0], groups_of_channels(node, args[1], left), *args[2:]), kwargs


@rewrites("unflatten")
def _unflatten(node: fx.Node, args: tuple, kwargs: dict, source: Labelled, left: Survivors) -> tuple:
    dim = args[1] % len(source.shape)
    sizes = _kept_sizes(args[2], left.coupling.values[node.name], dim, left)
    return node.target, (args[0], args[1], sizes), kwargs


@rewrites("scaled_dot_product_attention")
def _attention(node: fx.Node, args: tuple, kwargs: dict, source: Labelled, left: Survivors) -> tuple:
    """Keep the default scale of the dense model, since it depends on the width of a head."""
    width = len(source.shape) - 1
    if width in left.kept(source) and kwargs.get("scale") is None:
        kwargs = {**kwargs, "scale": source.shape[width] ** -0.5}
    return node.target, args, kwargs
