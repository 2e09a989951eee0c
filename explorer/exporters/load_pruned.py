"""Rebuild a pruned model from its exported folder. Needs only torch and safetensors; no code from the folder
is run.

Usage:
    model, about = load_pruned("FOLDER")      # a torch.nn.Module in eval mode, and architecture.json
    logits = model(normalise(images, about))  # images as the data set stores them: (n, *shape)
"""

import ast
import functools
import json
import math
import operator
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.utils._pytree import tree_map

ARITHMETIC = (
    "getitem",
    "add",
    "sub",
    "mul",
    "floordiv",
    "truediv",
    "mod",
    "neg",
    "pow",
    "eq",
    "ne",
    "lt",
    "le",
    "gt",
    "ge",
)
# An export names no others; some, such as a very deep recurrent layer, take hours to make.
MODULES = frozenset(
    "Linear Embedding LayerNorm GroupNorm BatchNorm1d BatchNorm2d BatchNorm3d Conv1d Conv2d Conv3d Dropout "
    "ConvTranspose1d ConvTranspose2d ConvTranspose3d Dropout1d Dropout2d Dropout3d AlphaDropout".split()
)
LONGEST_FILE, LONGEST_NAME = 64 * 2**20, 1000  # bytes of architecture.json, characters of a name
LARGEST = 2**63  # of whole numbers


def device_of(tensor: Tensor) -> torch.device:
    """Return where a tensor is; tensors that the model creates itself are created there."""
    return tensor.device


NUMBERS = (math.ceil, math.floor, math.trunc, torch.sym_float, torch.sym_int, torch.sym_max, torch.sym_min)
OPERATORS = {name: getattr(operator, name) for name in ARITHMETIC} | {
    f.__name__: f for f in (*NUMBERS, device_of)
}


class PrunedModel(nn.Module):
    """Runs the nodes of `architecture.json` one by one; modules and tensors have their original names."""

    def __init__(self, about: dict[str, Any], weights: dict[str, Tensor]):
        super().__init__()
        self._about, self._nodes = about, about["nodes"]
        weights = weights | {name: weights[same] for name, same in about["tied"].items()}
        with torch.device("meta"):
            for name, module in about["modules"].items():
                self._put(name, _module(module["class"], module["arguments"]))
        for name, kind in about["tensors"].items():
            trained = kind == "parameter" and weights[name].is_floating_point()
            self._put(name, nn.Parameter(weights[name], trained) if kind == "parameter" else weights[name])
        self._names = frozenset(weights)
        self.load_state_dict(weights, assign=True)
        for name, same in about["tied"].items():  # one tensor again, so that training changes both
            self._put(name, functools.reduce(getattr, same.split("."), self))

    def _put(self, name: str, item: Any) -> None:
        if len(name) > LONGEST_NAME:
            raise ValueError(f"architecture.json has a name of {len(name):,} characters.")
        *path, leaf = name.split(".")
        owner: nn.Module = self
        for part in path:
            if part not in owner._modules:
                owner.add_module(part, nn.Module())
            owner = owner.get_submodule(part)
        if isinstance(item, nn.Module | nn.Parameter):
            setattr(owner, leaf, item)
        else:
            owner.register_buffer(leaf, item)

    def forward(self, *inputs: Tensor) -> Any:
        """Return the outputs of as many inputs as the original model has; usually (n, *shape) -> (n,
        classes).

        Raises:
            ValueError: an input has a size for which the export is not valid.
        """
        about = self._about.get("input", {})
        check_inputs([tuple(given.shape) for given in inputs], about)
        if about.get("batch", len(inputs[0])) != len(inputs[0]):
            return in_portions(self._whole, inputs, about["batch"])
        return self._whole(*inputs)

    def _whole(self, *inputs: Tensor) -> Any:
        values: dict[str, Any] = dict(zip(self._about["inputs"], inputs, strict=True))
        for node in self._nodes:
            values[node["name"]] = self._run(node, values)
            for name in node["last_use_of"]:
                del values[name]
        return _read(self._about["output"], values)

    def _run(self, node: dict[str, Any], values: dict[str, Any]) -> Any:
        kind, target = node["call"], node["target"]
        args, kwargs = (
            _read(node["args"], values),
            {key: _read(value, values) for key, value in node["kwargs"].items()},
        )
        if kind == "aten":
            return _aten(target)(*args, **kwargs)
        if kind == "operator":
            return _number(target, args)
        if kind == "module" and target in self._about["modules"]:
            return self.get_submodule(target)(*args, **kwargs)
        if kind == "tensor" and target in self._names:
            return functools.reduce(getattr, target.split("."), self)
        raise ValueError(f"architecture.json uses {target!r}, which is none of its modules and tensors.")


