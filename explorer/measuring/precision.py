"""A model in a smaller number format than float32: a copy with its own inputs and outputs, since the given
one is shared.
"""

import copy

import torch
from torch import Tensor, nn

from ..errors import ExplorerError
from ..values.subject import Subject

DTYPES = ("float32", "bfloat16")
SHORT = (torch.bfloat16, torch.float16)


def computed_in(model: nn.Module, dtype: str) -> str:
    """Return the format that a model computes in if it is measured in `dtype`: a model that is stored in 16
    bits, since it would be too large otherwise, computes in its own.

    >>> computed_in(nn.Linear(1, 1), "float32"), computed_in(nn.Linear(1, 1).bfloat16(), "float32")
    ('float32', 'bfloat16')
    """
    tensors = (tensor.dtype for tensor in model.parameters() if tensor.dtype in SHORT)
    return str(next(tensors, dtype)).removeprefix("torch.")


def check_exact(subject: Subject, dtype: str) -> None:
    """Check that a format keeps whole numbers exact, and that the model is not stored in 16 bits already.

    Raises:
        ExplorerError: rows of several inputs have whole numbers, which this format would change; or nothing
            could be compared with float32.
    """
    own = computed_in(subject.model, "float32")
    if dtype != "float32" and own != "float32":
        raise ExplorerError(f"{subject.name!r} is stored in {own} and computes in it; leave out --dtype.")
    if dtype != "float32" and len(subject.reads) > 1 and any(part.is_whole for part in subject.reads):
        raise ExplorerError(
            f"{subject.name!r} reads whole numbers next to other inputs in one row, and {dtype} would change "
            "them; measure it in float32."
        )


class Lowered(nn.Module):
    """A copy of a model that computes in another format; inputs and logits stay float32.

    Raises, when it runs:
        ExplorerError: the model requires float32 somewhere.
    """

    def __init__(self, model: nn.Module, dtype: str):
        super().__init__()
        self.model, self._name, self._dtype = (
            copy.deepcopy(model).to(getattr(torch, dtype)),
            dtype,
            getattr(torch, dtype),
        )

    def forward(self, inputs: Tensor) -> Tensor:
        try:
            lowered = inputs.to(self._dtype) if inputs.is_floating_point() else inputs
            return self.model(lowered).float()
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            reason = (str(error).strip().split("\n") or [""])[0][:200]
            raise ExplorerError(
                f"This model does not run in {self._name} ({reason}); measure it in float32."
            ) from error


def in_dtype(model: nn.Module, dtype: str) -> nn.Module:
    """Return the model itself for float32, otherwise a copy that computes in that format."""
    return model if dtype == "float32" else Lowered(model, dtype).eval()
