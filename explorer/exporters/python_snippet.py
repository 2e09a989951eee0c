"""Exports the compact model as one Python file that anybody can read and run with torch alone."""

import ast
import base64
import inspect
import json
import keyword
import math
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, fx, nn

from ..errors import ExplorerError
from ..measuring.storage_size import sizes, state_of
from ..registry import EXPORTERS
from .architecture import describe
from .archive import about
from .export import Export
from .load_pruned import ARITHMETIC, holds

LARGEST = 40_000_000  # bytes of weights; Python reads a much longer file slowly
ATEN = re.compile(r"[A-Za-z_]\w*\.[A-Za-z_]\w*")
TAKEN = {"self", "aten", "math", "nn", "operator", "torch", "reach", "put", "float", "device_of"}
TAKEN |= {"check_size", "in_portions", "len", "tuple", *keyword.kwlist}
LINE = 120  # characters of the weights' text
SKELETON = Path(__file__).with_name("snippet_skeleton.py.txt")


@EXPORTERS.register("python_snippet", rank=5, extension=".py", media_type="text/x-python", stages=2)
def python_snippet(pruned: Export) -> bytes:
    """One Python file with the layers, the forward pass as plain code, and the weights: readable, and needs
    torch alone.

    Raises:
        ExplorerError: the model has no graph, or is too large for a file of text.
    """
    model = pruned.model
    if not isinstance(model, fx.GraphModule):
        raise ExplorerError(
            "This model has no graph, so its layers cannot be written as code; choose safetensors."
        )
    pruned.step("Writing layers, code and weights")
    state = state_of(model)
    dense = sizes(state, deflate=False)["dense"]
    if dense > LARGEST:
        long = f"{dense:,} bytes of weights are too many for a Python file (at most {LARGEST:,})"
        raise ExplorerError(f"{long}; choose safetensors.")
    return source(
        describe(model) | about(pruned.subject, pruned.sized.to_json()) | {"recipe": pruned.recipe.to_json()},
        state,
    ).encode()


def source(described: dict[str, Any], state: dict[str, Tensor]) -> str:
    """Return the file's text.

    Args:
        described: what `describe` says about the model, and what `about` says about its use.
        state: tensors by name.
    """
    own = {name: tensor for name, tensor in state.items() if name not in described["tied"]}
    packed = base64.b64encode(zlib.compress(b"".join(map(_bytes, own.values())), 6)).decode()
    fields = {
        "MODEL": repr(described["model"]),
        "RECIPE": repr(json.dumps(described["recipe"])),
        "INPUT": repr({key: value for key, value in described["input"].items() if key != "conditions"}),
        "HOLDS": "\n".join(_conditions(described["input"])),
        "CLASSES": repr(described["classes"]),
        "TIED": _table(described["tied"]),
        "MODULES": "\n".join(_modules(described)) or "        pass",
        "FORWARD": "\n".join(_forward(described)),
        "TENSORS": _table({name: _layout(name, tensor, described) for name, tensor in own.items()}),
        "WEIGHTS": "\n".join(packed[at : at + LINE] for at in range(0, len(packed), LINE)),
    }
    skeleton = SKELETON.read_text(encoding="utf-8")
    return re.sub(r"\{\{(\w+)\}\}", lambda match: fields[match[1]], skeleton)


def _table(items: dict[str, Any]) -> str:
    """Return a dict as code, one line per item."""
    rows = "".join(f"    {name!r}: {value!r},\n" for name, value in items.items())
    return f"{{\n{rows}}}" if rows else "{}"


def _bytes(tensor: Tensor) -> bytes:
    return tensor.contiguous().flatten().view(torch.uint8).numpy().tobytes() if tensor.numel() else b""


def _layout(name: str, tensor: Tensor, described: dict[str, Any]) -> tuple[str, list[int], str]:
    """Return dtype, shape, and its kind if no module has it: "parameter", "buffer" or ""."""
    return str(tensor.dtype).removeprefix("torch."), list(tensor.shape), described["tensors"].get(name, "")


