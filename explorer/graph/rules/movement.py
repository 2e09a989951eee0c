"""Operators that move values: executed on the labels themselves."""

from typing import Any

import torch
from torch import Tensor

from ..labels import FILL, FIXED, Labelled, compress, compressed, lifted, varying
from .call import Arrays, Call, name_of, only, rule
from .elementwise import meet

MOVES = (
    "view reshape _unsafe_view flatten unflatten permute transpose t unsqueeze squeeze slice chunk split "
    "split_with_sizes unsafe_split unsafe_chunk tensor_split expand repeat tile repeat_interleave flip "
    "movedim moveaxis narrow swapaxes swapdims pixel_shuffle pixel_unshuffle numpy_T mT adjoint mH matrix_H "
    "view_as reshape_as expand_as broadcast_to"
).split()
PIECES = "slice narrow chunk split split_with_sizes unsafe_split unsafe_chunk tensor_split".split()
SAME = (
    "contiguous clone alias detach to _to_copy type_as float double dropout alpha_dropout feature_dropout "
    "feature_alpha_dropout lift_fresh lift_fresh_copy detach_copy requires_grad_ positive "
    "zero fill resolve_conj resolve_neg real imag conj _conj conj_physical"
).split()
MADE = "zeros ones full empty rand randn new_zeros new_ones new_full new_empty".split()


@rule(*SAME)
def same(call: Call) -> Arrays:
    return call.args[0].arrays


@rule(*MOVES)
def move(call: Call) -> Any:
    """Execute the operator on the label arrays themselves."""
    source: Labelled = call.args[0]
    if name_of(call) in ("expand", "broadcast_to"):
        return _expanded(call, source)
    if name_of(call) == "expand_as":
        return _expanded_as(source, call.args[1])
    if name_of(call) == "repeat_interleave" and call.arg(2, "dim") is not None:
        return _repeated_in_place(call, source)
    if name_of(call) in ("view_as", "reshape_as"):
        return compressed([source.expanded(a).reshape(call.args[1].shape) for a in source.arrays])
    # a view of labels that do not vary along a dimension is not contiguous
    target = torch.ops.aten.reshape.default if name_of(call) in ("view", "_unsafe_view") else call.target
    moved = [target(source.expanded(a), *call.args[1:], **call.kwargs) for a in source.arrays]
    if name_of(call) == "repeat":
        moved += _copies(call, source)
    if name_of(call) in PIECES:
        parts = [part for array in moved for part in ([array] if isinstance(array, Tensor) else array)]
        call.ties.pieces.extend(
            piece.unique() for piece in compressed(parts) if piece.numel() > 1 or int(piece) >= 0
        )
    if isinstance(call.out, Labelled | Tensor):
        return _one_a_dimension(call, compressed(moved))
    return [compressed(pieces) for pieces in zip(*moved, strict=True)] if moved else [() for _ in call.out]


def _expanded(call: Call, source: Labelled) -> Arrays:
    """Give copies along a dimension their own labels, as fills do, since there can be fewer of them."""
    rank = len(call.out.shape)
    return (*(lifted(a, rank) for a in source.arrays), *_copies(call, source))


def _copies(call: Call, source: Labelled) -> list[Tensor]:
    """Return new labels for each dimension along which one value becomes several."""
    shape = tuple(call.out.shape)
    own = (1,) * (len(shape) - len(source.shape)) + source.shape
    samples = {0} if call.ties.batch == shape[0] else set()  # one copy per sample is not a channel
    copied = [dim for dim, size in enumerate(shape) if size > 1 and own[dim] == 1 and dim not in samples]
    return [call.ties.copied(shape, dim) for dim in copied]


def _repeated_in_place(call: Call, source: Labelled) -> Arrays:
    """Repeat each position of a dimension: every copy stands beside what it is a copy of."""
    dim = call.arg(2, "dim") % len(source.shape)
    moved = compressed(
        [call.target(source.expanded(a), *call.args[1:], **call.kwargs) for a in source.arrays]
    )
    return interleaved(call, moved, tuple(call.out.shape), dim, source.shape[dim])


