"""A weights file into a model whose architecture is known: strictly, and only from safetensors, which cannot run code."""

from pathlib import Path

import safetensors
import safetensors.torch
from torch import Tensor, nn

from ..errors import LoadError


def read_weights(path: Path) -> dict[str, Tensor]:
    """Name -> tensor.

    Raises:
        LoadError: no such file, or not a whole safetensors file.
    """
    if not path.is_file():
        raise LoadError(f"There is no weights file {str(path)!r}; give the path of a .safetensors file.")
    try:
        return safetensors.torch.load_file(path)
    except (safetensors.SafetensorError, OSError) as error:
        way = "copy it again, or convert a .pt file with 'pruning-explorer convert'."
        raise LoadError(f"{path.name!r} is damaged or not a safetensors file; {way}") from error


def _listed(names: list[str]) -> str:
    return ", ".join(repr(name[:80]) for name in names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def check_weights(weights: dict[str, Tensor], model: nn.Module, source: str) -> None:
    """Exactly the tensors of the model, in their shapes.

    Raises:
        LoadError: tensors are missing, unexpected or of another shape.
    """
    expected = model.state_dict()
    way = "only weights of the same architecture fit; choose the model that they were trained for."
    if missing := sorted(set(expected) - set(weights)):
        raise LoadError(f"{source!r} lacks {_listed(missing)}; {way}")
    if unexpected := sorted(set(weights) - set(expected)):
        raise LoadError(f"{source!r} has {_listed(unexpected)}, which the model has not; {way}")
    for name, tensor in expected.items():
        if tensor.shape != weights[name].shape:
            shapes = f"{tuple(weights[name].shape)} instead of {tuple(tensor.shape)}"
            raise LoadError(f"{name!r} in {source!r} has shape {shapes}; {way}")


def load_weights(model: nn.Module, path: Path) -> None:
    """Fill a freshly built model from a file.

    Raises:
        LoadError: the file is missing or damaged, or does not fit the model.
    """
    weights = read_weights(path)
    check_weights(weights, model, path.name)
    model.load_state_dict(weights)
