"""Weights that read something that was cut, and could therefore be fitted again."""

from torch import fx, nn

from ..graph.analysed import Analysed
from ..graph.nodes import op_name
from ..graph.rules.movement import MOVES, SAME
from ..values.profile import Masks
from .contractions import attribute

# operators after which a parameter is no factor of a product
JOINED = ("add", "add_", "sub", "cat", "stack", "embedding", "index", "index_select", "where")


def lost_weights(model: Analysed, masks: Masks, small: fx.GraphModule) -> list[str]:
    """Return the weights of layers that read something that was cut, or lost single weights.

    What is only added or joined, such as a class token, and tables that are looked up multiply nothing, so
    there is nothing to fit.
    """
    lost = [
        slot.tensor
        for group in model.profile.groups
        if group.name in masks.channels
        for slot in group.slots
        if not slot.producer
    ]
    lost += [model.profile.prunable_layers[layer].weight for layer in masks.weights]
    sizes = dict(small.named_parameters(remove_duplicate=False))
    multiplied = _multiplied(small)
    return [
        name
        for name in dict.fromkeys(lost)
        if name in sizes and sizes[name].dim() > 1 and id(sizes[name]) in multiplied
    ]


def _multiplied(small: fx.GraphModule) -> set[int]:
    """Return the ids of the parameters that some node multiplies with."""
    multiplied: set[int] = set()
    for node in small.graph.nodes:
        if node.op == "call_module":
            module = small.get_submodule(str(node.target))
            if not isinstance(module, nn.Embedding):
                multiplied.update(id(p) for p in module.parameters())
        elif node.op == "get_attr" and _is_multiplied(node):
            multiplied.add(id(attribute(small, str(node.target))))
    return multiplied


def _is_multiplied(node: fx.Node) -> bool:
    """Whether a node's value is more than moved, joined or added before something else reads it."""
    for user in node.users:
        name = op_name(user.target)
        if name in JOINED or (name in (*MOVES, *SAME) and not _is_multiplied(user)):
            continue
        return True
    return False