def interleaved(call: Call, arrays: Arrays, shape: tuple[int, ...], dim: int, units: int) -> Arrays:
    """Return the labels of units that are repeated in place; in the inner walk those of the copies.

    Args:
        arrays: of the units, already repeated; shape: of the result; dim: along which they lie.
    """
    repeated = [a for a in arrays if dim in varying(a) and call.ties.is_made(a)]
    if not repeated or shape[dim] <= units:
        return arrays
    call.ties.has_copied = True
    if not call.ties.inner:
        return arrays
    repeats = shape[dim] // units
    own = call.ties.copied(tuple(repeats if d == dim else 1 for d in range(len(shape))), dim)
    tiled = own.repeat([units if d == dim else 1 for d in range(len(shape))])
    return (*_without(call, arrays, repeated), tiled)


def _without(call: Call, arrays: Arrays, left_out: list[Tensor]) -> Arrays:
    for array in left_out:
        call.ties.freeze(array, f"what is copied in {call.where}")
    return tuple(a for a in arrays if not any(a is other for other in left_out))


def _expanded_as(source: Labelled, other: Labelled) -> Arrays:
    """Copy along the size of another value, so that its labels apply to the copies."""
    rank = len(other.shape)
    own = (1,) * (rank - len(source.shape)) + source.shape
    copied = {dim for dim, size in enumerate(other.shape) if size > 1 and own[dim] == 1}
    return (
        *(lifted(a, rank) for a in source.arrays),
        *(a for a in other.arrays if varying(a) and varying(a) <= copied),
    )


def _one_a_dimension(call: Call, arrays: Arrays) -> Arrays:
    """Keep one of two kinds of channels that a reshape merges into one dimension (an outer product,
    flattened): the first can be cut; what no layer produces, such as positions, is dropped.
    """
    kept: list[Tensor] = []
    several = len(arrays) > 1
    copies = [a for a in arrays if len(varying(a)) == 1 and call.ties.is_copy(a)] if several else []
    beside = [
        a
        for a in arrays
        if any(a is not c and varying(a) & varying(c) for c in copies) and call.ties.is_made(a)
    ]
    call.ties.has_copied |= bool(beside)
    if call.ties.inner:
        arrays = _without(call, arrays, beside)
    for array in sorted(arrays, key=lambda a: several and not call.ties.is_made(a)):
        if len(varying(array)) == 1 and any(varying(other) & varying(array) for other in kept):
            call.ties.freeze(array, f"laid out along one dimension with other channels in {call.where}")
        else:
            kept.append(array)
    return tuple(kept)


