"""Turns operators of the graph back into nn modules under their original names, in any width."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, fx, nn

from ..graph.nodes import op_name

NORMS = {3: nn.BatchNorm1d, 2: nn.BatchNorm1d, 4: nn.BatchNorm2d, 5: nn.BatchNorm3d}
CONVS = {
    "conv1d": nn.Conv1d,
    "conv2d": nn.Conv2d,
    "conv3d": nn.Conv3d,
    "conv_transpose1d": nn.ConvTranspose1d,
    "conv_transpose2d": nn.ConvTranspose2d,
    "conv_transpose3d": nn.ConvTranspose3d,
}
LAYERS = (*CONVS, "linear", "batch_norm", "layer_norm", "group_norm", "embedding")
DROPOUTS = {"dropout": nn.Dropout, "feature_dropout": nn.Dropout2d, "alpha_dropout": nn.AlphaDropout}
WHOLE_CHANNELS = {3: nn.Dropout1d, 4: nn.Dropout2d, 5: nn.Dropout3d}  # by the rank of their input


# --------------------------------------------------------------------------- whose module


def weight_position(name: str) -> int:
    """Return the position of the weight among an operator's arguments."""
    return 0 if name == "embedding" else 2 if name in ("layer_norm", "group_norm") else 1


def module_name(node: fx.Node, names: Mapping[str, str], model: nn.Module) -> str | None:
    """Return the module whose weight and bias (and statistics) are the arguments of this node, all under
    their usual names.

    Args:
        names: placeholder of the graph -> name of its tensor.
    """
    name = op_name(node.target)
    if name not in LAYERS or not _plain(node):
        return None
    weight = weight_position(name)
    leaves = {weight: "weight", **({} if name == "embedding" else {weight + 1: "bias"})}
    leaves |= {3: "running_mean", 4: "running_var"} if name == "batch_norm" else {}
    prefixes = {
        _prefix(node.args[position], leaf, names)
        for position, leaf in leaves.items()
        if len(node.args) > position and node.args[position] is not None
    }
    if len(prefixes) != 1 or (
        name == "batch_norm" and (len(node.args) < 5 or node.args[3] is None or node.args[5])
    ):
        return None
    prefix = prefixes.pop()
    if prefix is None:
        return None
    original = model.get_submodule(prefix)
    bias = len(node.args) > weight + 1 and node.args[weight + 1] is not None
    same = bias == (getattr(original, "bias", None) is not None) or name == "embedding"
    return prefix if same and getattr(original, "weight", None) is not None else None


def _prefix(value: Any, leaf: str, names: Mapping[str, str]) -> str | None:
    full = names.get(value.name, "") if isinstance(value, fx.Node) else ""
    return full.removesuffix(f".{leaf}") if full.endswith(f".{leaf}") else None


def _plain(node: fx.Node) -> bool:
    """Whether it takes only numbers besides tensors, so that a module can store them."""
    others = [*(a for a in node.args if not isinstance(a, fx.Node)), *node.kwargs.values()]
    return all(isinstance(a, int | float | bool | list | tuple | str | None) for a in others)


# --------------------------------------------------------------------------- in full width


def template(
    node: fx.Node, prefix: str, shapes: Mapping[str, tuple[int, ...]], rank: int, model: nn.Module
) -> nn.Module:
    """Return the module that does the same as a node, without memory for its tensors.

    Args:
        shapes: of every tensor of the model.
        rank: of the value that the node reads.
    """
    shape, bias = shapes[f"{prefix}.weight"], f"{prefix}.bias" in shapes
    name, args = op_name(node.target), node.args
    with torch.device("meta"):
        if name in CONVS:
            return _conv(name, args[3:], shape, bias)
        return _MAKERS[name](args, shape, bias, rank, model.get_submodule(prefix))


def _batch_norm(args: Any, shape: tuple[int, ...], bias: bool, rank: int, original: nn.Module) -> nn.Module:
    return NORMS[rank](shape[0], eps=args[7], momentum=getattr(original, "momentum", args[6]))


