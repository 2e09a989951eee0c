"""The layers that read what a removed block has added to."""

from torch import fx

from ..compaction.compact import SOURCE
from ..graph.analysed import Analysed
from ..graph.blocks import nodes_without, sums_without
from ..values.profile import Masks


def readers_behind(model: Analysed, masks: Masks, small: fx.GraphModule) -> frozenset[str]:
    """Return the nodes of the smaller model that multiply by weights and read a sum that has lost a block,
    also through norms, activation functions and later sums, but through no other such node.
    """
    graph = model.graph
    if not masks.blocks or graph.program is None or graph.coupling is None:
        return frozenset()
    gone = nodes_without(graph.program, graph.branches, masks.blocks)
    todo: list[fx.Node] = list(sums_without(graph.branches, masks.blocks))
    seen, readers = set(todo), set()
    while todo:
        for user in todo.pop().users:
            if user in seen or user in gone:
                continue
            seen.add(user)
            if graph.coupling.macs.get(user.name):
                readers.add(user.name)
            else:
                todo.append(user)
    return frozenset(node.name for node in small.graph.nodes if node.meta.get(SOURCE) in readers)
