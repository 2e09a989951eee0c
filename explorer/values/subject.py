"""What is pruned, and the data that it is measured on."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import torch
from torch import Tensor, nn

from ..errors import ExplorerError
from .inputs import InputPart
from .metric import Metric
from .samples import Split, splits_of
from .text import TextForm

OF_CLASSES = ("accuracy", "top5", "balanced_accuracy", "macro_f1")  # metrics of one class per sample


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
        rate: samples a second of the sounds that it reads; 0: it does not say.
    """

    normalisation: Normalisation = Normalisation(1 / 255)
    resize: int = 0
    fit: Literal["crop", "stretch"] = "crop"
    interpolation: Literal["nearest", "bilinear", "bicubic", "lanczos"] = "bilinear"
    class_names: tuple[str, ...] = ()
    rate: int = 0


@dataclass(frozen=True)
class SizedSplits:
    """Makes splits whose sizes are known, so that none has to be made only to be counted.

    Args:
        make: the name of a split -> the split.
        sizes: the name of a split -> samples.
    """

    make: Callable[[str], Split]
    sizes: Mapping[str, int]

    def __call__(self, name: str) -> Split:
        return self.make(name)


@dataclass(frozen=True, eq=False)
class Task:
    """The data that a model is evaluated on; splits are created or read when they are first needed.

    Args:
        name: of the data set.
        shape: of one input, without the batch.
        class_names: one per class.
        load_split: "training", "tuning" or "held_out" -> Split, or None.
        normalisation: from stored inputs to what the model reads.
        note: shown next to the data, e.g. that it is small.
        source, licence: where the data comes from.
        fingerprint: hash of what defines the data, for the store's key.
        how: how the user's files were used, one sentence each: classes, normalisation, what was left out.
        data: in place of `load_split`: a data set of (input, target) pairs, a DataLoader of one, or a pair
            (inputs, targets) of tensors; or a dict of these by split. Data that is not a dict is halved into
            tuning and held-out samples, in a seeded order.
        metric: how good a model is: the name of a metric, or a Metric, or several, of which the first
            decides.
        loss: (outputs, targets) -> mean loss, for criteria and training; None: that of the metric.
        answer: picks what is judged from the model's outputs.
        scores: (model, (inputs, targets)) -> (samples,), higher is better: a whole evaluation of your own, in
            place of metric.
        scored: turns outputs that are probabilities into scores, for metrics and losses that read scores;
            None: they are no probabilities, or nobody looked.
        show: (sample, answer) -> a picture, (height, width) or (height, width, 3), or a text: what a sample
            (input, target) looks like with a model's answer to it; answer None: the sample alone.
        vocabulary: how many whole numbers from 0 an input may contain, such as tokens; 0: inputs are
            fractions.
        text: how text becomes its inputs, for tasks of text.
    """

    name: str
    shape: tuple[int, ...] = ()
    class_names: tuple[str, ...] = ()
    load_split: Callable[[str], Split | None] | None = None
    normalisation: Normalisation = Normalisation()
    note: str = ""
    source: str = ""
    licence: str = ""
    fingerprint: str = ""
    how: tuple[str, ...] = ()
    data: Any = None
    metric: str | Metric | Sequence[str | Metric] = "accuracy"
    loss: Callable[[Any, Any], Tensor] | None = None
    answer: Callable[[Any], Any] | None = None
    scores: Callable[[nn.Module, tuple[Any, Any]], Tensor] | None = None
    scored: Callable[[Any], Any] | None = None
    show: Callable[[Any, Any], Any] | None = None
    vocabulary: int = 0
    text: TextForm | None = None

    def __post_init__(self) -> None:
        if self.load_split is None and self.data is None:
            raise ExplorerError(f"Task {self.name!r} needs data, such as data=my_dataset, or a load_split.")
        given = self.metric if isinstance(self.metric, Sequence) else [self.metric]
        if not given:
            raise ExplorerError(f"Task {self.name!r} has no metric; name one, such as 'accuracy' or 'mae'.")
        for metric in [self.metric] if isinstance(self.metric, str) else given:
            if not isinstance(metric, str | Metric):
                raise ExplorerError(
                    f"The metric of task {self.name!r} must be a name, an explorer.Metric, or several, got "
                    f"{type(metric).__name__}."
                )
        if self.load_split is None:
            object.__setattr__(self, "load_split", splits_of(self.name, self.data).get)

    @property
    def metrics(self) -> tuple[str | Metric, ...]:
        """Return the requested metrics; the first decides."""
        return (self.metric,) if isinstance(self.metric, str | Metric) else tuple(self.metric)

    @property
    def tells_classes(self) -> bool:
        """Whether outputs are one class per sample, so that they can be right or wrong by class."""
        return bool(self.class_names) and self.scores is None and self.metrics[0] in OF_CLASSES

    def scores_of(self, outputs: Any) -> Any:
        """Return what metrics and losses of scores read from a model's outputs."""
        picked = outputs if self.answer is None else self.answer(outputs)
        return picked if self.scored is None else self.scored(picked)

    @cached_property
    def _splits(self) -> dict[str, Split | None]:
        return {}

    def split(self, name: Literal["training", "tuning", "held_out"]) -> Split | None:
        """Return a split, loaded once."""
        if name not in self._splits:
            assert self.load_split is not None
            self._splits[name] = self.load_split(name)
        return self._splits[name]

    def size_of(self, name: Literal["training", "tuning", "held_out"]) -> int:
        """Return how many samples a split has; 0 if there is none."""
        if isinstance(self.load_split, SizedSplits):
            return self.load_split.sizes[name]
        split = self.split(name)
        return len(split) if split is not None else 0

    def has(self, name: Literal["training", "tuning", "held_out"]) -> bool:
        """Whether there are samples of a split."""
        return self.size_of(name) > 0

    def example(self, batch: int = 2) -> Tensor:
        """Return a (batch, *shape) input, created without opening the data: random tokens, or floats of zero
        mean and unit variance.
        """
        generator = torch.Generator().manual_seed(0)
        if self.vocabulary:
            return torch.randint(self.vocabulary, (batch, *self.shape), generator=generator)
        return torch.randn(batch, *self.shape, generator=generator)


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
        text: how text becomes its input, for models that read tokens.
        outputs: picks what is judged from the model's outputs, such as one entry of a dict, unless its task
            has an `answer`; None: all of them.
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
    text: TextForm | None = None
    outputs: Callable[[Any], Any] | None = None

    def answer(self, inputs: Tensor) -> Any:
        """Return what the model answers to a batch: the part of its outputs that is judged."""
        outputs = self.model(inputs)
        return outputs if self.outputs is None else self.outputs(outputs)

    @property
    def ids(self) -> tuple[str, ...]:
        """Return every id that kept runs may know it by, its own first."""
        return tuple(dict.fromkeys(name for name in (self.id, self.former_id) if name))
