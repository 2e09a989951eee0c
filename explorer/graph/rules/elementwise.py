"""Operators that combine values element by element: their labels are tied."""

from collections.abc import Sequence

from torch import Tensor

from ..labels import Labelled, Ties, compressed, lifted, varying
from .call import RULES, Arrays, Call, labelled, name_of, rule


def meet(ties: Ties, operands: Sequence[Labelled], why: str) -> Arrays:
    """Tie the labels of operands that are combined element by element; return the labels of the result."""
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
                        ties.missing.append(
                            (array, frozenset(needed - owned), f"{why} with values that no layer produces")
                        )
            _join(ties, result, array, why)
    return tuple(result)


def _join(ties: Ties, result: list[Tensor], array: Tensor, why: str) -> None:
    """Tie an array with those of the result that vary along one of its dimensions; the result keeps the most
    informative one.
    """
    for position, present in enumerate(result):
        ours, theirs = varying(array), varying(present)
        if not ours & theirs:
            continue
        if theirs < ours:
            ties.nest(array, present, why)
        elif ours < theirs:
            return ties.nest(present, array, why)
        else:  # if neither is more informative, only what they share distinguishes units
            result[position] = ties.tie_along(present, theirs - ours) if theirs - ours else present
            array = ties.tie_along(array, ours - theirs) if ours - theirs else array
            ties.tie(result[position], array, "" if present is array else why)
            if ties.says_more(array, result[position]):
                result[position] = array
            return None
    result[:] = [*(present for present in result if not varying(present) < varying(array)), array]
    return None


def pointwise(call: Call) -> Arrays:
    """Handle elementwise ops, found by their tag."""
    operands = labelled([call.args, call.kwargs])
    if len(operands) == 1:
        return operands[0].arrays
    verb = {"add": "added together", "mul": "multiplied together", "sub": "subtracted"}
    return meet(call.ties, operands, f"{verb.get(name_of(call), 'combined')} in {call.where}")


UNTAGGED = (
    "hardswish hardsigmoid hardtanh relu6 leaky_relu elu selu celu silu mish gelu softplus log_sigmoid rrelu "
    "threshold copy where complex polar rsub masked_fill __and __or "
    "bernoulli uniform normal exponential cauchy log_normal geometric random"
).split()
RULES.update(dict.fromkeys(UNTAGGED, pointwise))


@rule("prelu")
def prelu(call: Call) -> Arrays:
    """Handle one slope for all channels, or one per channel."""
    source, slope = call.args[0], call.args[1]
    if slope.shape == (1,):
        return source.arrays
    shape = tuple(-1 if d == 1 else 1 for d in range(len(source.shape)))
    lifted_slope = Labelled(slope.meta.reshape(shape), tuple(a.reshape(shape) for a in slope.arrays))
    return meet(call.ties, [source, lifted_slope], f"scaled in {call.where}")


@rule("glu")
def glu(call: Call) -> Arrays:
    """Handle the first half of a dimension, gated by the second."""
    source, dim = call.args[0], call.arg(1, "dim", -1) % len(call.args[0].shape)
    size = source.shape[dim] // 2
    arrays = [source.expanded(a) for a in source.arrays]

    def cut(x, start):
        return x.narrow(dim, start, size)

    halves = [
        Labelled(cut(source.meta, start), compressed([cut(a, start) for a in arrays])) for start in (0, size)
    ]
    call.ties.pieces.extend(array.unique() for half in halves for array in half.arrays)  # each keeps one
    return meet(call.ties, halves, f"gated in {call.where}")
