"""What is pruned, and the data that it is measured on."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import torch
from torch import Tensor, nn

from .inputs import InputPart


@dataclass(frozen=True, eq=False)
class Split:
    """Samples in their fixed order: seeded, stratified.

    Args:
        inputs: (n, *shape), uint8 (kept small, normalised on the device) or float32.
        targets: (n,) int64 class numbers.
    """

    inputs: Tensor
    targets: Tensor

    def __len__(self) -> int:
        return len(self.targets)

    def first(self, samples: int) -> "Split":
        return Split(self.inputs[:samples], self.targets[:samples])


@dataclass(frozen=True)
class Normalisation:
    """float = (raw * scale - mean) / std, per channel; the lengths of mean and std are 1 or the channels.

    Args:
        whole: inputs are whole numbers, such as words of a vocabulary, and are not changed.
    """

    scale: float = 1.0
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    whole: bool = False

    def __call__(self, raw: Tensor) -> Tensor:
        """Convert (n, channels, ...) of any dtype to the same shape in float32, in its own memory."""
        if self.whole:
            return raw.to(torch.int64, copy=True)
        shape = (1, -1) + (1,) * (raw.dim() - 2)
        mean = torch.tensor(self.mean, device=raw.device).view(shape)
        std = torch.tensor(self.std, device=raw.device).view(shape)
        return raw.to(torch.float32, copy=True).mul_(self.scale).sub_(mean).div_(std)


@dataclass(frozen=True)
class Preset:
    """How pictures become the model's inputs, and the names of its classes, as far as the model says.

    Args:
        normalisation: from bytes, 0 to 255.
        resize: pixels of a picture's shorter side before its centre is cropped; 0: as many as the model
            reads.
        fit: "crop" keeps the picture's proportions and crops its centre; "stretch" resizes both sides.
        interpolation: a name of PIL's.
        class_names: () if the model does not say.
    """

    normalisation: Normalisation = Normalisation(1 / 255)
    resize: int = 0
    fit: Literal["crop", "stretch"] = "crop"
    interpolation: Literal["nearest", "bilinear", "bicubic", "lanczos"] = "bilinear"
    class_names: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Task:
    """The data that a model is evaluated on; splits are created or read when they are first needed.

    Args:
        name: of the data set.
        shape: of one input, without the batch.
        class_names: one per class.
        load_split: "training", "tuning" or "held_out" -> Split, or None where there is none.
        normalisation: from stored inputs to what the model reads.
        note: shown next to the data, e.g. that it is small.
        source, licence: where the data comes from.
        fingerprint: hash of what defines the data, for the store's key.
        how: how the user's files were used, one sentence each: classes, normalisation, what was left out.
    """

    name: str
    shape: tuple[int, ...]
    class_names: tuple[str, ...]
    load_split: Callable[[str], Split | None]
    normalisation: Normalisation = Normalisation()
    note: str = ""
    source: str = ""
    licence: str = ""
    fingerprint: str = ""
    how: tuple[str, ...] = ()

    @cached_property
    def _splits(self) -> dict[str, Split | None]:
        return {}

    def split(self, name: Literal["training", "tuning", "held_out"]) -> Split | None:
        """Return a split, loaded once."""
        if name not in self._splits:
            self._splits[name] = self.load_split(name)
        return self._splits[name]

    def example(self, batch: int = 2) -> Tensor:
        """Return a (batch, *shape) float input with zero mean and unit variance, created without opening the
        data.
        """
        return torch.randn(batch, *self.shape, generator=torch.Generator().manual_seed(0))


@dataclass(frozen=True, eq=False)
class Subject:
    """A model in eval mode with its task. Shared between users, so never modified.

    Args:
        id: hash of everything that decides what it computes (see `identity`).
        name: as the user gave it.
        task: None if there is no data: everything but accuracy still works.
        card: what is known about it (training, accuracy), for samples.
        example: (2, *shape) input.
        preset: how pictures become its inputs.
        former_id: its id in version 1, so that runs kept then are found.
        reads: its inputs, if they are whole numbers or several side by side in one row; otherwise empty.
    """

    id: str
    name: str
    model: nn.Module
    task: Task | None
    example: Tensor
    card: Mapping[str, Any] = field(default_factory=dict)
    preset: Preset = Preset()
    former_id: str = ""
    reads: tuple[InputPart, ...] = ()

    @property
    def ids(self) -> tuple[str, ...]:
        """Return every id that kept runs may know it by, its own first."""
        return tuple(dict.fromkeys(name for name in (self.id, self.former_id) if name))
