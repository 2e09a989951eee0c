"""The number format of a model of transformers: float32, or that of its files if it is large."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import LoadError
from .foreign_forward import Forward, Way
from .foreign_model import check_size
from .weight_files import read_forms

SHORT = (torch.bfloat16, torch.float16)
WHOLE_WEIGHTS = {"F64", "F32", "F16", "BF16"}  # as safetensors names them


def check_unquantised(folder: Path) -> None:
    """Refuse a folder whose matrices are numbers of 8 bits or fewer: without their scales, which lie beside
    them, they would be read as other weights.

    Raises:
        LoadError: there is such a matrix.
    """
    for file in sorted(folder.glob("*.safetensors")):
        try:
            forms = read_forms(file)
        except (OSError, ValueError, KeyError, TypeError, RecursionError):  # whoever reads it says why
            continue
        for name, form in forms.items():
            if len(form.shape) == 2 and name.endswith("weight") and form.dtype not in WHOLE_WEIGHTS:
                raise LoadError(
                    f"{file.name[:80]!r} holds {name[:80]!r} as {form.dtype}, so its weights are quantised; "
                    "give the folder of the model before it was quantised."
                )


def number_format(make: Callable[[torch.dtype], nn.Module], config: Any, name: str) -> torch.dtype:
    """Return float32; or the 16-bit format that the configuration names, for a model that is too large in
    float32: its files are then mapped, and their pages read when they are needed.

    Args:
        make: builds the model in a format; called where weights take no memory.
    Raises:
        LoadError: it is too large.
    """
    stored = getattr(config, "dtype", None)  # transformers writes the format of each building into it
    try:
        check_size(lambda: make(torch.float32), name)
    except LoadError:
        if stored not in SHORT:
            raise
        check_size(lambda: make(stored), name)
        return stored
    return torch.float32


def in_float32(way: Way, dtype: torch.dtype, *, of_pictures: bool = False) -> Way:
    """Return how a model is called such that it answers in float32, in which its answers are judged.

    Args:
        of_pictures: its inputs are fractions, which it reads in its own format.
    """
    if dtype == torch.float32:
        return way

    def answer(forward: Forward, inputs: Tensor) -> Any:
        return way(forward, inputs.to(dtype) if of_pictures else inputs).float()

    return answer
