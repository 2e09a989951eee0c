"""Writes a program to a file and reads it back: its graph as JSON, its constants as tensors, in one
safetensors file. No code of the file is run.
"""

import hashlib
import json
import math
import operator
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, fx
from torch.utils._pytree import treespec_dumps, treespec_loads

from ..errors import ExplorerError
from ..machine.whole_file import whole_file
from .nodes import WHERE
from .program import MADE, Counted, OpenSize, Program, Shaped, output_of
from .size_limits import Size

MOST_BYTES = 64 * 2**20  # of constants
HOMES = {"operator": operator, "math": math, "torch": torch}  # of functions on sizes
PLAIN = (bool, int, str, type(None))
OF_TORCH = (torch.dtype, torch.memory_format, torch.layout)


class NotPlainError(ExplorerError):
    """A program holds something that has no plain description, such as an object of its own."""


def write(program: Program, path: Path, size: Size) -> None:
    """Write a counted program; its folder has to exist.

    Args:
        size: what its model needs for one sample.
    Raises:
        NotPlainError: it has no plain description.
        OSError: it cannot be written.
    """
    constants = {name: _constant(value) for name, value in program.constants.items()}
    if sum(tensor.nbytes for tensor in constants.values()) > MOST_BYTES:
        raise NotPlainError("The constants of the program are too large to be kept.")
    try:
        form = treespec_dumps(program.form)
    except Exception as error:  # the answer is an object of the user's own
        raise NotPlainError("The form of the answer has no plain description.") from error
    assert program.counted is not None
    about = {
        "values": _plain(dict(program.counted.values)),
        "macs": dict(program.counted.macs),
        "nodes": [_described(node) for node in program.graph.nodes],
        "parameters": dict(program.parameters),
        "buffers": dict(program.buffers),
        "lifted": dict(program.lifted),
        "inputs": program.inputs,
        "answers": program.answers,
        "form": form,
        "size": asdict(size),
    }
    text = json.dumps(about)
    with whole_file(path) as place:
        save_file(constants, place, {"program": text, "hash": _hash(text, constants)})


def read(path: Path) -> tuple[Program, Size]:
    """Return the program of a file, and what its model needs.

    Raises:
        Exception: of any kind, if it is not such a file, or of a version of torch that had other operators.
    """
    with safe_open(path, "pt") as file:
        held = file.metadata()
        constants = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    if _hash(held["program"], constants) != held["hash"]:
        raise ValueError("the file is damaged")
    about = json.loads(held["program"])
    graph = fx.Graph()
    nodes: dict[str, fx.Node] = {}
    for one in about["nodes"]:
        args, kwargs = _value(one["args"], nodes), _value(one["kwargs"], nodes)
        target = _found(one["target"]) if one["op"] == "call_function" else one["target"]
        node = graph.create_node(one["op"], target, args, kwargs, one["name"])
        if node.name != one["name"]:
            raise ValueError(f"a node is called {node.name}, not {one['name']}")
        node.meta = {MADE: _value(one["made"], nodes), WHERE: one["where"]}
        nodes[node.name] = node
    program = Program(
        graph,
        about["parameters"],
        about["buffers"],
        about["lifted"],
        tuple(about["inputs"]),
        tuple(about["answers"]),
        constants,
        treespec_loads(about["form"]),
        Counted(_value(about["values"], nodes), about["macs"]),
    )
    return program, Size(**about["size"])