def _module(name: str, arguments: dict[str, Any]) -> nn.Module:
    if name not in MODULES:
        raise ValueError(f"architecture.json names the module {str(name)[:80]!r}, which no export uses.")
    return getattr(nn, name)(**{key: _read(value, {}) for key, value in arguments.items()})


def _number(name: str, numbers: list[Any]) -> Any:
    """Return the result of arithmetic on sizes; numbers without an end would take a time without an end."""
    too_large = any(isinstance(number, int) and abs(number) > LARGEST for number in numbers)
    if too_large or (name == "pow" and isinstance(numbers[1], int) and abs(numbers[1]) > 64):
        raise ValueError("architecture.json computes with numbers that are no sizes.")
    return OPERATORS[name](*numbers)


@functools.cache
def _aten(name: str) -> Any:
    """Return an aten operator by name and overload, such as "relu.default"; none that reads or writes
    files.
    """
    packet, _, overload = name.partition(".")
    function = getattr(getattr(torch.ops.aten, packet), overload)
    if not isinstance(function, torch._ops.OpOverload) or any(
        a.name == "filename" for a in function._schema.arguments
    ):
        raise ValueError(f"architecture.json uses {name!r}, which is not an operator, or opens files.")
    return function


def _read(value: Any, values: dict[str, Any]) -> Any:
    """Return an argument from JSON data: {"node": name}, {"float": text}, {"torch": name}, {"dict": items} or
    the value itself.
    """
    if isinstance(value, list):
        return [_read(item, values) for item in value]
    if not isinstance(value, dict):
        return value
    ((kind, inner),) = value.items()
    if kind == "dict":
        return {key: _read(item, values) for key, item in inner.items()}
    if kind in ("node", "float"):
        return values[inner] if kind == "node" else float(inner)
    found = getattr(torch, inner)
    if not isinstance(found, torch.dtype | torch.memory_format):
        raise ValueError(f"architecture.json names {inner!r}, which is not a type of numbers.")
    return found


# ---------------------------------------------------------------- sizes of the input


def in_portions(whole: Callable[..., Any], inputs: Sequence[Tensor], batch: int) -> Any:
    """Return the outputs of a graph that reads only one batch size: portion by portion, the last one filled
    up.
    """
    samples = len(inputs[0])
    last = torch.full((-samples % batch,), samples - 1)
    rows = torch.cat([torch.arange(samples), last])
    answers = [whole(*(given[part.to(given.device)] for given in inputs)) for part in rows.split(batch)]

    def join(*found):
        return torch.cat(found)[:samples] if isinstance(found[0], Tensor) else found[0]

    return tree_map(join, *answers)


TERMS: dict[type, Any] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.USub: operator.neg,
    ast.Not: operator.not_,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.And: all,
    ast.Or: any,
}
CHOICES = {"max": max, "min": min}


def check_inputs(sizes: Sequence[tuple[int, ...]], about: dict[str, Any]) -> None:
    """Refuse inputs for which the export does not hold.

    Args:
        sizes: the size of each input, batch first.
        about: as of `check_size`; of several inputs, `parts` says what each one is.
    Raises:
        ValueError: the text says what is taken, and what to do.
    """
    parts = about.get("parts")
    if len(sizes) != len(parts or "1"):
        names = ", ".join(str(part["name"]) for part in parts or [{"name": "one batch"}])
        raise ValueError(f"This model takes {names}, got {len(sizes)} inputs; give each of them.")
    if parts is None:
        check_size(sizes[0], about)
    for size, part in zip(sizes, parts or (), strict=False):
        if size[1:] != tuple(part["shape"]):
            raise ValueError(_refusal(tuple(part["shape"]), size))


