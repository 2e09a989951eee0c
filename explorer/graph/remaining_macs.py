"""Masks -> the multiply-adds that are left, from the shapes that are left: nothing is built or run for it.

A product of two tensors takes as many multiply-adds as its shapes say. A formula is used only if it gives
what torch's counter found in the dense model, node by node; otherwise the smaller model must be counted.
"""

import weakref
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any

from torch import fx

from ..values.profile import Masks
from .blocks import nodes_without
from .export import ModelGraph
from .labels import Labelled
from .nodes import layer_of, op_name
from .running import fixed_batch
from .survivors import Survivors

Shapes = Sequence[Sequence[Any]]  # of the result, then of the tensors that an operator reads, in their order
# the multiply-adds are the sum over these lists of the product of what is in them
Formula = Callable[[Shapes], Sequence[Sequence[Any]]]


def counted(formula: Formula, shapes: Shapes) -> int:
    """Return the multiply-adds of one product.

    >>> counted(_product, [(2, 3), (2, 5), (5, 3)])
    30
    """
    return sum(map(prod, formula(shapes)))


def _product(shapes: Shapes) -> Sequence[Sequence[Any]]:
    return [[*shapes[0], shapes[1][-1]]]


def _added_product(shapes: Shapes) -> Sequence[Sequence[Any]]:
    return [[*shapes[0], shapes[2][-1]]]


def _convolution(shapes: Shapes) -> Sequence[Sequence[Any]]:
    return [[*shapes[0], *shapes[2][1:]]]


def _transposed_convolution(shapes: Shapes) -> Sequence[Sequence[Any]]:
    return [[*shapes[1], *shapes[2][1:]]]


def _attention(shapes: Shapes) -> Sequence[Sequence[Any]]:
    _, queries, keys, values = shapes[:4]
    return [[*queries, keys[-2]], [*queries[:-1], keys[-2], values[-1]]]


FORMULAS: dict[str, Formula] = {
    **dict.fromkeys(("linear", "mm", "bmm", "matmul"), _product),
    **dict.fromkeys(("addmm", "baddbmm"), _added_product),
    **dict.fromkeys(("conv1d", "conv2d", "conv3d"), _convolution),
    **dict.fromkeys(("conv_transpose1d", "conv_transpose2d", "conv_transpose3d"), _transposed_convolution),
    "scaled_dot_product_attention": _attention,
}
Products = Mapping[fx.Node, tuple[str, Formula, tuple[Labelled, ...]]]
_products: "weakref.WeakKeyDictionary[ModelGraph, Products | None]" = weakref.WeakKeyDictionary()


def remaining_macs(graph: ModelGraph, masks: Masks) -> Mapping[str, int] | None:
    """Return layer -> its multiply-adds for one sample after a cut, "" -> those that belong to no layer; None
    if they must be counted.

    Raises:
        CompactionError: what is left is not rectangular.
    """
    products = products_of(graph)
    if products is None:
        return None
    assert graph.program is not None and graph.coupling is not None
    left = Survivors(graph.coupling, masks.channels)
    gone = nodes_without(graph.program, graph.branches, masks.blocks)
    macs: dict[str, int] = {}
    for node, (layer, formula, values) in products.items():
        count = 0 if node in gone else counted(formula, [left.shape(value) for value in values])
        macs[layer] = macs.get(layer, 0) + count
    return macs


def products_of(graph: ModelGraph) -> Products | None:
    """Return the layer of each node that multiplies, its formula, and its values: the result, then what it
    reads; None if one has no formula that is right.
    """
    if graph not in _products:
        _products[graph] = _listed(graph)
    return _products[graph]


def _listed(graph: ModelGraph) -> Products | None:
    if graph.program is None or graph.coupling is None or fixed_batch(graph.program) is not None:
        return None
    macs, makers, products = graph.coupling.macs, graph.coupling.weights, {}
    for node in graph.program.graph.nodes:
        if not macs.get(node.name):
            continue
        formula, values = FORMULAS.get(op_name(node.target)), _values(node, graph.coupling.values)
        if formula is None or not node.users or len(values) < 3:
            return None
        if counted(formula, [value.shape for value in values]) != macs[node.name]:
            return None
        maker = makers.get(node.name)
        products[node] = layer_of(maker.tensor) if maker and maker.whole else "", formula, values
    found = Counter[str]()
    for node, (layer, _, _) in products.items():
        found[layer] += macs[node.name]
    known = {layer.name for layer in graph.profile.layers if layer.macs == found[layer.name]}
    return {
        node: (layer if layer in known else "", formula, values)
        for node, (layer, formula, values) in products.items()
    }


def _values(node: fx.Node, values: Mapping[str, Any]) -> tuple[Labelled, ...]:
    """Return the result of a node and the tensors that it reads; () if one of them has no labels."""
    read = [values.get(node.name), *(values.get(arg.name) for arg in node.args if isinstance(arg, fx.Node))]
    known = tuple(value for value in read if isinstance(value, Labelled))
    return known if len(known) == len(read) else ()
