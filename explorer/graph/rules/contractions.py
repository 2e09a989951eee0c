"""Operators that sum over products: inputs meet weights, outputs get new labels."""

from collections.abc import Sequence
from dataclasses import dataclass
from string import ascii_lowercase, ascii_uppercase

import torch
from torch import Tensor

from ..labels import Labelled, lifted, varying
from .call import Arrays, Call, only, rule, split_off
from .convolutions import along, entering_labels, whole_outputs
from .elementwise import meet
from .movement import interleaved


@rule("linear")
def linear(call: Call) -> Arrays:
    source, weight, bias = call.args[0], call.args[1], call.arg(2, "bias")
    turned = Labelled(weight.meta.t(), tuple(a.t() for a in weight.arrays), weight.parameter)
    result = contract(call, source, turned)
    out = along(weight, 0)
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
    """Multiply (..., m, k) @ (..., k, n): the inner dimensions are tied; labels on batch dimensions tie whole
    heads.
    """
    ties = call.ties
    if len(a.shape) < 2 or len(b.shape) < 2:
        return _with_vector(call, a, b)
    rank = max(len(a.shape), len(b.shape))
    left, right = [_sides(call, v, rank) for v in (a, b)]
    m, k = rank - 2, rank - 1
    inner_a, inner_b = left.matrix.get(k), right.matrix.get(m)
    if inner_a is not None or inner_b is not None:
        entering = [
            entering_labels(call, x.flatten() if x is not None else None, a.shape[-1])
            for x in (inner_a, inner_b)
        ]
        ties.tie(entering[0], entering[1])
    heads: Arrays = ()
    if left.batch or right.batch:
        both = [Labelled(v.meta[..., :1, :1], side.batch) for v, side in ((a, left), (b, right))]
        heads = meet(ties, both, f"heads of one attention in {call.where}")
    return (*heads, *(side.matrix[d] for side, d in ((left, m), (right, k)) if d in side.matrix))


def _with_vector(call: Call, a: Labelled, b: Labelled) -> Arrays:
    """Multiply with a vector: a row on the left or a column on the right, which the product does not keep."""
    row, column = len(a.shape) < 2, len(b.shape) < 2

    def as_matrix(value: Labelled, dim: int) -> Labelled:
        arrays = tuple(x.unsqueeze(dim) for x in value.arrays)
        return Labelled(value.meta.unsqueeze(dim), arrays, value.parameter)

    products = contract(call, as_matrix(a, 0) if row else a, as_matrix(b, 1) if column else b)
    gone = ({-2} if row else set()) | ({-1} if column else set())

    def without(array: Tensor) -> Tensor:
        rank = array.dim()
        return array.reshape([n for d, n in enumerate(array.shape) if d - rank not in gone])

    return tuple(without(array) for array in products)


@dataclass(frozen=True, eq=False)
class Sides:
    """The arrays of one factor of a product: by matrix dimension, and those of batch dimensions (whole
    heads).
    """

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
    """Attend over (..., heads, tokens, width): heads of query, key and value are tied as one; without heads,
    query and key share widths.
    """
    query, key, value = call.args[:3]
    mask = call.arg(3, "attn_mask")
    place = len(query.shape) - 2
    for tokens in (query, key, value) if call.arg(5, "is_causal", False) else (key, value):
        only(call, tokens, lambda dims: place not in dims, f"tokens of an attention in {call.where}")
    repeats = query.shape[-3] // key.shape[-3] if len(query.shape) > 2 else 1
    if repeats > 1:
        key, value = (_repeated(call, v, repeats) for v in (key, value))
    turned = Labelled(key.meta.transpose(-1, -2), tuple(a.transpose(-1, -2) for a in key.arrays))
    weights = contract(call, query, turned)
    shape = (*torch.broadcast_shapes(query.shape[:-2], key.shape[:-2]), query.shape[-2], key.shape[-2])
    scores = Labelled(
        torch.empty(shape, device="meta"), weights
    )  # not a product: its multiply-adds would be counted
    if isinstance(mask, Labelled):
        scores = Labelled(
            scores.meta, meet(call.ties, [scores, mask], f"heads of one attention in {call.where}")
        )
    return contract(call, scores, value)


