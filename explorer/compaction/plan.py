"""The part of a compaction that is the same for every recipe of a model. Found once, so a recipe costs little
more than its tensors.
"""

import weakref
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, fx, nn

from ..graph.export import ModelGraph
from ..graph.nodes import IGNORED, op_name, where
from ..graph.program import output_of
from .modules import DROPOUTS, WHOLE_CHANNELS, module_name, template


@dataclass(frozen=True, eq=False)
class Plan:
    """How the nodes of a dense graph are copied.

    Args:
        names: placeholder of the graph -> parameter, buffer or constant.
        modules: node -> dotted name and full-width module that replaces it; nodes that share one share its
            template.
        skipped: nodes that only assert something about the dense sizes.
    """

    names: Mapping[str, str]
    modules: Mapping[fx.Node, tuple[str, nn.Module]]
    skipped: frozenset[fx.Node]


_plans: "weakref.WeakKeyDictionary[ModelGraph, Plan]" = weakref.WeakKeyDictionary()


def plan_of(model: nn.Module, graph: ModelGraph) -> Plan:
    """Return the plan of an analysed model, kept as long as its graph."""
    found = _plans.get(graph)
    if found is None:
        found = _plans[graph] = _made(model, graph)
    return found


def own_tensors(model: nn.Module, graph: ModelGraph, names: Mapping[str, str]) -> dict[str, Tensor]:
    """Return the tensors of the model and of its graph's constants by name; tied names have one tensor."""
    assert graph.program is not None
    constants = {
        name: graph.program.constants[name] for name in names.values() if name in graph.program.constants
    }
    return (
        constants
        | dict(model.named_parameters(remove_duplicate=False))
        | dict(model.named_buffers(remove_duplicate=False))
    )


def _made(model: nn.Module, graph: ModelGraph) -> Plan:
    program, coupling = graph.program, graph.coupling
    assert program is not None and coupling is not None
    names = program.tensors
    shapes = {name: tuple(tensor.shape) for name, tensor in own_tensors(model, graph, names).items()}
    modules: dict[fx.Node, tuple[str, nn.Module]] = {}
    templates: dict[str, nn.Module] = {}
    for node in program.graph.nodes:
        prefix = module_name(node, names, model) if node.op == "call_function" else None
        if prefix is not None:
            full = template(node, prefix, shapes, len(coupling.values[node.args[0].name].shape), model)
            # a module that is called in two ways (two strides) can replace only one of them
            if repr(templates.setdefault(prefix, full)) == repr(full):
                modules[node] = (prefix, templates[prefix])
        elif op_name(node.target) in DROPOUTS and not node.args[2]:  # otherwise it is random in use, too
            modules[node] = _dropout(node, model)
    return Plan(names, modules, frozenset(n for n in program.graph.nodes if op_name(n.target) in IGNORED))


def _dropout(node: fx.Node, model: nn.Module) -> tuple[str, nn.Module]:
    path = where(node)
    try:
        original: nn.Module | None = model.get_submodule(path)
    except AttributeError:
        original = None
    if not isinstance(original, nn.modules.dropout._DropoutNd):
        path = f"dropout_of_{path.replace('.', '_').replace(' ', '_')}_{node.name}"
    probability: Any = node.args[1]
    name, rank = op_name(node.target), output_of(node).dim()
    kind = WHOLE_CHANNELS.get(rank, nn.Dropout2d) if name == "feature_dropout" else DROPOUTS[name]
    return path, kind(probability)