def check_size(size: tuple[int, ...], about: dict[str, Any]) -> None:
    """Refuse an input for which the export is not valid, instead of giving wrong outputs.

    Args:
        about: of the input: the shape without the batch that it was exported with, and conditions on others.
    Raises:
        ValueError: the message gives both shapes.
    """
    shape, conditions = tuple(about.get("shape", ())), about.get("conditions")
    if size[1:] == shape or conditions is None:  # files of version 1 contain only the shape
        return
    if len(size) != len(shape) + 1 or not all(holds(condition, size) for condition in conditions):
        raise ValueError(_refusal(shape, size))


def _refusal(shape: tuple[int, ...], size: tuple[int, ...]) -> str:
    return (
        f"This model was exported for inputs of shape {shape}, and would answer wrongly for {size[1:]}; "
        "bring them to that shape, or export the model again for the other."
    )


def holds(condition: str, size: Any) -> bool:
    """Whether a condition on sizes is met, such as "size[2] % 8 == 0": arithmetic only, and nothing is
    run.
    """
    return bool(_term(ast.parse(condition, mode="eval").body, size))


def _term(term: Any, size: Any) -> Any:
    """Return the value of a term.

    Raises:
        ValueError: it is more than arithmetic on sizes.
    """

    def value(part):
        return _term(part, size)

    match term:
        case ast.Constant(value=int() | float()):
            return term.value
        case ast.Subscript(value=ast.Name(id="size"), slice=ast.Constant(value=int() as dim)):
            return size[dim]
        case ast.BinOp() if type(term.op) in TERMS:
            return TERMS[type(term.op)](value(term.left), value(term.right))
        case ast.UnaryOp() if type(term.op) in TERMS:
            return TERMS[type(term.op)](value(term.operand))
        case ast.BoolOp():
            return TERMS[type(term.op)](list(map(value, term.values)))  # evaluate all of them
        case ast.Compare(ops=[only], comparators=[right]) if type(only) in TERMS:
            return TERMS[type(only)](value(term.left), value(right))
        case ast.Call(func=ast.Name(id=name), keywords=[]) if name in CHOICES:
            return CHOICES[name](map(value, term.args))
    raise ValueError(f"architecture.json has a condition that is no arithmetic: {ast.unparse(term)[:80]!r}.")


def load_pruned(folder: str | Path) -> tuple[PrunedModel, dict[str, Any]]:
    """Return the model of an unpacked export, in eval mode, and the data about it: its graph, input,
    classes.

    Raises:
        OSError: a file is missing.
        ValueError: a file is damaged, or holds what no export holds.
    """
    text, weights = Path(folder) / "architecture.json", Path(folder) / "model.safetensors"
    if text.stat().st_size > LONGEST_FILE:
        raise ValueError(f"{str(text)!r} has more than {LONGEST_FILE:,} bytes, so it is no export.")
    try:
        about = json.loads(text.read_text(encoding="utf-8"))
        return PrunedModel(about, load_file(weights)).eval(), about
    except OSError:
        raise
    except Exception as error:  # of whatever kind: the files are foreign
        told = " ".join(str(error).split())[:200] or type(error).__name__
        raise ValueError(f"{str(folder)!r} is no complete export ({told}); unpack it again.") from error


def normalise(images: Tensor, about: dict[str, Any]) -> Tensor:
    """Convert (n, channels, ...) of any dtype, as the data set stores them, to the same shape in float32, as
    the model reads them.
    """
    rule = about["input"]["normalisation"]
    shape = (1, -1) + (1,) * (images.dim() - 2)
    return (images.float() * rule["scale"] - torch.tensor(rule["mean"]).view(shape)) / torch.tensor(
        rule["std"]
    ).view(shape)
