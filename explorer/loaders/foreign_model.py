"""What the loaders of foreign architectures share: check the size before building, build from one seed,
return a Subject.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor, nn

from ..graph.export import EXPORT_LOCK
from ..graph.size_limits import TooLarge, bounded_build, check_loadable, check_parameters, too_large
from ..values.identity import subject_id, weights_id
from ..values.inputs import InputPart
from ..values.subject import Preset, Subject
from .plain_weights import fold_parametrisations, folded_text

# torch.export replaces functions of nn.Module while it runs, and the seed belongs to the whole process
BUILDING = EXPORT_LOCK
SEED = 0
T = TypeVar("T")


@dataclass(frozen=True)
class InputForm:
    """What a model reads.

    Args:
        shape: of one input.
        preset: how inputs are prepared, and the classes of the model.
        example: (batch, *shape), on which it runs; None: random fractions, two samples.
        reads: its inputs, if they are whole numbers or several side by side in one row.
    """

    shape: tuple[int, ...]
    preset: Preset
    example: Tensor | None = None
    reads: tuple[InputPart, ...] = ()


def check_size(make: Callable[[], nn.Module], name: str) -> None:
    """Build the model on the meta device, where weights take no memory, and count its parameters.

    Raises:
        LoadError: there are too many parameters or modules, or it takes too long.
    """
    with BUILDING:
        try:
            with torch.device("meta"), bounded_build():
                shadow = make()
        except TooLarge as large:
            raise too_large(name, large) from large
        except Exception:  # foreign code that computes while it builds, on another device
            return
        check_parameters(shadow, name)


def built(make: Callable[[], nn.Module], name: str) -> nn.Module:
    """Return a model with weights drawn from one seed. One with too many parameters is refused before it
    takes memory.

    Raises:
        LoadError: it is too large.
    """
    check_size(make, name)
    return seeded(make)


def seeded(make: Callable[[], T]) -> T:
    """Return what `make` builds from one seed; the random state of the process is left as it was."""
    with BUILDING, torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        return make()


def identity(model_id: str, shape: tuple[int, ...], code: bytes = b"") -> str:
    """Return the hash of a foreign model and the shape that it is run at.

    Args:
        code: content of its file, for ids of version 1, which did not include the code itself.
    """
    return hashlib.sha256(f"{model_id} {shape}".encode() + code).hexdigest()[:16]


def subject_of(
    model: nn.Module,
    name: str,
    form: InputForm,
    about: str,
    *,
    code: bytes = b"",
    dtype: torch.dtype = torch.float32,
) -> Subject:
    """Return a foreign model as a subject without data: in eval mode, in float32, every parameter ready for
    gradients.

    Args:
        form: what the model reads.
        about: a sentence that says what it is.
        code: content of the model's file if it has one; only for its former id.
        dtype: float32, or the format in which a model stays that would be too large in float32.
    Raises:
        LoadError: it is too large to be run.
    """
    model, former = model.eval(), ""  # version 1 had no models of other formats
    if dtype == torch.float32:
        model = model.float()
        former = identity(weights_id(model), form.shape, code)
    about += folded_text(fold_parametrisations(model))
    for parameter in model.parameters():
        parameter.requires_grad_(parameter.is_floating_point())
    example = form.example
    if example is None:
        example = torch.randn(2, *form.shape, generator=torch.Generator().manual_seed(SEED))
    check_loadable(model, example, name)
    own = identity(subject_id(model), form.shape)
    return Subject(own, name, model, None, example, {"description": about}, form.preset, former, form.reads)


def weights_of(checkpoint: str | None, addition: str = "") -> str:
    """Return where the weights come from, for `about`.

    Args:
        addition: what `load_weights` returned about them.
    """
    return (
        f"weights of {Path(checkpoint).name}{addition}"
        if checkpoint
        else "random weights (add trained ones with --checkpoint)"
    )
