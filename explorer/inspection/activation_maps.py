"""What a model sees in one sample: the activation of each channel of a layer, and where each attention head
looks.
"""

import math
from typing import Any

import torch
from torch import Tensor, fx

from ..graph.analysed import Analysed
from ..graph.nodes import op_name, where
from ..graph.running import GraphRun, fixed_batch, tensors_of
from ..signals.watching import silent, watch
from ..values.profile import HEAD, Group, Layer


def activation_maps(model: Analysed, layer: Layer, sample: Tensor) -> Tensor | None:
    """Return (out, height, width) activations after the norm and the activation function that follow a layer;
    None if it has no maps.

    Args:
        sample: one input as the model reads it, (*shape) float.
    """
    maps: list[Tensor] = []

    def on_activation(name: str, values: Tensor) -> None:
        if name == layer.name and values.dim() == 4 and not maps:
            maps.append(values[0].detach().cpu().float())

    watched = watch(model)
    with torch.no_grad():
        watched.run(_batch(sample, watched.batch), silent, on_activation)
    return maps[0] if maps else None


def _batch(sample: Tensor, size: int | None) -> Tensor:
    return sample[None].repeat(size or 1, *(1,) * sample.dim())


class _Attentive(GraphRun):
    """Records the attention of one module: softmax(q k / sqrt(d)), as the fused operator computes it
    inside.
    """

    def __init__(self, program: torch.export.ExportedProgram, module: str):
        super().__init__(program, "cpu")
        self.attended = module
        self.attention: Tensor | None = None

    def run_node(self, node: fx.Node) -> Any:
        if op_name(node.target) == "scaled_dot_product_attention" and self.attended.startswith(
            where(node) + "."
        ):
            given: Any = dict(
                zip(("query", "key", "value", "attn_mask", "dropout_p", "is_causal"), node.args, strict=False)
            )
            given |= node.kwargs
            if given.get("attn_mask") is None and not given.get("is_causal"):
                query, key = self.env[given["query"]], self.env[given["key"]]
                scale = given.get("scale") or 1 / math.sqrt(query.shape[-1])
                self.attention = (query @ key.transpose(-2, -1) * scale).softmax(-1)
        return super().run_node(node)


def head_maps(model: Analysed, group: Group, sample: Tensor) -> Tensor | None:
    """Return (heads, height, width): how much attention each patch of a square grid gets from each head,
    averaged over all queries.

    Tokens before the patches, such as a class token, are left out. None if the attention is not available: it
    has a mask, is not computed by torch's operator, works window by window, or its tokens do not form a
    square.
    """
    if model.graph.program is None or group.unit != HEAD:
        return None
    runner = _Attentive(model.graph.program, group.name)
    inputs = _batch(sample, fixed_batch(model.graph.program))
    with torch.no_grad():
        runner.logits(tensors_of(model.subject, model.graph.program, "cpu"), inputs)
    if (
        runner.attention is None
        or runner.attention.dim() != 4
        or runner.attention.shape[:2] != (len(inputs), group.units)
    ):
        return None
    attention = runner.attention[0].mean(1)  # (heads, tokens)
    side = math.isqrt(attention.shape[1])
    return (
        attention[:, attention.shape[1] - side * side :].reshape(len(attention), side, side)
        if side > 1
        else None
    )


def filter_images(weight: Tensor) -> Tensor | None:
    """Return (out, height, width) grey or (out, height, width, 3) colour, 0 to 1, zero in the middle; None if
    they cannot be shown.

    Args:
        weight: (out, 1 or 3, height, width) of a layer that reads pictures.
    """
    if weight.dim() != 4 or weight.shape[1] not in (1, 3) or max(weight.shape[2:]) < 3:
        return None
    values = weight.detach().float()
    largest = values.abs().flatten(1).amax(1).clamp(min=1e-12).view(-1, 1, 1, 1)
    images = (values / largest / 2 + 0.5).cpu()
    return images[:, 0] if weight.shape[1] == 1 else images.permute(0, 2, 3, 1)
