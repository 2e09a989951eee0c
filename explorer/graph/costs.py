"""Layers of a model with their parameters and multiply-adds."""

from torch import nn

from ..values.profile import Layer
from .coupling import Walk
from .nodes import layer_of, op_name

KINDS = {
    "conv": "conv",
    "linear": "linear",
    "embedding": "embedding",
    "batch_norm": "norm",
    "layer_norm": "norm",
    "group_norm": "norm",
    "instance_norm": "norm",
    "rms_norm": "norm",
    "addmm": "linear",
    "matmul": "linear",
    "mm": "linear",
}
MODULES = {
    nn.modules.conv._ConvNd: "conv",
    nn.Linear: "linear",
    nn.Embedding: "embedding",
    nn.modules.batchnorm._NormBase: "norm",
    nn.LayerNorm: "norm",
    nn.GroupNorm: "norm",
}


def _kind(target: object) -> str:
    return next((kind for prefix, kind in KINDS.items() if op_name(target).startswith(prefix)), "other")


def layers_of_graph(model: nn.Module, walk: Walk) -> tuple[Layer, ...]:
    """Every layer that holds parameters, in the order in which the graph first uses them."""
    parameters = dict(model.named_parameters(remove_duplicate=False))
    shapes = {name: tuple(p.shape) for name, p in parameters.items()}
    found: dict[str, dict] = {}
    for node in walk.program.graph.nodes:
        if node.op != "call_function":
            continue
        names = [walk.names[n.name] for n in node.all_input_nodes if n.name in walk.names]
        names = [n for n in names if n in shapes]
        weight = walk.weights.get(node.name)
        if weight is not None and weight.tensor not in names:
            names = [weight.tensor, *names]
        kind = _kind(node.target)
        for tensor in names:
            empty = {"kind": kind, "tensors": {}, "macs": 0, "weight": "", "transposed": False}
            entry = found.setdefault(layer_of(tensor), empty)
            entry["tensors"][tensor] = shapes[tensor]
        if names:
            first = (
                weight.tensor
                if weight is not None
                else max(names, key=lambda n: (len(shapes[n]), -names.index(n)))
            )
            layer = layer_of(first)
            if (
                weight is None or weight.whole
            ):  # else its share of the multiply-adds does not follow its shape
                found[layer]["macs"] += walk.macs.get(node.name, 0)
            if weight is not None and kind in ("conv", "linear", "embedding") and not found[layer]["weight"]:
                found[layer] |= {"weight": first, "kind": kind, "transposed": weight.dim != 0}
    return tuple(
        Layer(
            name=name,
            kind=entry["kind"],
            shape=shapes.get(entry["weight"], next(iter(entry["tensors"].values()))),
            params=sum(parameters[t].numel() for t in entry["tensors"]),
            macs=entry["macs"],
            prunable=bool(entry["weight"]),
            weight=entry["weight"],
            input_dim=0 if entry["transposed"] or entry["kind"] == "embedding" else 1,
        )
        for name, entry in found.items()
    )


def layers_of_modules(model: nn.Module) -> tuple[Layer, ...]:
    """The same from the modules alone, for a model without a graph; MACs per layer are not known and 0."""
    layers = []
    for name, module in model.named_modules():
        own = dict(module.named_parameters(recurse=False))
        if not own:
            continue
        kind = next((k for cls, k in MODULES.items() if isinstance(module, cls)), "other")
        weight = own.get("weight")
        prunable = weight is not None and weight.dim() >= 2 and kind in ("conv", "linear", "embedding")
        shape = tuple(weight.shape) if weight is not None else tuple(next(iter(own.values())).shape)
        turned = kind == "embedding" or isinstance(module, nn.modules.conv._ConvTransposeNd)
        full = f"{name}.weight" if name else "weight"
        layers.append(
            Layer(
                name or "model",
                kind,
                shape,
                sum(p.numel() for p in own.values()),
                0,
                prunable,
                full if prunable else "",
                0 if turned else 1,
            )
        )
    return tuple(layers)
