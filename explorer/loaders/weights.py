"""A weights file into a model whose architecture is known: only from safetensors, which cannot run code.

Names, shapes and types are compared from the header alone, so no file makes the program read more than the
model holds.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors
import torch
from torch import Tensor, nn

from ..errors import LoadError

MAX_HEADER_BYTES = 4 * 1024**2  # of names and shapes, for some 30,000 tensors
WITH_CODE = (".pt", ".pth", ".bin", ".ckpt", ".pkl", ".pickle")
SAME = "only weights of the same architecture fit; choose the model that they were trained for."
UNREADABLE = (
    safetensors.SafetensorError,
    OSError,
    ValueError,
    KeyError,
    TypeError,
    RecursionError,
    RuntimeError,
)
COUNTER = (
    "num_batches_tracked"  # of batch norms: older files lack it, and nothing that is measured here needs it
)


@dataclass(frozen=True)
class Form:
    """What a header says of one tensor: shape, and type in words of safetensors such as "F32"."""

    shape: tuple[int, ...]
    dtype: str


def check_file(path: Path, source: str) -> None:
    """Refuse by name, before anything is opened.

    Raises:
        LoadError: no such file, or one that is not safetensors by its name.
    """
    if not path.is_file():
        raise LoadError(f"There is no weights file {str(path)!r}; give the path of a .safetensors file.")
    if path.suffix.lower() == ".pt2":
        raise LoadError(
            f"{source!r} is an exported program, which can run code when it is opened, so it is never "
            "loaded; "
            "save the weights of its model as .safetensors."
        )
    if path.suffix.lower() in WITH_CODE:
        way = "convert it first with 'pruning-explorer convert IN OUT.safetensors'."
        raise LoadError(f"{source!r} is of a kind that can hold code, so it is not read here; {way}")


def read_forms(path: Path) -> dict[str, Form]:
    """Name -> form, from the header; the library checks later that the data is as the header says.

    Raises:
        ValueError, KeyError, TypeError, RecursionError: it is not such a header.
    """
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if not 2 <= length <= MAX_HEADER_BYTES:
            raise ValueError(f"a header of {length} bytes")
        entries = json.loads(file.read(length), object_pairs_hook=_without_doubles)
    if not isinstance(entries, dict):
        raise TypeError("a header that is no object")
    return {
        name: Form(tuple(map(int, e["shape"])), str(e["dtype"]))
        for name, e in entries.items()
        if name != "__metadata__"
    }


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(found := dict(pairs)) < len(pairs):  # two readers could see two different files
        raise ValueError("a name that is there twice")
    return found


def _damaged(source: str) -> str:
    way = "copy it again, or convert a .pt file with 'pruning-explorer convert'."
    return f"{source!r} is damaged or not a safetensors file; {way}"


def _listed(names: list[str]) -> str:
    return ", ".join(repr(name[:80]) for name in names[:3]) + (
        f" and {len(names) - 3:,} more" if len(names) > 3 else ""
    )


def _tensors(model: nn.Module) -> dict[str, Tensor]:
    return {
        name: value for name, value in model.state_dict(keep_vars=True).items() if isinstance(value, Tensor)
    }


def _missing(expected: Mapping[str, Tensor], found: Mapping[str, Form]) -> list[str]:
    """Names that the file lacks; a tensor that the model holds under two names is needed once."""
    there = {id(tensor) for name, tensor in expected.items() if name in found}
    return [
        name for name, tensor in expected.items() if id(tensor) not in there and not name.endswith(COUNTER)
    ]


def _is_number(form: Form, tensor: Tensor) -> bool:
    """Floats of any width become floats; whole numbers and truth values stay what they are."""
    is_float = form.dtype.startswith(("F", "BF"))
    return is_float == tensor.is_floating_point() and not form.dtype.startswith("C")


def check_forms(found: Mapping[str, Form], model: nn.Module, source: str) -> None:
    """Exactly the tensors of the model, in their shapes, as numbers of the same kind.

    Raises:
        LoadError: tensors are missing, unexpected, of another shape or kind; the text names the first few of
            each.
    """
    expected = _tensors(model)
    wrong = []
    if missing := _missing(expected, found):
        wrong.append(f"{source!r} lacks {_listed(missing)}")
    if unexpected := [name for name in found if name not in expected]:
        wrong.append(f"{source!r} has {_listed(unexpected)}, which the model has not")
    both = [(name, found[name], expected[name]) for name in expected if name in found]
    misshapen = [
        (name, form.shape, tuple(tensor.shape))
        for name, form, tensor in both
        if form.shape != tuple(tensor.shape)
    ]
    if misshapen:
        name, shape, wanted = misshapen[0]
        more = f" (and {len(misshapen) - 1:,} more have other shapes)" if len(misshapen) > 1 else ""
        wrong.append(f"{name!r} in {source!r} has shape {shape} instead of {wanted}{more}")
    if other := [name for name, form, tensor in both if not _is_number(form, tensor)]:
        wrong.append(
            f"{source!r} holds {_listed(other)} as {found[other[0]].dtype}, not as numbers of the model's "
            "kind"
        )
    if wrong:
        raise LoadError(f"{'; '.join(wrong)}; {SAME}")


def read_fitting(path: Path, model: nn.Module, source: str | None = None) -> dict[str, Tensor]:
    """The tensors of a file that fits a model, mapped from the disk; names that all begin alike may lack what
    the model's lack.

    Args:
        source: what to call the file in errors (default: its name).
    Raises:
        LoadError: no such file, not a whole safetensors file, or not weights of this model.
    """
    source = source or path.name
    check_file(path, source)
    try:
        forms = read_forms(path)
        prefix = _surplus(forms, _tensors(model))
        check_forms({name.removeprefix(prefix): form for name, form in forms.items()}, model, source)
        with safetensors.safe_open(path, "pt") as file:
            return {name.removeprefix(prefix): file.get_tensor(name) for name in forms}
    except UNREADABLE as error:
        raise LoadError(_damaged(source)) from error


def _surplus(found: Mapping[str, Form], expected: Mapping[str, Tensor]) -> str:
    """What training programs put before every name, such as "model.": "" where the names fit as they are."""
    prefix = ""
    while found and not any(name.removeprefix(prefix) in expected for name in found):
        first, dot, _ = next(iter(found)).removeprefix(prefix).partition(".")
        if not dot or not all(name.startswith(f"{prefix}{first}.") for name in found):
            return ""
        prefix += f"{first}."
    return prefix


def load_weights(model: nn.Module, path: str | Path) -> None:
    """Fill a freshly built model from a file; floats of another width become the model's.

    Raises:
        LoadError: the file is missing or damaged, or does not fit the model.
    """
    fill(model, read_fitting(Path(path), model))


def fill(model: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Copy tensors that `read_fitting` compared with the model."""
    with torch.no_grad():
        model.load_state_dict(weights, strict=False)
