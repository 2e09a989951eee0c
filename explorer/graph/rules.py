"""Op -> how labels travel through it. An op without a rule freezes what enters it; nothing is guessed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from .labels import FILL, FIXED, Labelled, Ties, compress, compressed, lifted, varying

Arrays = tuple[Tensor, ...]


@dataclass(frozen=True, eq=False)
class Call:
    """One node of the graph while it is walked: arguments hold Labelled values and plain numbers."""

    ties: Ties
    target: Any
    args: tuple
    kwargs: dict
    out: Any
    where: str

    def arg(self, index: int, name: str, default: Any = None) -> Any:
        return self.args[index] if len(self.args) > index else self.kwargs.get(name, default)


Rule = Callable[[Call], "Arrays | list[Arrays]"]
RULES: dict[str, Rule] = {}


def rule(*names: str) -> Callable[[Rule], Rule]:
    def decorate(function: Rule) -> Rule:
        RULES.update(dict.fromkeys(names, function))
        return function

    return decorate


def labelled(values: Any) -> list[Labelled]:
    """Every Labelled value inside of arguments, in order."""
    if isinstance(values, Labelled):
        return [values]
    if isinstance(values, dict):
        return [item for value in values.values() for item in labelled(value)]
    if isinstance(values, list | tuple):
        return [item for value in values for item in labelled(value)]
    return []


def freeze(call: Call, value: Labelled, why: str) -> None:
    for array in value.arrays:
        call.ties.freeze(array, why)


def freeze_all(call: Call, why: str) -> None:
    for value in labelled([call.args, call.kwargs]):
        freeze(call, value, why)


# --------------------------------------------------------------------------- data movement

MOVES = (
    "view reshape _unsafe_view flatten unflatten permute transpose t unsqueeze squeeze slice chunk split "
    "split_with_sizes unsafe_split unsafe_chunk tensor_split expand repeat tile repeat_interleave flip movedim moveaxis "
    "narrow swapaxes swapdims pixel_shuffle pixel_unshuffle numpy_T mT "
    "adjoint diagonal view_as reshape_as expand_as broadcast_to"
).split()
SAME = (
    "contiguous clone alias detach to _to_copy type_as float double dropout alpha_dropout feature_dropout lift_fresh "
    "lift_fresh_copy detach_copy native_dropout requires_grad_ positive zero fill"
).split()


@rule(*SAME)
def same(call: Call) -> Arrays:
    return call.args[0].arrays


@rule(*MOVES)
def move(call: Call) -> Any:
    """Executed on the label arrays themselves."""
    source: Labelled = call.args[0]
    if _name(call) == "expand_as":
        return tuple(lifted(a, len(call.args[1].shape)) for a in source.arrays)
    if _name(call) in ("view_as", "reshape_as"):
        return compressed([source.expanded(a).reshape(call.args[1].shape) for a in source.arrays])
    # a view of labels that do not vary along a dimension is not contiguous
    target = torch.ops.aten.reshape.default if _name(call) in ("view", "_unsafe_view") else call.target
    moved = [target(source.expanded(a), *call.args[1:], **call.kwargs) for a in source.arrays]
    if isinstance(call.out, Labelled | Tensor):
        return _one_a_dimension(call, compressed(moved))
    return [compressed(pieces) for pieces in zip(*moved, strict=True)] if moved else [() for _ in call.out]


def _one_a_dimension(call: Call, arrays: Arrays) -> Arrays:
    """Of two kinds of channels that a reshape brings to one dimension (an outer product, flattened) the first can be cut."""
    kept: list[Tensor] = []
    for array in arrays:
        if len(varying(array)) == 1 and any(varying(other) == varying(array) for other in kept):
            call.ties.freeze(array, f"laid out along one dimension with other channels in {call.where}")
        else:
            kept.append(array)
    return tuple(kept)


@rule("channel_shuffle", "native_channel_shuffle")
def channel_shuffle(call: Call) -> Arrays:
    """Read as groups of channels and back, so what goes must go from every group alike."""
    source, groups = call.args[0], call.args[1]
    shuffled = []
    for array in source.arrays:
        full = source.expanded(array)
        split = full.reshape(full.shape[0], groups, full.shape[1] // groups, *full.shape[2:])
        call.ties.passing.append(compress(split))
        shuffled.append(split.transpose(1, 2).reshape(full.shape))
    return compressed(shuffled)


@rule("select", "unbind")
def pick(call: Call) -> Any:
    source: Labelled = call.args[0]
    dim = call.arg(1, "dim", 0) % len(source.shape)
    for array in source.arrays:
        if dim in varying(array):
            call.ties.picked.append((array, dim, f"picked out by its position in {call.where}"))
    return move(call)


@rule("roll")
def roll(call: Call) -> Arrays:
    source: Labelled = call.args[0]
    dims = call.arg(2, "dims", [])
    rolled = {d % len(source.shape) for d in ([dims] if isinstance(dims, int) else dims)}
    return _only(call, source, lambda dims_: not dims_ & rolled and bool(rolled), f"rolled in {call.where}")


@rule("cat", "concat", "concatenate")
def cat(call: Call) -> Arrays:
    parts: list[Labelled] = call.args[0]
    rank = len(parts[0].shape)
    dim = call.arg(1, "dim", 0) % rank
    across = []
    for part in parts:
        along = [a for a in part.arrays if dim in varying(a)]
        for extra in along[1:]:
            call.ties.freeze(extra, f"several kinds of channels meet in the concatenation in {call.where}")
        own = along[0] if along else torch.full((1,) * rank, FIXED)
        if not along and part.shape[dim] == 1:
            single = [a for a in part.arrays if a.numel() == 1]
            own = single[0] if single else own
        across.append(own.expand(part.shape))
    beside = [
        Labelled(p.meta.narrow(dim, 0, 1), tuple(a for a in p.arrays if dim not in varying(a) and a.numel() > 1)) for p in parts
    ]
    kept = meet(call.ties, beside, f"concatenated in {call.where}")
    whole = torch.cat(across, dim)
    return (*compressed([whole] if bool((whole != FIXED).any()) else []), *kept)


@rule("stack")
def stack(call: Call) -> Arrays:
    parts: list[Labelled] = call.args[0]
    dim = call.arg(1, "dim", 0) % (len(parts[0].shape) + 1)
    lifted_parts = [Labelled(p.meta.unsqueeze(dim), tuple(a.unsqueeze(dim) for a in p.arrays)) for p in parts]
    return meet(call.ties, lifted_parts, f"stacked in {call.where}")


@rule("pad", "constant_pad_nd")
def pad(call: Call) -> Arrays:
    source, widths = call.args[0], call.args[1]
    rank = len(source.shape)
    padded = {rank - 1 - i // 2 for i, width in enumerate(widths) if width}
    if call.arg(2, "mode", "constant") not in ("constant", 0) and isinstance(call.arg(2, "mode", "constant"), str):
        return _only(call, source, lambda dims: not dims & padded, f"padded by copies in {call.where}")
    arrays = []
    for array in source.arrays:
        dims = varying(array) & padded
        if not dims:
            arrays.append(array)
            continue
        own = [width if rank - 1 - i // 2 in dims else 0 for i, width in enumerate(widths)]
        grown = torch.nn.functional.pad(array, own, value=FILL)
        for dim in dims:
            fill = call.ties.fresh(tuple(grown.shape), dim).expand(grown.shape)
            grown = torch.where(grown == FILL, fill, grown)
        arrays.append(grown)
    return tuple(arrays)


@rule("index")
def index(call: Call) -> Arrays:
    source, indices = call.args[0], call.args[1]
    indexed = {d for d, i in enumerate(indices) if i is not None}
    kept = _only(call, source, lambda dims: not dims & indexed, f"looked up by position in {call.where}")
    zeros = [None if i is None else torch.zeros(i.shape, dtype=torch.long) for i in indices]
    return compressed([torch.ops.aten.index.Tensor(Labelled(source.meta).expanded(a), zeros) for a in kept])


@rule("index_select")
def index_select(call: Call) -> Arrays:
    dim = call.args[1] % len(call.args[0].shape)
    return _only(call, call.args[0], lambda dims: dim not in dims, f"looked up by position in {call.where}")


@rule("zeros", "ones", "full", "new_zeros", "new_ones", "new_full", "zeros_like", "ones_like", "full_like")
def fill(call: Call) -> Arrays:
    shape = tuple(call.out.shape)
    return tuple(call.ties.fresh(shape, d) for d in range(len(shape)) if shape[d] > 1)


@rule("arange", "linspace", "empty", "empty_like", "scalar_tensor", "eye", "tensor", "rand", "randn")
def constant(call: Call) -> Arrays:
    return ()


# --------------------------------------------------------------------------- elementwise


def meet(ties: Ties, operands: Sequence[Labelled], why: str) -> Arrays:
    """Tie the labels of operands that are combined element by element; returns the labels of the result."""
    rank = max(len(o.shape) for o in operands)
    shapes = [(1,) * (rank - len(o.shape)) + o.shape for o in operands]
    arrays = [[lifted(a, rank) for a in o.arrays] for o in operands]
    result: list[Tensor] = []
    for i, own in enumerate(arrays):
        for array in own:
            dims = varying(array)
            if not dims:
                continue
            for j, others in enumerate(arrays):
                needed = {d for d in dims if shapes[j][d] > 1}
                if j != i and needed:
                    owned = set().union(*(varying(other) for other in others)) if others else set()
                    if needed - owned:
                        ties.missing.append((array, frozenset(needed - owned), f"{why} with values that no layer produces"))
            _join(ties, result, array, why)
    return tuple(result)


def _join(ties: Ties, result: list[Tensor], array: Tensor, why: str) -> None:
    """Tie an array with those of the result that vary along the same dimension; keep the one that says most."""
    for position, present in enumerate(result):
        if varying(present) & varying(array):
            ties.tie(present, array, "" if present is array else why)
            if varying(array) > varying(present):
                result[position] = array
            elif not varying(array) <= varying(present):
                continue
            return
    result.append(array)


def pointwise(call: Call) -> Arrays:
    """Elementwise ops, found by their tag."""
    operands = labelled([call.args, call.kwargs])
    if len(operands) == 1:
        return operands[0].arrays
    verb = {"add": "added together", "mul": "multiplied together", "sub": "subtracted"}
    return meet(call.ties, operands, f"{verb.get(_name(call), 'combined')} in {call.where}")


UNTAGGED = (
    "hardswish hardsigmoid hardtanh relu6 leaky_relu elu selu celu silu mish gelu softplus log_sigmoid rrelu threshold copy"
).split()
RULES.update(dict.fromkeys(UNTAGGED, pointwise))


@rule("prelu")
def prelu(call: Call) -> Arrays:
    """One slope for all channels, or one a channel."""
    source, slope = call.args[0], call.args[1]
    if slope.shape == (1,):
        return source.arrays
    shape = tuple(-1 if d == 1 else 1 for d in range(len(source.shape)))
    lifted_slope = Labelled(slope.meta.reshape(shape), tuple(a.reshape(shape) for a in slope.arrays))
    return meet(call.ties, [source, lifted_slope], f"scaled in {call.where}")


@rule("glu")
def glu(call: Call) -> Arrays:
    """The first half of a dimension, gated by the second."""
    source, dim = call.args[0], call.arg(1, "dim", -1) % len(call.args[0].shape)
    size = source.shape[dim] // 2
    arrays = [source.expanded(a) for a in source.arrays]
    cut = lambda x, start: x.narrow(dim, start, size)  # noqa: E731
    halves = [Labelled(cut(source.meta, start), compressed([cut(a, start) for a in arrays])) for start in (0, size)]
    return meet(call.ties, halves, f"gated in {call.where}")


def _name(call: Call) -> str:
    return call.target.overloadpacket.__name__.rstrip("_")


# --------------------------------------------------------------------------- contractions


@rule("conv1d", "conv2d", "conv3d", "convolution")
def conv(call: Call) -> Arrays:
    source, weight, bias = call.args[0], call.args[1], call.arg(2, "bias")
    groups = call.arg(8, "groups", 1) if _name(call) == "convolution" else call.arg(6, "groups", 1)
    transposed = call.args[6] if _name(call) == "convolution" else False
    return _convolve(call, source, weight, bias, groups, transposed)


@rule("conv_transpose1d", "conv_transpose2d", "conv_transpose3d")
def conv_transpose(call: Call) -> Arrays:
    return _convolve(call, call.args[0], call.args[1], call.arg(2, "bias"), call.arg(6, "groups", 1), True)


def _along(value: Labelled, dim: int) -> Tensor | None:
    """(size,) labels of the array that varies along one dimension alone, or None."""
    for array in value.arrays:
        if varying(array) == {dim} or (array.numel() == 1 and value.shape[dim] == 1):
            return array.flatten()
    return None


def _convolve(call: Call, source: Labelled, weight: Labelled, bias: Any, groups: int, transposed: bool) -> Arrays:
    """Grouped: equal positions of all groups are tied, so that groups stay equal; depthwise: outputs follow inputs."""
    ties, rank = call.ties, len(source.shape)
    channel = 1 if rank == weight.meta.dim() else 0
    kept = _only(call, source, lambda dims: dims == {channel}, f"convolved along a labelled dimension in {call.where}")
    entering = _along(Labelled(source.meta, kept), channel)
    in_dim, out_dim = (0, 1) if transposed else (1, 0)
    w_in, w_out = _along(weight, in_dim), _along(weight, out_dim)
    inputs = source.shape[channel]
    outputs = weight.shape[out_dim] * (groups if transposed else 1)
    entering = _entering(call, entering, inputs)
    if groups > 1 and groups == inputs and outputs % inputs == 0:
        w_out = _depthwise(ties, entering, w_in, w_out, groups, outputs, transposed)
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


def _entering(call: Call, labels: Tensor | None, size: int) -> Tensor:
    """Labels that enter a contraction; FIXED where no layer produces them (tie() then freezes what meets them)."""
    return torch.full((size,), FIXED) if labels is None else labels


def _depthwise(
    ties: Ties, entering: Tensor, w_in: Tensor | None, w_out: Tensor | None, groups: int, outputs: int, transposed: bool
) -> Tensor | None:
    """Output channel c * m + i belongs to input channel c."""
    multiple = outputs // groups
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


@rule("linear")
def linear(call: Call) -> Arrays:
    source, weight, bias = call.args[0], call.args[1], call.arg(2, "bias")
    turned = Labelled(weight.meta.t(), tuple(a.t() for a in weight.arrays), weight.parameter)
    result = contract(call, source, turned)
    out = _along(weight, 0)
    if isinstance(bias, Labelled) and out is not None:
        for array in bias.arrays:
            call.ties.tie(array.flatten(), out)
    return result


@rule("matmul", "mm", "bmm")
def matmul(call: Call) -> Arrays:
    return contract(call, call.args[0], call.args[1])


@rule("addmm", "baddbmm")
def addmm(call: Call) -> Arrays:
    product = Labelled(call.out, contract(call, call.args[1], call.args[2]))
    return meet(call.ties, [product, call.args[0]], f"added together in {call.where}")


def contract(call: Call, a: Labelled, b: Labelled) -> Arrays:
    """(..., m, k) @ (..., k, n): the inner dimensions are tied; labels on batch dimensions tie whole heads."""
    ties = call.ties
    if len(a.shape) < 2 or len(b.shape) < 2:
        freeze_all(call, f"multiplied with a vector in {call.where}")
        return ()
    rank = max(len(a.shape), len(b.shape))
    left, right = [_sides(call, v, rank) for v in (a, b)]
    m, k = rank - 2, rank - 1
    inner_a, inner_b = left.matrix.get(k), right.matrix.get(m)
    if inner_a is not None or inner_b is not None:
        entering = [_entering(call, x.flatten() if x is not None else None, a.shape[-1]) for x in (inner_a, inner_b)]
        ties.tie(entering[0], entering[1])
    heads: Arrays = ()
    if left.batch or right.batch:
        both = [Labelled(v.meta[..., :1, :1], side.batch) for v, side in ((a, left), (b, right))]
        heads = meet(ties, both, f"heads of one attention in {call.where}")
    return (*heads, *(side.matrix[d] for side, d in ((left, m), (right, k)) if d in side.matrix))


@dataclass(frozen=True, eq=False)
class Sides:
    """The arrays of one factor of a product: by matrix dimension, and those of batch dimensions (whole heads)."""

    matrix: dict[int, Tensor]
    batch: Arrays


def _sides(call: Call, value: Labelled, rank: int) -> Sides:
    matrix, batch = {}, []
    last = {rank - 2, rank - 1}
    for array in (lifted(a, rank) for a in value.arrays):
        dims = varying(array)
        if dims - last:
            batch.append(call.ties.tie_along(array, dims & last))
            call.ties.heads.append(array.flatten()[:1])
        elif len(dims) == 1:
            matrix[next(iter(dims))] = array
        elif dims:
            call.ties.freeze(array, f"spread over both dimensions of a matrix in {call.where}")
    return Sides(matrix, tuple(batch))


@rule("scaled_dot_product_attention")
def attention(call: Call) -> Arrays:
    """(..., heads, tokens, width): heads of query, key and value go as one; without heads, query and key share widths."""
    query, key, value = call.args[:3]
    mask = call.arg(3, "attn_mask")
    repeats = query.shape[-3] // key.shape[-3] if len(query.shape) > 2 else 1
    if repeats > 1:
        key, value = (_repeated(v, repeats) for v in (key, value))
    turned = Labelled(key.meta.transpose(-1, -2), tuple(a.transpose(-1, -2) for a in key.arrays))
    weights = contract(call, query, turned)
    shape = (*torch.broadcast_shapes(query.shape[:-2], key.shape[:-2]), query.shape[-2], key.shape[-2])
    scores = Labelled(torch.empty(shape, device="meta"), weights)  # no product: its multiply-adds would be counted
    if isinstance(mask, Labelled):
        scores = Labelled(scores.meta, meet(call.ties, [scores, mask], f"heads of one attention in {call.where}"))
    contract(call, scores, value)
    rank = len(value.shape)
    return tuple(a for a in value.arrays if rank - 2 not in varying(a))


def _repeated(value: Labelled, repeats: int) -> Labelled:
    arrays = tuple(a.repeat_interleave(repeats, -3) if a.shape[-3] > 1 else a for a in value.arrays)
    return Labelled(value.meta.repeat_interleave(repeats, -3), arrays)


@rule("einsum")
def einsum(call: Call) -> Arrays:
    """Equal letters are tied; an array that spreads over letters ties whole units of the first of them."""
    equation, operands = call.args[0].replace(" ", ""), call.args[1]
    inputs, output = equation.split("->") if "->" in equation else (equation, None)
    if output is None or "." in equation:
        freeze_all(call, f"goes through an einsum without written dimensions in {call.where}")
        return ()
    for operand in operands:
        if operand.parameter:  # no layer is known to hold them, so nothing can rate what they make
            freeze(call, operand, f"weights of an einsum in {call.where}, which nothing rates")
    by_letter: dict[str, Tensor] = {}
    sizes: dict[str, int] = {}
    seen: dict[str, int] = {}
    for letters, operand in zip(inputs.split(","), operands, strict=True):
        for d, letter in enumerate(letters):
            sizes[letter] = operand.shape[d]
            seen[letter] = seen.get(letter, 0) + (operand.shape[d] > 1)
        for array in operand.arrays:
            dims = sorted(varying(array), key=lambda d: -operand.shape[d])
            if not dims:
                continue
            owner = min(dims)
            flat = call.ties.tie_along(array, frozenset(dims) - {owner}).flatten()
            seen[letters[owner]] -= 1
            if letters[owner] in by_letter:
                call.ties.tie(by_letter[letters[owner]], flat, f"multiplied together in {call.where}")
            by_letter[letters[owner]] = flat
    for letter, labels in by_letter.items():
        if seen[letter] > 0:
            call.ties.freeze(labels, f"multiplied with values that no layer produces in {call.where}")
    shape = lambda letter: tuple(sizes[letter] if x == letter else 1 for x in output)  # noqa: E731
    return tuple(labels.reshape(shape(x)) for x, labels in by_letter.items() if x in output)


@rule("embedding")
def embedding(call: Call) -> Arrays:
    weight, indices = call.args[0], call.args[1]
    for array in weight.arrays:
        if 0 in varying(array):
            call.ties.freeze(array, f"looked up by position in {call.where}")
    labels = _along(weight, 1)
    return () if labels is None else (lifted(labels, len(indices.shape) + 1),)


# --------------------------------------------------------------------------- norms, reductions, pools


@rule("batch_norm", "instance_norm", "_native_batch_norm_legit_no_training")
def batch_norm(call: Call) -> Arrays:
    source = call.args[0]
    shape = tuple(source.shape[1] if d == 1 else 1 for d in range(len(source.shape)))
    vectors = [Labelled(v.meta.reshape(shape), tuple(a.reshape(shape) for a in v.arrays)) for v in labelled(call.args[1:5])]
    if _name(call) == "instance_norm":
        source = Labelled(source.meta, _only(call, source, lambda dims: dims == {1}, f"normalised in {call.where}"))
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


def _only(call: Call, source: Labelled, allowed: Callable[[frozenset[int]], bool], why: str) -> Arrays:
    """The arrays whose varying dimensions are allowed; the others are frozen."""
    kept = []
    for array in source.arrays:
        if varying(array) and not allowed(varying(array)):
            call.ties.freeze(array, why)
        else:
            kept.append(array)
    return tuple(kept)


@rule("mean", "sum", "amax", "linalg_vector_norm")
def reduce(call: Call) -> Arrays:
    """Statistics over labelled positions are taken over those that are left."""
    source = call.args[0]
    rank = len(source.shape)
    position, name = (2, "dim") if _name(call) == "linalg_vector_norm" else (1, "dim")
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
    return _only(call, source, lambda dims: dim not in dims or dims == {dim}, f"normalised in {call.where}")


POOLS = (
    "max_pool1d max_pool2d max_pool3d avg_pool1d avg_pool2d avg_pool3d adaptive_avg_pool1d adaptive_avg_pool2d "
    "adaptive_avg_pool3d adaptive_max_pool1d adaptive_max_pool2d lp_pool2d upsample_nearest2d upsample_bilinear2d "
    "upsample_bicubic2d upsample_nearest1d _adaptive_avg_pool2d max_pool2d_with_indices"
).split()


@rule(*POOLS)
def pool(call: Call) -> Any:
    source = call.args[0]
    arrays = _only(call, source, lambda dims: dims == {1}, f"pooled along a labelled dimension in {call.where}")
    return arrays if isinstance(call.out, Tensor) else [arrays for _ in call.out]