def _hash(text: str, constants: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256(text.encode())
    for name in sorted(constants):
        tensor = constants[name]
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _constant(value: Any) -> Tensor:
    plain = type(value) in (Tensor, torch.nn.Parameter) and value.layout is torch.strided
    if not plain or value.device.type != "cpu" or value.is_quantized:
        raise NotPlainError("A constant of the program has no plain description.")
    return value.detach().clone(memory_format=torch.contiguous_format)


def _described(node: fx.Node) -> dict[str, Any]:
    if node.op not in ("placeholder", "call_function", "output"):
        raise NotPlainError(f"The program holds a {node.op}.")
    return {
        "name": node.name,
        "op": node.op,
        "target": _named(node.target) if node.op == "call_function" else str(node.target),
        "args": _plain(node.args),
        "kwargs": _plain(dict(node.kwargs)),
        "made": _plain(output_of(node)),
        "where": node.meta[WHERE],
    }


def _named(target: Any) -> str:
    if isinstance(target, torch._ops.OpOverload):
        return f"{target.namespace}:{target.__name__}"
    home = str(getattr(target, "__module__", "")).removeprefix("_")
    name = f"{home}:{getattr(target, '__name__', '')}"
    try:
        same = _found(name) is target
    except (LookupError, AttributeError):
        same = False
    if not same:
        raise NotPlainError(f"The program calls {str(target)[:80]}, which has no plain description.")
    return name


def _found(name: str) -> Any:
    """Return the operator or function of a name.

    >>> _found("aten:relu.default"), _found("operator:add")
    (<OpOverload(op='aten.relu', overload='default')>, <built-in function add>)
    """
    home, _, rest = name.partition(":")
    if home in HOMES:
        return getattr(HOMES[home], rest)
    packet, _, overload = rest.partition(".")
    found = getattr(getattr(getattr(torch.ops, home), packet), overload)
    if not isinstance(found, torch._ops.OpOverload):
        raise LookupError(f"{name} is no operator")
    return found


def _plain(value: Any) -> Any:
    """Return a value as JSON data; what JSON lacks becomes an object of one word.

    >>> _plain((1, [float("inf")], torch.float16))
    {'tuple': [1, [{'float': 'inf'}], {'torch': 'float16'}]}
    """
    if isinstance(value, fx.Node):
        return {"node": value.name}
    if isinstance(value, Shaped):
        return {"shaped": [_plain(list(value.shape)), _plain(value.dtype)]}
    if isinstance(value, OpenSize):
        return {"open": [value.text, value.alone, value.times]}
    if isinstance(value, tuple):
        return {"tuple": [_plain(item) for item in value]}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {"dict": [[key, _plain(item)] for key, item in value.items()]}
    if isinstance(value, slice):
        return {"slice": [_plain(value.start), _plain(value.stop), _plain(value.step)]}
    if isinstance(value, OF_TORCH):
        return {"torch": str(value).removeprefix("torch.")}
    if isinstance(value, torch.device):
        return {"device": str(value)}
    if isinstance(value, complex):
        return {"complex": [str(value.real), str(value.imag)]}
    if isinstance(value, float):
        return value if math.isfinite(value) else {"float": str(value)}
    if value is Ellipsis:
        return {"ellipsis": None}
    if type(value) in PLAIN:
        return value
    raise NotPlainError(f"A value of type {type(value).__name__!r} has no plain description.")


def _value(about: Any, nodes: dict[str, fx.Node]) -> Any:
    """Return the value that JSON data of `_plain` describes."""
    if isinstance(about, list):
        return [_value(item, nodes) for item in about]
    if not isinstance(about, dict):
        return about
    ((word, held),) = about.items()
    match word:
        case "node":
            return nodes[held]
        case "shaped":
            shape, dtype = _value(held, nodes)
            return Shaped(tuple(shape), dtype)
        case "open":
            return OpenSize(*held)
        case "tuple":
            return tuple(_value(item, nodes) for item in held)
        case "dict":
            return {key: _value(item, nodes) for key, item in held}
        case "slice":
            return slice(*_value(held, nodes))
        case "torch":
            return getattr(torch, held)
        case "device":
            return torch.device(held)
        case "complex":
            return complex(*map(float, held))
        case "float":
            return float(held)
        case "ellipsis":
            return ...
    raise ValueError(f"unknown word {word!r}")
