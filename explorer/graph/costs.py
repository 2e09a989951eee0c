"""The layers of a model with their parameters and multiply-adds."""

from collections.abc import Mapping, Sequence
from math import prod

from torch import Tensor, nn

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
    "einsum": "linear",
    "bilinear": "linear",
    "lstm": "recurrent",
    "gru": "recurrent",
    "rnn_": "recurrent",
}
RATED = ("conv", "linear", "embedding")
MATRICES = ("recurrent", "attention")  # modules that have several, each rated by itself
MODULES = {
    nn.modules.conv._ConvNd: "conv",
    nn.Linear: "linear",
    nn.Bilinear: "linear",
    nn.RNNBase: "recurrent",
    nn.RNNCellBase: "recurrent",
    nn.MultiheadAttention: "attention",
    nn.Embedding: "embedding",
    nn.modules.batchnorm._NormBase: "norm",
    nn.LayerNorm: "norm",
    nn.GroupNorm: "norm",
}


def _kind(target: object) -> str:
    return next((kind for prefix, kind in KINDS.items() if op_name(target).startswith(prefix)), "other")


def layers_of_graph(model: nn.Module, walk: Walk) -> tuple[Layer, ...]:
    """Return every layer that has parameters, in the order in which the graph first uses them."""
    parameters = dict(model.named_parameters(remove_duplicate=False))
    shapes = {name: tuple(p.shape) for name, p in parameters.items()}
    rows: dict[str, dict] = {}
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
            entry = rows.setdefault(layer_of(tensor), empty)
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
            ):  # otherwise its share of the multiply-adds does not follow its shape
                macs = walk.macs.get(node.name, 0)
                shares = _shares(macs, names, shapes) if kind == "recurrent" else {first: macs}
                for tensor, share in shares.items():
                    rows[layer_of(tensor)]["macs"] += share
            # criteria read outputs along the first dimension of a weight, or along the second
            rated = weight is not None and kind in RATED and weight.dim < 2
            if weight is not None and rated and not rows[layer]["weight"]:
                rows[layer] |= {"weight": first, "kind": kind, "transposed": weight.dim != 0}
        for tensor in names if kind == "recurrent" else ():
            if len(shapes[tensor]) > 1:  # each matrix of a recurrent layer is rated by itself
                rows[layer_of(tensor)] |= {"weight": tensor}
    for entry in rows.values():
        if entry["weight"] and parameters[entry["weight"]].is_complex():
            entry["weight"] = ""  # criteria rate real numbers
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
        for name, entry in rows.items()
    )


def _shares(macs: int, names: Sequence[str], shapes: Mapping[str, tuple[int, ...]]) -> dict[str, int]:
    """Return the multiply-adds of each matrix of a recurrent layer: each is used once a step, so they follow
    its size.
    """
    sizes = {name: prod(shapes[name]) for name in names if len(shapes[name]) > 1}
    whole = sum(sizes.values())
    shares = {name: macs * size // whole for name, size in sizes.items()}
    shares[next(iter(shares))] += macs - sum(shares.values())
    return shares


def layers_of_modules(model: nn.Module) -> tuple[Layer, ...]:
    """Return the layers from the modules alone, for a model without a graph; MACs per layer are unknown and
    0.
    """
    layers: list[Layer] = []
    for name, module in model.named_modules():
        own = dict(module.named_parameters(recurse=False))
        kind = next((k for cls, k in MODULES.items() if isinstance(module, cls)), "other")
        matrices = [leaf for leaf, t in own.items() if t.dim() > 1 and not t.is_complex()]
        if kind in MATRICES and matrices:
            layers += [_of_module(name, kind, [leaf], own, leaf, False) for leaf in matrices]
            own = {leaf: tensor for leaf, tensor in own.items() if leaf not in matrices}
        if own:
            weight = "weight" if kind in RATED and "weight" in matrices else ""
            turned = kind == "embedding" or isinstance(module, nn.modules.conv._ConvTransposeNd)
            layers.append(_of_module(name, kind, list(own), own, weight, turned))
    return tuple(layers)


def _of_module(
    name: str, kind: str, leaves: list[str], own: Mapping[str, Tensor], weight: str, turned: bool
) -> Layer:
    """Return some tensors of a module as a layer; one matrix of several has its own name.

    Args:
        turned: inputs are along the first dimension of its weight.
    """
    shown = weight or ("weight" if "weight" in own else leaves[0])
    full = f"{name}.{weight}" if name else weight
    return Layer(
        full if kind in MATRICES and weight else name or "model",
        kind,
        tuple(own[shown].shape),
        sum(own[leaf].numel() for leaf in leaves),
        0,
        bool(weight),
        full if weight else "",
        0 if turned else 1,
    )
