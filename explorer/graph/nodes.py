"""Names of nodes of the exported graph: the operator, the module, and the layer that owns its tensors."""

import re
from typing import Any

from torch import fx

PARTS = re.compile(r"(\.parametrizations\.weight\.original\d?|\.weight_[vg]|\.weight_orig)$")
WHOLE = "the model"  # where nodes at the top were traced
WHERE = "where"  # in a node's meta: the module in which it was traced
IGNORED = ("_assert_tensor_metadata", "_assert_scalar", "sym_constrain_range_for_size")


def layer_of(tensor: str) -> str:
    """Return the layer that a parameter belongs to: the module whose weight or bias it is, also in parts;
    otherwise the tensor itself.

    >>> names = "weight", "parametrizations.weight.original1", "weight_v", "scale"
    >>> [layer_of(f"a.{name}") for name in names]
    ['a', 'a', 'a', 'a.scale']
    """
    layer, _, rest = PARTS.sub(".weight", tensor).rpartition(".")
    return layer if layer and rest in ("weight", "bias") else tensor


def op_name(target: Any) -> str:
    """Return the name of an aten operator without its overload, such as "conv2d"; "" for anything else."""
    packet = getattr(target, "overloadpacket", None)
    return packet.__name__ if packet is not None else ""


def is_of_func(target: Any) -> bool:
    """Whether it is a step of torch.func, such as vmap, which changes the process while it runs."""
    return "_functorch" in str(getattr(target, "__module__", ""))


def where(node: fx.Node) -> str:
    """Return the dotted name of the module in which a node was traced, "the model" at the top."""
    if WHERE in node.meta:
        return str(node.meta[WHERE])
    stack = node.meta.get("nn_module_stack") or {}
    paths = [str(path) for path, _ in stack.values()]
    path = paths[-1] if paths else ""
    return path.removeprefix("L['self'].").removeprefix("L__self___") or WHOLE
