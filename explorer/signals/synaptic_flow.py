"""SynFlow: send ones through the absolute weights, remove a few of those with the least flow, and repeat
(arXiv:2006.05467).

Data-free, in float64. Norms count as the scale that they apply in eval mode; shifts, biases and free
parameters as zero, so that all output has come through weights.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, fx

from ..errors import ExplorerError
from ..graph.analysed import Analysed
from ..graph.nodes import op_name
from ..graph.running import GraphRun, fixed_batch, tensors_of
from ..values.progress import Step, Work, reached
from .activation_sites import NORMS
from .lowest import lowest_of

ROUNDS = 100
LAST_DENSITY = 1e-3  # of the weights that the last round leaves, but at least one per layer


def flow_orders(model: Analysed, device: str = "cpu") -> Work[Mapping[str, Mapping[str, Tensor]]]:
    """Yield Progress after each round, and at the end flow_order of each layer's weight: the round in which
    it is removed, then its rank in that round.

    One order for the whole model, so that its lowest part is what SynFlow removes at that sparsity.

    Raises:
        ExplorerError: the model has no graph, or the flow leaves the range of float64.
    """
    if model.graph.program is None:
        raise ExplorerError(
            "synflow follows the model's graph, which this model does not have; choose a criterion such as "
            "l1."
        )
    flow = _Flow(model, device)
    alive = torch.ones(sum(flow.sizes), dtype=torch.bool, device=device)
    order = torch.zeros(len(alive), dtype=torch.float64, device=device)
    last = max(LAST_DENSITY, len(flow.sizes) / len(alive))
    for round_ in range(ROUNDS):
        scores = flow.scores(alive)
        left = round(len(alive) * last ** ((round_ + 1) / ROUNDS))
        leaving = _lowest(scores, alive, int(alive.sum()) - left)
        order[leaving] = round_ + torch.arange(len(leaving), device=device).double() / max(1, len(leaving))
        alive[leaving] = False
        yield reached(round_ + 1, ROUNDS, "Following the synaptic flow")
    rest = _lowest(flow.scores(alive), alive, int(alive.sum()))
    order[rest] = ROUNDS + torch.arange(len(rest), device=device).double() / len(rest)
    pieces = order.cpu().split(flow.sizes)
    yield Step(
        {
            name: {"flow_order": piece.view(w.shape)}
            for (name, w), piece in zip(flow.weights.items(), pieces, strict=True)
        }
    )


def _lowest(scores: Tensor, alive: Tensor, count: int) -> Tensor:
    """Return (count,) positions of the lowest scores among those alive, lowest first, equal ones by
    position.
    """
    candidates = alive.nonzero().flatten()
    leaving = candidates[lowest_of(scores[candidates], count)]
    return leaving[torch.argsort(scores[leaving], stable=True)]


class _Flow:
    """The linear stand-in for the model: magnitudes instead of weights, scales instead of norms."""

    def __init__(self, model: Analysed, device: str):
        assert model.graph.program is not None
        self.run = _FlowRun(model.graph.program, device)
        own = tensors_of(model.subject, model.graph.program, device)
        layers = model.profile.prunable_layers
        scales = {
            t for la in model.profile.layers if la.kind == "norm" for t in (la.name, f"{la.name}.weight")
        }
        parameters = {name for name, _ in model.subject.model.named_parameters(remove_duplicate=False)}
        self.tensors = {
            name: _stand_in(tensor, name in scales, name in parameters) for name, tensor in own.items()
        }
        self.weights = {name: own[layer.weight].double().abs() for name, layer in layers.items()}
        self.names = {name: layer.weight for name, layer in layers.items()}
        self.sizes = [w.numel() for w in self.weights.values()]
        example = model.subject.example[: fixed_batch(model.graph.program) or 1].to(device)
        self.inputs = (
            torch.ones_like(example, dtype=torch.float64) if example.is_floating_point() else example
        )

    def scores(self, alive: Tensor) -> Tensor:
        """Return (all weights,) weight times the derivative of the sum of all outputs."""
        masks = alive.split(self.sizes)
        leaves = {
            n: (w * m.view(w.shape)).requires_grad_()
            for (n, w), m in zip(self.weights.items(), masks, strict=True)
        }
        tied = {self.names[name]: leaf for name, leaf in leaves.items()}
        with torch.enable_grad():
            arriving = self.run.logits({**self.tensors, **tied}, self.inputs).sum()
            gradients = torch.autograd.grad(arriving, list(leaves.values()), allow_unused=True)
        if not bool(torch.isfinite(arriving)):
            raise ExplorerError(
                "The synaptic flow of this model leaves the range of float64; choose another criterion."
            )
        flows = [
            (leaf.detach() * (0 if g is None else g)).flatten()
            for leaf, g in zip(leaves.values(), gradients, strict=True)
        ]
        return torch.cat(flows).abs()


def _stand_in(tensor: Tensor, scale: bool, parameter: bool) -> Tensor:
    if not tensor.is_floating_point():
        return tensor
    return (
        tensor.double().abs()
        if scale
        else torch.zeros_like(tensor, dtype=torch.float64)
        if parameter
        else tensor.double()
    )


class _FlowRun(GraphRun):
    """The graph in float64, norms as scales."""

    def call_function(self, target: Any, args: Any, kwargs: Any) -> Any:
        if op_name(target) in NORMS:
            return _scaled(op_name(target), args)

        def wide(value):
            return torch.float64 if isinstance(value, torch.dtype) and value.is_floating_point else value

        found = super().call_function(
            target, fx.node.map_aggregate(args, wide), fx.node.map_aggregate(kwargs, wide)
        )
        return found.double() if isinstance(found, Tensor) and found.dtype == torch.float32 else found


def _scaled(name: str, args: Any) -> Tensor:
    """Return the input times the norm's scale; batch norms also divide by their running deviation."""
    values, scale = args[0], args[1 if name in ("batch_norm", "instance_norm") else 2]
    if name == "batch_norm" and args[4] is not None:  # otherwise it has no statistics
        gain = (args[4] + args[7]).rsqrt()
        scale = gain if scale is None else scale * gain
    if scale is None:
        return values
    by_channel = name in ("batch_norm", "instance_norm", "group_norm")
    return values * (scale.view(1, -1, *(1,) * (values.dim() - 2)) if by_channel else scale)
