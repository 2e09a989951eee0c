"""Finds where in a graph the activation of a layer is: after the norm and the activation function that follow
it.
"""

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import fx

from ..graph.coupling import is_pointwise
from ..graph.nodes import op_name
from ..graph.program import Shaped, output_of

NORMS = ("batch_norm", "layer_norm", "group_norm", "instance_norm", "rms_norm")
# in eval mode these return their input
UNCHANGED = (
    "dropout",
    "feature_dropout",
    "alpha_dropout",
    "contiguous",
    "clone",
    "to",
    "_to_copy",
    "detach",
    "alias",
)
UNTAGGED = ("hardswish", "prelu", "log_sigmoid")  # activation functions that torch doesn't tag as pointwise


@dataclass(frozen=True)
class Site:
    """Where the activation of a layer is: its channels are `count` positions from `start` along a dimension
    of a node.
    """

    layer: str
    node: fx.Node
    dim: int
    start: int
    count: int


def site_of(layer: str, node: fx.Node) -> Site:
    """Follow a layer's output through norms, additions and concatenations up to its activation function."""
    shape = output_of(node).shape
    dim = 1 if _name(node).startswith("conv") else len(shape) - 1
    site = Site(layer, node, dim, 0, int(shape[dim]))
    while True:
        steps = [step for user in site.node.users if (step := _step(site, user)) is not None]
        if not steps:
            return site
        site = steps[0]
        if _is_activation(site.node):
            return site


def _step(site: Site, user: fx.Node) -> Site | None:
    """Return the site one node further, if that node keeps channels apart and in place."""
    value, before = output_of(user), output_of(site.node)
    if not isinstance(value, Shaped) or value.dim() != before.dim():
        return None
    if _name(user) == "cat":
        args: Any = user.args
        tensors, dim = list(args[0]), (args[1] if len(args) > 1 else 0) % value.dim()
        start = sum(int(output_of(t).shape[dim]) for t in tensors[: tensors.index(site.node)])
        return replace(site, node=user, start=site.start + start) if dim == site.dim else None
    same = value.shape[site.dim] == before.shape[site.dim]
    return replace(site, node=user) if same and _follows(user, site.node) else None


def _name(node: fx.Node) -> str:
    return op_name(node.target).rstrip("_")


def _follows(user: fx.Node, node: fx.Node) -> bool:
    if _name(user) in NORMS:
        return user.args[0] is node
    known = _name(user) in (*UNCHANGED, *UNTAGGED)
    return known or (isinstance(user.target, torch._ops.OpOverload) and is_pointwise(user.target))


def _is_activation(node: fx.Node) -> bool:
    tensors = [n for n in node.all_input_nodes if isinstance(output_of(n), Shaped)]
    alone = len(tensors) == 1 and _name(node) not in (*NORMS, *UNCHANGED, "cat")
    return alone or _name(node) in UNTAGGED