@rule("channel_shuffle", "native_channel_shuffle")
def channel_shuffle(call: Call) -> Arrays:
    """Read as groups of channels and back, so a channel must be removed from every group alike."""
    source, groups = call.args[0], call.args[1]
    shuffled = []
    for array in source.arrays:
        full = source.expanded(array)
        split = full.reshape(full.shape[0], groups, full.shape[1] // groups, *full.shape[2:])
        call.ties.passing.append(compress(split))
        shuffled.append(split.transpose(1, 2).reshape(full.shape))
    return compressed(shuffled)


@rule("diagonal")
def diagonal(call: Call) -> Arrays:
    """Read two dimensions along equal positions, so none of them can be removed; they become the last
    dimension.
    """
    source: Labelled = call.args[0]
    rank = len(source.shape)
    read = {call.arg(2, "dim1", 0) % rank, call.arg(3, "dim2", 1) % rank}
    kept = only(call, source, lambda dims: not dims & read, f"read along its diagonal in {call.where}")
    return tuple(a.reshape([*(n for d, n in enumerate(a.shape) if d not in read), 1]) for a in kept)


@rule("broadcast_tensors")
def broadcast(call: Call) -> list[Arrays]:
    """Copy as often as the others are long."""
    values: list[Labelled] = call.args[0]
    return [meet(call.ties, [value, *values], f"combined in {call.where}") for value in values]


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
    """Move channels from the end to the start; what no layer makes, such as places in a picture, stays."""
    source: Labelled = call.args[0]
    dims = call.arg(2, "dims", [])
    rolled = {d % len(source.shape) for d in ([dims] if isinstance(dims, int) else dims)}
    allowed = _of_layers(call, source, rolled, f"rolled in {call.where}") if rolled else ()
    return compressed([call.target(source.expanded(a), *call.args[1:], **call.kwargs) for a in allowed])


def _of_layers(call: Call, source: Labelled, dims: set[int], why: str) -> Arrays:
    """Return the arrays that vary along other dimensions, or that a layer makes; the others are frozen."""
    kept = []
    for array in source.arrays:
        if varying(array) & dims and not call.ties.is_made(array):
            call.ties.freeze(array, why)
        else:
            kept.append(array)
    return tuple(kept)


@rule("cat", "concat", "concatenate")
def cat(call: Call) -> Arrays:
    rank = len(call.out.shape)
    dim = call.arg(1, "dim", 0) % rank
    parts: list[Labelled] = [part for part in call.args[0] if part.meta.numel()]  # an empty one adds nothing
    if not parts:
        return ()
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
        Labelled(
            p.meta.narrow(dim, 0, 1), tuple(a for a in p.arrays if dim not in varying(a) and a.numel() > 1)
        )
        for p in parts
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
    if call.arg(2, "mode", "constant") not in ("constant", 0) and isinstance(
        call.arg(2, "mode", "constant"), str
    ):
        return only(call, source, lambda dims: not dims & padded, f"padded by copies in {call.where}")
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
    read = read_positions(call.args, name_of(call))
    if read is not None:
        return _looked_up(call, source, *read)
    indexed = {d for d, i in enumerate(indices) if i is not None}
    kept = only(call, source, lambda dims: not dims & indexed, f"looked up by position in {call.where}")
    zeros = [None if i is None else torch.zeros(i.shape, dtype=torch.long) for i in indices]
    return compressed([torch.ops.aten.index.Tensor(Labelled(source.meta).expanded(a), zeros) for a in kept])


@rule("index_select")
def index_select(call: Call) -> Arrays:
    read = read_positions(call.args, name_of(call))
    if read is not None:
        return _looked_up(call, call.args[0], *read)
    dim = call.args[1] % len(call.args[0].shape)
    return only(call, call.args[0], lambda dims: dim not in dims, f"looked up by position in {call.where}")


def read_positions(args: tuple, name: str) -> tuple[int, Tensor] | None:
    """Return the one dimension that is read in an order known before, and that order; None for anything else.

    Args:
        args: of an `index` or `index_select`, as labelled values.
    """
    source, rank = args[0], len(args[0].shape)
    if name == "index_select":
        dim, order = args[1] % rank, args[2] if len(args) > 2 else None
    else:
        lists = [(d, i) for d, i in enumerate(args[1]) if i is not None]
        dim, order = lists[0] if len(lists) == 1 else (0, None)
    if order is None or order.known is None or order.known.dim() != 1 or not order.known.numel():
        return None
    return dim, order.known % source.shape[dim]


def _looked_up(call: Call, source: Labelled, dim: int, order: Tensor) -> Arrays:
    kept = _of_layers(call, source, {dim}, f"looked up by position in {call.where}")
    moved = [array.index_select(dim, order) if dim in varying(array) else array for array in kept]
    call.ties.pieces.extend(a.unique() for a, array in zip(moved, kept, strict=True) if a is not array)
    return compressed(moved)


@rule(*MADE)
def fill(call: Call) -> Arrays:
    shape = tuple(call.out.shape)
    return tuple(call.ties.fresh(shape, d) for d in range(len(shape)) if shape[d] > 1)


@rule(*(f"{kind}_like" for kind in "zeros ones full empty rand randn randint".split()))
def like(call: Call) -> Arrays:
    """Use the labels of the tensor that it is created after, so that the same channels are removed."""
    return call.args[0].arrays


@rule("arange", "linspace", "scalar_tensor", "eye", "tensor")
def constant(call: Call) -> Arrays:
    return ()