# --------------------------------------------------------------------------- code


def _conditions(about: dict[str, Any]) -> Iterator[str]:
    """Return the conditions, each on a line of its own; a condition that is more than arithmetic on sizes
    raises ValueError.
    """
    shape = (1, *about.get("shape", ()))
    for condition in about.get("conditions", ()):
        holds(condition, shape)
        yield f"        and {ast.unparse(ast.parse(condition, mode='eval'))}"


def _modules(described: dict[str, Any]) -> Iterator[str]:
    for name, module in described["modules"].items():
        usual = {
            key: parameter.default
            for key, parameter in inspect.signature(getattr(nn, module["class"])).parameters.items()
        }
        given = {key: value for key, value in module["arguments"].items() if not _same(value, usual[key])}
        arguments = ", ".join(f"{_name(key)}={_literal(value, pairs=True)}" for key, value in given.items())
        yield f"        put(self, {name!r}, nn.{_name(module['class'])}({arguments}))"


def _same(value: Any, default: Any) -> bool:
    """Whether an argument can be left out: (1, 1) if 1 is the default, too."""
    if isinstance(value, list) and not isinstance(default, list | tuple):
        return all(item == default for item in value)
    return bool(value == default) and isinstance(value, type(default))


def _forward(described: dict[str, Any]) -> Iterator[str]:
    names, batch = list(map(_name, described["inputs"])), described["input"].get("batch")
    yield f"    def forward(self, {', '.join(names)}):"
    yield f"        check_size({', '.join(names)})"
    if batch is not None:
        yield f"        if len({names[0]}) != {int(batch)}:"
        yield f"            return in_portions(self, [{', '.join(names)}], {int(batch)})"
    for node in described["nodes"]:
        given = [_literal(value) for value in node["args"]]
        given += [f"{_name(key)}={_literal(value)}" for key, value in node["kwargs"].items()]
        gone = ", ".join(map(_name, node["last_use_of"]))
        yield (
            f"        {_name(node['name'])} = {_call(node)}"
            + _arguments(node, given)
            + (f"; del {gone}" if gone else "")
        )
    yield f"        return {_literal(described['output'])}"


def _arguments(node: dict[str, Any], given: list[str]) -> str:
    return "" if node["call"] == "tensor" else f"({', '.join(given)})"


def _call(node: dict[str, Any]) -> str:
    kind, target = node["call"], node["target"]
    if kind in ("module", "tensor"):
        return (
            f"reach(self, {target!r})"
            if not target.isidentifier() or keyword.iskeyword(target)
            else f"self.{target}"
        )
    if target == "device_of":
        return target
    if kind == "operator":
        home = "operator" if target in ARITHMETIC else "math" if hasattr(math, target) else "torch"
        return f"{home}.{_name(target)}"
    if not ATEN.fullmatch(target):
        raise ExplorerError(f"Operator {target[:80]!r} cannot be written as code; choose safetensors.")
    return f"aten.{target}"


def _name(name: str) -> str:
    """Return a name of the graph as a name in the code.

    Raises:
        ExplorerError: it cannot be one.
    """
    if not name.isidentifier():
        raise ExplorerError(f"Name {name[:80]!r} cannot be written as code; choose safetensors.")
    return f"{name}_" if name in TAKEN else name


def _literal(value: Any, pairs: bool = False) -> str:
    """Return JSON data of `describe` as code.

    Args:
        pairs: lists become tuples, as in (3, 3).
    """
    if isinstance(value, list):
        inside = ", ".join(_literal(item, pairs) for item in value)
        return f"({inside}{',' * (len(value) == 1)})" if pairs else f"[{inside}]"
    if not isinstance(value, dict):
        return repr(value)
    ((kind, inner),) = value.items()
    if kind == "dict":
        return "{" + ", ".join(f"{key!r}: {_literal(item)}" for key, item in inner.items()) + "}"
    if kind == "node":
        return _name(inner)
    return f"float({inner!r})" if kind == "float" else f"torch.{_name(inner)}"
