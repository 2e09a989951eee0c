"""The masked reference: the dense graph with masked tensors, whose statistics are taken over kept positions
only.
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, fx

from ..graph.blocks import sums_without
from ..graph.export import ModelGraph
from ..graph.labels import Labelled
from ..graph.nodes import op_name
from ..graph.rules.matrices import FUNCTIONS
from ..graph.survivors import Survivors
from ..pruning.masks import positions
from ..values.profile import Masks
from ..values.progress import Returning
from .awake import called
from .float64_run import tensor_of, walk
from .kept_statistics import STATISTICS
from .random_draws import Draws, drawing

PRODUCTS = ("matmul", "mm", "bmm", "einsum", "scaled_dot_product_attention")


def masked_outputs(
    graph: ModelGraph, masks: Masks, state: Mapping[str, Tensor], inputs: Tensor, draws: Draws, *, awake: bool
) -> Returning[Any]:
    """Return what the dense model computes while the removed channels are silenced.

    Args:
        draws: records the random numbers that it draws.
        awake: as in `called`.
    """
    assert graph.program is not None and graph.coupling is not None
    left, numbers = Survivors(graph.coupling, masks.channels), drawing(graph.program.graph.nodes)

    sums = sums_without(graph.branches, masks.blocks)

    def call(node, args, kwargs):
        if node in sums:
            return _without_block(*args[:2])
        if node in numbers:
            return draws.record(numbers[node], node, args, kwargs, left)
        return _call(node, args, kwargs, left, awake)

    return (yield from walk(graph.program, _masked(graph, masks, state), call, inputs, "Silencing channels"))


def _without_block(*terms: Tensor) -> Tensor:
    """Return the term of a sum that reads nothing of a removed block, whose tensors are not a number here.

    If none or both read it, the block ends elsewhere, and what is not a number reaches the outputs.
    """
    whole = [term for term in terms if not bool(term.isnan().any())]
    return (whole[0] if len(whole) == 1 else terms[0] + terms[1]).clone()


def _masked(graph: ModelGraph, masks: Masks, state: Mapping[str, Tensor]) -> Callable[[str], Tensor]:
    """Return each name's tensor with zeros at removed positions, computed from the state without a full-size
    mask; tensors of removed blocks are not a number, so that whatever still reads them shows.
    """
    assert graph.program is not None
    program, kept = graph.program, positions(graph.profile, masks.channels)
    weights = {graph.profile.prunable_layers[layer].weight: mask for layer, mask in masks.weights.items()}
    gone = {name for one in graph.branches if one.block.name in masks.blocks for name in one.block.tensors}

    def read(name: str) -> Tensor:
        tensor = tensor_of(program, state, name)
        if name in gone and tensor.is_floating_point():
            return torch.full_like(tensor, torch.nan)
        if name in weights:
            tensor = tensor * weights[name]
        for dim, line in kept.get(name, {}).items():
            tensor = tensor.index_fill(dim, (~line).nonzero().flatten(), 0)
        return tensor

    return read


def _call(node: fx.Node, args: Any, kwargs: Any, left: Survivors, awake: bool) -> Any:
    target: Any = node.target
    source: Any = node.args[0] if node.args else None
    name = op_name(target).rstrip("_")
    if name in PRODUCTS:
        args = _zeroed(args, node.args, left)
    if name in STATISTICS and isinstance(source, fx.Node):
        kept = _kept_mask(args[0], left.coupling.values[source.name], left)
        if kept is not None and _takes_statistics(name, args):
            return _finite(STATISTICS[name](args, kwargs, kept), left.coupling.values.get(node.name), left)
    if (
        name == "batch_norm"
        and left.kept(left.coupling.values[source.name])
        and len(args) > 4
        and args[4] is not None
    ):
        args = (*args[:4], torch.where(args[4] == 0, torch.ones_like(args[4]), args[4]), *args[5:])
    try:
        result = called(node, args, kwargs, awake)
    except RuntimeError:  # a removed matrix is zero, which has no inverse and no factors
        kept = _kept_mask(args[0], left.coupling.values.get(source.name), left) if name in FUNCTIONS else None
        if kept is None:
            raise
        whole = torch.where(kept, args[0], torch.eye(*args[0].shape[-2:], dtype=args[0].dtype))
        result = _silent(
            called(node, (whole, *args[1:]), kwargs, awake), left.coupling.values.get(node.name), left
        )
    return _finite(result, left.coupling.values.get(node.name), left)


def _silent(found: Any, value: Any, left: Survivors) -> Any:
    """Return a value with zero at removed positions."""
    kept = _kept_mask(found, value, left) if isinstance(found, Tensor) else None
    return found if kept is None else found * kept


def _finite(result: Any, value: Any, left: Survivors) -> Any:
    """Return zero where a removed position has no value, such as 0 / 0 or the spread of no numbers, since it
    means nothing.
    """
    if isinstance(result, tuple) and isinstance(value, tuple):
        return tuple(_finite(one, its, left) for one, its in zip(result, value, strict=True))
    if not isinstance(result, Tensor) or not result.is_floating_point() or bool(result.isfinite().all()):
        return result
    kept = _kept_mask(result, value, left)
    return result if kept is None else result.masked_fill(~kept & ~result.isfinite(), 0)


def _takes_statistics(name: str, args: Any) -> bool:
    """Whether it takes statistics of its input: a norm may have its own, and the larger of two tensors is not
    a statistic.
    """
    if name == "batch_norm":
        return bool(args[5])
    return name not in ("max", "min") or len(args) < 2 or isinstance(args[1], int)


def _kept_mask(tensor: Any, value: Any, left: Survivors) -> Tensor | None:
    """Return a broadcastable bool of the kept positions of a value, or None if all are kept.

    If heads are folded into the batch, a dimension is longer than its labels. It needs no mask: such heads
    are silenced by their weights, and nothing is summed over them.
    """
    if not isinstance(value, Labelled) or not left.kept(value):
        return None
    mask = torch.ones((1,) * len(value.shape), dtype=torch.bool)
    for dim, line in left.kept(value).items():
        if len(line) != tensor.shape[dim]:
            continue
        mask = mask & line.view([-1 if d == dim else 1 for d in range(len(value.shape))])
    return mask


def _zeroed(arguments: Any, nodes: Any, left: Survivors) -> Any:
    """Return the arguments of a product, zero at removed positions; lists of tensors are included."""
    if isinstance(arguments, list | tuple):
        return type(arguments)(_zeroed(a, n, left) for a, n in zip(arguments, nodes, strict=True))
    mask = (
        _kept_mask(arguments, left.coupling.values.get(nodes.name), left)
        if isinstance(nodes, fx.Node)
        else None
    )
    return arguments if mask is None else arguments * mask
