"""Where attention heads look: the probabilities that the graph computes, or would compute, for some inputs.

A graph writes attention in one of two ways: as torch's fused operator, whose probabilities are computed again
from the query, the key and the mask that it gets, or step by step, with a softmax whose output they are.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx

from ..graph.analysed import Analysed
from ..graph.nodes import WHOLE, op_name, where
from ..graph.program import Program, Shaped, output_of
from ..graph.running import GraphRun, tensors_of
from ..values.profile import Group

FUSED = "scaled_dot_product_attention"
ARGUMENTS = ("query", "key", "value", "attn_mask", "dropout_p", "is_causal")
SOFTMAX = ("softmax", "_softmax")


@dataclass(frozen=True, eq=False)
class AttentionSite:
    """An operator of the graph that computes attention.

    Args:
        module: in which it is. heads: how many there are.
    """

    module: str
    node: fx.Node
    heads: int


def attention_sites(model: Analysed, group: Group) -> tuple[AttentionSite, ...]:
    """Return the attention that a group of heads takes part in: one operator, unless heads of several layers
    are tied; none if the graph has none that can be read.
    """
    if model.graph.program is None or not group.is_of_heads:
        return ()
    sites = list(_sites(model.graph.program))
    nearest: dict[str, AttentionSite] = {}
    for member in group.members:
        around = [site for site in sites if f"{member}.".startswith(f"{site.module}.")]
        inner = max((site.module for site in around), key=len, default=None)
        if inner is not None:
            nearest.setdefault(inner, next(site for site in around if site.module == inner))
    return tuple(nearest.values())


def _sites(program: Program) -> Iterator[AttentionSite]:
    for node in program.graph.nodes:
        name, value = op_name(node.target), output_of(node)
        if not isinstance(value, Shaped) or value.dim() != 4 or where(node) == WHOLE:
            continue
        if name == FUSED or (name in SOFTMAX and node.args[1] in (-1, 3)):
            yield AttentionSite(where(node), node, int(value.shape[1]))


def attention(model: Analysed, site: AttentionSite, inputs: Tensor) -> Tensor:
    """Return the probabilities, (samples, heads, queries, keys) float32; each row of keys sums to 1.

    Nothing behind the operator is computed.

    Args:
        inputs: as the model reads them, as many as its graph takes.
    """
    assert model.graph.program is not None
    runner = _AttentiveRun(model.graph.program, site.node)
    with torch.no_grad():
        try:
            runner.logits(tensors_of(model.subject, model.graph.program, "cpu"), inputs)
        except _Reached as reached:
            return reached.probabilities
    raise AssertionError(f"{site.node.name} did not run.")


class _Reached(Exception):
    """The probabilities are known, so the rest of the graph need not run."""

    def __init__(self, probabilities: Tensor):
        super().__init__()
        self.probabilities = probabilities


class _AttentiveRun(GraphRun):
    def __init__(self, program: Program, node: fx.Node):
        super().__init__(program, "cpu")
        self.attended = node

    def run_node(self, node: fx.Node) -> Any:
        if node is not self.attended:
            return super().run_node(node)
        if op_name(node.target) != FUSED:
            raise _Reached(super().run_node(node).float())
        args, kwargs = self.fetch_args_kwargs_from_env(node)
        raise _Reached(_probabilities(**dict(zip(ARGUMENTS, args, strict=False)), **kwargs))


def _probabilities(
    query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None = None, **options: Any
) -> Tensor:
    """Return the probabilities inside the fused operator, after the code in torch's documentation of it.

    A row whose keys are all hidden is zero.
    """
    if options.get("enable_gqa"):
        key = key.repeat_interleave(query.shape[-3] // key.shape[-3], -3)
    scale = options.get("scale")
    scores = query.float() @ key.float().transpose(-2, -1)
    scores = scores * (1 / math.sqrt(query.shape[-1]) if scale is None else scale)
    if options.get("is_causal"):
        hidden = torch.ones(scores.shape[-2:], dtype=torch.bool).triu(1)
        scores = scores.masked_fill(hidden, -math.inf)
    if attn_mask is not None:
        is_bool = attn_mask.dtype == torch.bool
        scores = scores.masked_fill(~attn_mask, -math.inf) if is_bool else scores + attn_mask
    return scores.softmax(-1).nan_to_num(0.0)


def units_of_heads(group: Group, heads: int) -> tuple[int, ...] | None:
    """Return the unit of the group that each head of the attention belongs to; None if the group does not
    say.

    It is read from where the heads' values are used, side by side, or else from where they are computed.
    """
    for slot in sorted(group.slots, key=lambda slot: slot.producer):
        size, rest = divmod(len(slot.unit_of), heads)
        pieces = [set(slot.unit_of[head * size : (head + 1) * size]) for head in range(heads)]
        if not rest and all(len(piece) == 1 and min(piece) >= 0 for piece in pieces):
            return tuple(piece.pop() for piece in pieces)
    return None
