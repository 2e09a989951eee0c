"""Says in one sentence why a model has no graph that can be cut."""

import re

from torch import fx
from torch._ops import HigherOrderOperator

from ..machine.foreign_code import place_of
from .nodes import WHOLE, is_of_func, where

ONLY_WEIGHTS = "only unstructured pruning is possible"
READS_VALUES = ("item", "_local_scalar_dense")
OWN_OUTPUT = re.compile(
    r"Found <class '([^']*)'> in output, which is not a known type"
)  # torch.export's words


def unreadable(error: BaseException) -> str:
    """Return the sentence for an error of torch.export; torch's own may be a page about its internals."""
    # a quarter of a second of imports, which a server that starts has no need of
    from torch.fx.experimental.symbolic_shapes import GuardOnDataDependentSymNode

    place = place_of(error)
    if isinstance(error, GuardOnDataDependentSymNode):
        return _decides(f"{place}," if place else "The forward")
    unknown = OWN_OUTPUT.search(str(error))
    if unknown is not None:
        kind = unknown[1].rpartition(".")[2][:60]
        return (
            f"The forward returns a {kind}, in which torch.export finds no tensors, so {ONLY_WEIGHTS}; a "
            "tuple, a dict or a NamedTuple can be followed."
        )
    first_line = str(error).strip().split("\n")[0][:300] or type(error).__name__
    where_from = f"{place}: " if place else ""
    return f"torch.export cannot read this model ({where_from}{first_line}); {ONLY_WEIGHTS}."


def no_tensor() -> str:
    """Return the sentence for a model that hands an object to its operators."""
    return (
        "The forward uses an object that is no tensor, such as a torch.Generator of its own, which a graph "
        f"cannot hold, so {ONLY_WEIGHTS}."
    )


def reads_values(node: fx.Node) -> str:
    """Return the sentence for a node that makes a Python number of a tensor."""
    return _decides(_forward_of(node))


def _decides(who: str) -> str:
    return (
        f"{who} uses the values of a tensor as Python numbers (in an if, a loop, a size or .item()), which a "
        f"graph cannot follow, so {ONLY_WEIGHTS}; torch.where chooses without leaving tensors."
    )


def uncuttable(node: fx.Node) -> str:
    """Return the sentence for a node that is no operator: it holds a graph of its own."""
    if is_of_func(node.target):
        return f"{_forward_of(node)} uses torch.func, such as vmap, which cannot be cut, so {ONLY_WEIGHTS}."
    reader = next((user for user in node.users if isinstance(user.target, HigherOrderOperator)), None)
    if reader is None:
        return f"The exported graph holds a {node.op} named {node.name!r}, so {ONLY_WEIGHTS}."
    called = f"torch's {reader.target}"
    return f"{_forward_of(reader)} uses {called}, whose inner functions cannot be cut, so {ONLY_WEIGHTS}."


def _forward_of(node: fx.Node) -> str:
    module = where(node)
    return "The forward" if module == WHOLE else f"The forward of {module}"
