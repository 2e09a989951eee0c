"""Finds the layers of a smaller model that can be solved for: those that multiply their inputs with a whole
weight.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from torch import fx, nn

from ..graph.nodes import op_name
from .columns import ProductForm, same_padding, transposed_padding

CONVS = nn.modules.conv._ConvNd
PRODUCTS = ("mm", "matmul", "addmm")


@dataclass(frozen=True)
class Contraction:
    """One node that multiplies.

    Args:
        node: its name.
        source: the name of the node that it reads.
        weight, bias: dotted names of its parameters; bias None if it has none of its own.
        form: how it reads its inputs.
    """

    node: str
    source: str
    weight: str
    bias: str | None
    form: ProductForm


def contractions(model: fx.GraphModule) -> tuple[Contraction, ...]:
    """Return the contractions in the order of the graph, without those whose weight is also read in another
    way.
    """
    every = [found for node in model.graph.nodes if (found := _contraction(model, node)) is not None]
    reads = _reads(model)
    own = Counter(id(model.get_parameter(one.weight)) for one in every)
    sharing: dict[int, set[int]] = {}
    for one in every:
        if one.bias:
            sharing.setdefault(id(model.get_parameter(one.bias)), set()).add(
                id(model.get_parameter(one.weight))
            )

    def has_own_bias(one: Contraction) -> bool:
        return one.bias is not None and len(sharing[id(model.get_parameter(one.bias))]) == 1

    return tuple(
        one if has_own_bias(one) or not one.bias else _without_bias(one)
        for one in every
        if reads[id(model.get_parameter(one.weight))] == own[id(model.get_parameter(one.weight))]
    )


def _without_bias(one: Contraction) -> Contraction:
    return Contraction(one.node, one.source, one.weight, None, one.form)


def _reads(model: fx.GraphModule) -> Counter[int]:
    """Return, for the id of each parameter, how many nodes read it."""
    reads: Counter[int] = Counter()
    for node in model.graph.nodes:
        if node.op == "call_module":
            reads.update(id(p) for p in model.get_submodule(str(node.target)).parameters())
        elif node.op == "get_attr":
            tensor = attribute(model, str(node.target))
            reads.update({id(tensor): len(node.users)})
    return reads


def attribute(model: nn.Module, name: str) -> Any:
    """Return what is at a dotted name."""
    for part in name.split("."):
        model = getattr(model, part)
    return model


def _contraction(model: fx.GraphModule, node: fx.Node) -> Contraction | None:
    if node.op == "call_module":
        return _of_module(node, model.get_submodule(str(node.target)))
    if node.op == "call_function":
        return _of_operator(model, node)
    return None


def _of_module(node: fx.Node, module: nn.Module) -> Contraction | None:
    source, name = node.args[0], str(node.target)
    if isinstance(module, nn.Linear):
        form = ProductForm("linear")
    elif isinstance(module, CONVS):
        padding = module.padding if isinstance(module.padding, str) else tuple(module.padding)
        extra = tuple(module.output_padding)
        steps = _Steps(tuple(module.stride), padding, tuple(module.dilation), module.groups, extra)
        form = _form(tuple(module.kernel_size), steps, module.transposed)
    else:
        return None
    if not isinstance(source, fx.Node):
        return None
    return Contraction(
        node.name, source.name, f"{name}.weight", f"{name}.bias" if module.bias is not None else None, form
    )


@dataclass(frozen=True)
class _Steps:
    stride: tuple[int, ...]
    padding: tuple[int, ...] | str
    dilation: tuple[int, ...]
    groups: int
    extra: tuple[int, ...]


def _form(kernel: tuple[int, ...], steps: _Steps, transposed: bool) -> ProductForm:
    if isinstance(steps.padding, str):
        zero = tuple((0, 0) for _ in kernel)
        pairs = same_padding(kernel, steps.dilation) if steps.padding == "same" else zero
    elif transposed:
        pairs = transposed_padding(kernel, steps.padding, steps.dilation, steps.extra)
    else:
        pairs = tuple((p, p) for p in steps.padding)
    kind = "transposed" if transposed else "conv"
    return ProductForm(kind, kernel, steps.stride, pairs, steps.dilation, steps.groups)  # type: ignore[arg-type]


def _of_operator(model: fx.GraphModule, node: fx.Node) -> Contraction | None:
    """Return the contraction of an operator that reads a parameter directly."""
    name, args = op_name(node.target), node.args
    if name in PRODUCTS and not node.kwargs:
        source, weight = args[-2:]
        bias, form = (args[0] if name == "addmm" else None), ProductForm("matrix")
    elif name == "linear" and not node.kwargs:
        source, weight, bias, form = args[0], args[1], _at(args, 2), ProductForm("linear")
    elif name in OPERATORS and not node.kwargs:
        source, weight, bias = args[0], args[1], _at(args, 2)
        shape = _shape(model, weight)
        if shape is None or any(isinstance(a, fx.Node) for a in args[3:]):
            return None
        form = _form(tuple(shape[2:]), _steps(name, args[3:], len(shape) - 2), "transpose" in name)
    else:
        return None
    matrix = _shape(model, weight)
    plain = bias is None or (_shape(model, bias) is not None)
    if not isinstance(source, fx.Node) or matrix is None or not plain:
        return None
    if form.kind in ("linear", "matrix") and len(matrix) != 2:
        return None
    assert isinstance(weight, fx.Node)
    return Contraction(
        node.name,
        source.name,
        str(weight.target),
        str(bias.target) if isinstance(bias, fx.Node) else None,
        form,
    )


OPERATORS = tuple(f"conv{turned}{n}d" for turned in ("", "_transpose") for n in (1, 2, 3))


def _at(values: Any, index: int, default: Any = None) -> Any:
    return values[index] if len(values) > index else default


def _steps(name: str, values: Any, spatial: int) -> _Steps:
    """Return the numbers of an operator, whose order differs between the two kinds of convolution."""

    def wide(index, default):
        value = _at(values, index, default)
        if isinstance(value, str):
            return value
        many = [value] if isinstance(value, int) else list(value)
        return tuple(many * spatial if len(many) == 1 else many)

    if "transpose" in name:
        return _Steps(wide(0, 1), wide(1, 0), wide(4, 1), _at(values, 3, 1), wide(2, 0))
    return _Steps(wide(0, 1), wide(1, 0), wide(2, 1), _at(values, 3, 1), (0,) * spatial)


def _shape(model: fx.GraphModule, node: Any) -> tuple[int, ...] | None:
    """Return the shape of a parameter; None for anything else."""
    if not isinstance(node, fx.Node) or node.op != "get_attr":
        return None
    tensor = attribute(model, str(node.target))
    return tuple(tensor.shape) if isinstance(tensor, nn.Parameter) else None