def _repeated(call: Call, value: Labelled, repeats: int) -> Labelled:
    arrays = tuple(a.repeat_interleave(repeats, -3) if a.shape[-3] > 1 else a for a in value.arrays)
    meta, dim = value.meta.repeat_interleave(repeats, -3), len(value.shape) - 3
    return Labelled(meta, interleaved(call, arrays, tuple(meta.shape), dim, value.shape[dim]))


def spelled(equation: str, ranks: Sequence[int]) -> tuple[list[str], str]:
    """Return the letters of each operand and of the output, including what an equation may leave out: dots,
    and the output itself.

    >>> spelled("...i, ...ij", [3, 4]), spelled("b i, o i -> b o", [2, 2])
    ((['BAi', 'BAij'], 'BAj'), (['bi', 'oi'], 'bo'))
    """
    inputs, arrow, output = equation.replace(" ", "").partition("->")
    spare = [letter for letter in ascii_uppercase + ascii_lowercase if letter not in equation]

    def dots(letters, rank):
        return "".join(reversed(spare[: rank - len(letters) + 3])) if "..." in letters else ""

    whole = [
        letters.replace("...", dots(letters, rank))
        for letters, rank in zip(inputs.split(","), ranks, strict=True)
    ]
    longest = max(
        (dots(letters, rank) for letters, rank in zip(inputs.split(","), ranks, strict=True)), key=len
    )
    if not arrow:
        written = inputs.replace(",", "").replace(".", "")
        output = longest + "".join(sorted(letter for letter in set(written) if written.count(letter) == 1))
    return whole, output.replace("...", longest)


@rule("einsum")
def einsum(call: Call) -> Arrays:
    """Tie equal letters; an array that extends over letters ties whole units of the first of them."""
    operands = call.args[1]
    inputs, output = spelled(call.args[0], [len(operand.shape) for operand in operands])
    by_letter: dict[str, Tensor] = {}
    sizes: dict[str, int] = {}
    seen: dict[str, int] = {}
    for letters, operand in zip(inputs, operands, strict=True):
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

    def shape(letter):
        return tuple(sizes[letter] if x == letter else 1 for x in output)

    return tuple(labels.reshape(shape(x)) for x, labels in by_letter.items() if x in output)


@rule("bilinear")
def bilinear(call: Call) -> Arrays:
    """Apply a weight of (out, i, j) to (..., i) and (..., j): sums over products of both inputs."""
    weight, bias = whole_outputs(call, call.args[2], 0), call.arg(3, "bias")
    rank, why, others = len(call.args[0].shape), f"multiplied together in {call.where}", []
    for value, dim in zip(call.args[:2], (1, 2), strict=True):
        own, rest = split_off(call, value, rank - 1, why)
        others.append(rest)
        read = entering_labels(call, along(weight, dim), value.shape[-1])
        call.ties.tie(entering_labels(call, own[0].flatten() if own else None, value.shape[-1]), read)
    products = along(weight, 0)
    if isinstance(bias, Labelled) and products is not None:
        for array in bias.arrays:
            call.ties.tie(array.flatten(), products)
    beside = meet(call.ties, others, why)
    return beside if products is None else (*beside, lifted(products, rank))


@rule("embedding")
def embedding(call: Call) -> Arrays:
    weight, indices = whole_outputs(call, call.args[0], 1), call.args[1]
    for array in weight.arrays:
        if 0 in varying(array):
            call.ties.freeze(array, f"looked up by position in {call.where}")
    labels = along(weight, 1)
    return () if labels is None else (lifted(labels, len(indices.shape) + 1),)