def _embedding(args: Any, shape: tuple[int, ...], bias: bool, rank: int, original: nn.Module) -> nn.Module:
    return nn.Embedding(shape[0], shape[1], padding_idx=args[2] if len(args) > 2 and args[2] != -1 else None)


def _group_norm(args: Any, shape: tuple[int, ...], bias: bool, rank: int, original: nn.Module) -> nn.Module:
    return nn.GroupNorm(args[1], shape[0], eps=args[4] if len(args) > 4 else 1e-5)


def _layer_norm(args: Any, shape: tuple[int, ...], bias: bool, rank: int, original: nn.Module) -> nn.Module:
    return nn.LayerNorm(shape, eps=args[4] if len(args) > 4 else 1e-5, bias=bias)


def _linear(args: Any, shape: tuple[int, ...], bias: bool, rank: int, original: nn.Module) -> nn.Module:
    return nn.Linear(shape[1], shape[0], bias=bias)


_MAKERS: dict[str, Callable[[Any, tuple[int, ...], bool, int, nn.Module], nn.Module]] = {
    "batch_norm": _batch_norm,
    "embedding": _embedding,
    "group_norm": _group_norm,
    "layer_norm": _layer_norm,
    "linear": _linear,
}


def _conv(name: str, values: Any, shape: tuple[int, ...], bias: bool) -> nn.Module:
    spatial = len(shape) - 2

    def at(i, default):
        return _wide(values[i] if len(values) > i else default, spatial)

    if name.startswith("conv_transpose"):
        groups = values[3] if len(values) > 3 else 1
        return CONVS[name](
            shape[0],
            shape[1] * groups,
            shape[2:],
            at(0, [1]),
            at(1, [0]),
            at(2, [0]),
            groups,
            bias,
            at(4, [1]),
        )
    groups = values[3] if len(values) > 3 else 1
    return CONVS[name](
        shape[1] * groups, shape[0], shape[2:], at(0, [1]), at(1, [0]), at(2, [1]), groups, bias
    )


def _wide(value: Any, spatial: int) -> Any:
    if isinstance(value, str):
        return value
    values = [value] if isinstance(value, int) else list(value)
    return tuple(values * spatial if len(values) == 1 else values)


# --------------------------------------------------------------------------- in the width that is left


def filled(full: nn.Module, prefix: str, tensors: Mapping[str, Tensor], groups: int | None) -> nn.Module:
    """Return a module with the options of a template and its own tensors, as wide as those.

    Args:
        groups: of a convolution or a group norm, after the cut; None for anything else.
    """
    module = type(full).__new__(type(full))
    nn.Module.__init__(module)  # empty tables of parameters, buffers, children and hooks
    module.__dict__.update({key: value for key, value in full.__dict__.items() if key not in module.__dict__})
    for leaf in full._parameters:
        module.register_parameter(leaf, tensors.get(f"{prefix}.{leaf}"))  # type: ignore[arg-type]
    for leaf in full._buffers:
        module.register_buffer(leaf, tensors.get(f"{prefix}.{leaf}"))
    if full._parameters:  # dropout has none
        module.__dict__.update(_widths(module, groups))
    return module


def _widths(module: Any, groups: int | None) -> dict[str, Any]:
    """Set the attributes of a module that repeat what its weight's shape says."""
    shape = tuple(module.weight.shape)
    if isinstance(module, nn.modules.conv._ConvNd):
        assert groups is not None
        first, second = (
            (shape[1] * groups, shape[0]) if not module.transposed else (shape[0], shape[1] * groups)
        )
        return {"in_channels": first, "out_channels": second, "groups": groups}
    if isinstance(module, nn.Linear):
        return {"in_features": shape[1], "out_features": shape[0]}
    if isinstance(module, nn.Embedding):
        return {"num_embeddings": shape[0], "embedding_dim": shape[1]}
    if isinstance(module, nn.LayerNorm):
        return {"normalized_shape": shape}
    if isinstance(module, nn.GroupNorm):
        return {"num_channels": shape[0], "num_groups": groups}
    return {"num_features": shape[0]}
