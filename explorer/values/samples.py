"""Samples in their fixed order: trees of tensors, or a data set that is read one batch at a time."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, default_collate

from ..errors import LoadError
from ..machine.foreign_code import description

READ = 64  # samples read together if a whole split is needed
KEPT_BYTES = 2**30  # of samples that were read, kept for the next recipe
SEED = 0


def leaves_of(tree: Any) -> list[Any]:
    """Return the tensors of a tree of tuples and dicts; for a list, which has one entry per sample, the list
    itself.
    """
    if isinstance(tree, Mapping):
        return [leaf for part in tree.values() for leaf in leaves_of(part)]
    if isinstance(tree, tuple):
        return [leaf for part in tree for leaf in leaves_of(part)]
    return [] if tree is None else [tree]


def mapped_tree(change: Callable[..., Any], *trees: Any) -> Any:
    """Apply a function to trees of the same form, leaf by leaf.

    >>> mapped_tree(lambda a, b: a + b, {"x": (1, 2)}, {"x": (3, 4)})
    {'x': (4, 6)}
    """
    first = trees[0]
    if isinstance(first, Mapping):
        return {key: mapped_tree(change, *(tree[key] for tree in trees)) for key in first}
    if isinstance(first, tuple):
        return tuple(mapped_tree(change, *parts) for parts in zip(*trees, strict=True))
    return None if first is None else change(*trees)


def moved(tree: Any, device: str | torch.device) -> Any:
    """Return a tree with its tensors on a device; everything else is unchanged."""
    if isinstance(tree, list):
        return [moved(part, device) for part in tree]
    if isinstance(tree, Mapping | tuple):
        return mapped_tree(lambda leaf: moved(leaf, device), tree)
    return tree.to(device, non_blocking=True) if isinstance(tree, Tensor) else tree


def bytes_of(tree: Any) -> int:
    """Return the bytes of all tensors of a tree."""
    if isinstance(tree, list):
        return sum(map(bytes_of, tree))
    if isinstance(tree, Mapping | tuple):
        return sum(map(bytes_of, leaves_of(tree)))
    return tree.nbytes if isinstance(tree, Tensor) else 0


@dataclass(frozen=True, eq=False)
class Split:
    """Samples in their fixed order: seeded, stratified if targets are classes.

    Args:
        inputs: a tree of (n, *shape) tensors of any type; pictures as uint8, which are kept small and
            normalised on the device.
        targets: a tree with n rows: (n,) int64 class numbers, masks, numbers, a list with one entry per
            sample ...; None: there are no labels.
        units: (n,) int64: samples with the same number, such as windows of one document, vary together, so
            an interval treats them as one; None: each sample is on its own.
    """

    inputs: Any
    targets: Any = None
    units: Tensor | None = None

    def __len__(self) -> int:
        leaves = leaves_of(self.inputs)
        return len(leaves[0]) if leaves else 0

    def first(self, samples: int) -> "Split":
        units = None if self.units is None else self.units[:samples]
        return Split(self.inputs_at(0, samples), self.targets_at(0, samples), units)

    def inputs_at(self, start: int, stop: int) -> Any:
        """Return the inputs of samples `start` to `stop`, as they are stored."""
        return mapped_tree(lambda leaf: leaf[start:stop], self.inputs)

    def targets_at(self, start: int, stop: int) -> Any:
        """Return the targets of samples `start` to `stop`."""
        return mapped_tree(lambda leaf: leaf[start:stop], self.targets)

    def chosen(self, numbers: Tensor) -> tuple[Any, Any]:
        """Return inputs and targets of these samples, (k,) int64, such as a shuffled batch."""
        return mapped_tree(lambda leaf: _picked(leaf, numbers), self.inputs), mapped_tree(
            lambda leaf: _picked(leaf, numbers), self.targets
        )


@dataclass(frozen=True, eq=False)
class SampleSource:
    """A data set of the user, and how its samples become a batch.

    Args:
        name: for sentences about it.
        samples: an object with a length, and a sample at each number.
        collate: a list of samples -> a batch, as in torch.utils.data.
    """

    name: str
    samples: Any
    collate: Callable[[list[Any]], Any] = default_collate
    kept: dict[tuple[int, ...], tuple[Any, Any]] = field(default_factory=dict)

    def batch(self, numbers: list[int], *, keep: bool = True) -> tuple[Any, Any]:
        """Return inputs and targets of these samples; kept while there is room.

        Raises:
            LoadError: a sample cannot be read, or samples do not fit into one batch.
        """
        key = tuple(numbers)
        if key in self.kept:
            return self.kept[key]
        found = self.read(numbers)
        if keep and sum(map(bytes_of, self.kept.values())) + bytes_of(found) <= KEPT_BYTES:
            self.kept[key] = found
        return found

    def read(self, numbers: list[int]) -> tuple[Any, Any]:
        """Read these samples once more, whether they are kept or not.

        Raises:
            LoadError: as of `batch`.
        """
        return self._pair([self._sample(number) for number in numbers])

    def _sample(self, number: int) -> Any:
        try:
            return self.samples[number]
        except (Exception, SystemExit) as error:  # the border of the user's code
            raise LoadError(
                f"Data set {self.name!r} fails at sample {number} of {len(self.samples)} "
                f"({description(error)})."
            ) from error

    def _pair(self, samples: list[Any]) -> tuple[Any, Any]:
        try:
            batch = self.collate(samples)
        except Exception as error:  # the border of the user's code
            raise LoadError(
                f"Samples of data set {self.name!r} do not fit into one batch ({description(error)}); make "
                "them of one shape, or give a DataLoader with a collate_fn."
            ) from error
        if is_dataclass(batch) and not isinstance(batch, type):
            batch = tuple(getattr(batch, part.name) for part in fields(batch))
        is_pair = isinstance(batch, tuple | list) and len(batch) == 2
        inputs, targets = batch if is_pair else (batch, None)
        inputs, targets = (_in_form(part, len(samples)) for part in (inputs, targets))
        for leaf in [*leaves_of(inputs), *leaves_of(targets)]:
            if isinstance(leaf, str) or (isinstance(leaf, list) and leaf and isinstance(leaf[0], str)):
                raise LoadError(f"Samples of data set {self.name!r} hold text; give tensors, such as tokens.")
            if not hasattr(leaf, "__len__") or len(leaf) != len(samples):
                raise LoadError(
                    f"A batch of {len(samples)} samples of data set {self.name!r} must have as many inputs "
                    f"and targets; one of them has {len(leaf) if hasattr(leaf, '__len__') else 'no length'}."
                )
        return inputs, targets


def _in_form(tree: Any, rows: int) -> Any:
    """Turn lists of tensors with a row per sample, which is how torch stacks tuples, into tuples."""
    if isinstance(tree, Mapping):
        return {key: _in_form(part, rows) for key, part in tree.items()}
    if isinstance(tree, tuple):
        return tuple(_in_form(part, rows) for part in tree)
    stacked = isinstance(tree, list) and tree and all(isinstance(t, Tensor) and t.dim() for t in tree)
    return tuple(tree) if stacked and all(len(t) == rows for t in tree) else tree


class ReadSplit(Split):
    """Samples of a data set, read one batch at a time when they are needed.

    Args:
        numbers: of the samples, in their order.
    """

    source: SampleSource
    numbers: list[int]

    def __init__(self, source: SampleSource, numbers: list[int]):
        object.__setattr__(self, "source", source)
        object.__setattr__(self, "numbers", numbers)

    def __len__(self) -> int:
        return len(self.numbers)

    def first(self, samples: int) -> "ReadSplit":
        return ReadSplit(self.source, self.numbers[:samples])

    def _batch(self, start: int, stop: int) -> tuple[Any, Any]:
        return self.source.batch(self.numbers[start:stop])

    def inputs_at(self, start: int, stop: int) -> Any:
        return self._batch(start, stop)[0]

    def targets_at(self, start: int, stop: int) -> Any:
        return self._batch(start, stop)[1]

    def chosen(self, numbers: Tensor) -> tuple[Any, Any]:
        return self.source.batch([self.numbers[n] for n in numbers.tolist()], keep=False)

    @cached_property
    def _whole(self) -> tuple[Any, Any]:
        parts = [self._batch(start, start + READ) for start in range(0, len(self), READ)]
        inputs, targets = zip(*parts, strict=True)
        return mapped_tree(_joined, *inputs), mapped_tree(_joined, *targets)

    @property
    def inputs(self) -> Any:  # type: ignore[override]
        """Return all inputs at once, for code that chooses among them."""
        return self._whole[0]

    @property
    def targets(self) -> Any:  # type: ignore[override]
        return self._whole[1]


class DerivedSplit(Split):
    """Another split with its inputs changed, or with other targets, one batch at a time.

    Args:
        change: inputs as they are stored -> others.
        answers: (start, stop) -> targets, in place of those that are stored.
    """

    split: Split
    change: Callable[[Any], Any] | None
    answers: Callable[[int, int], Any] | None

    def __init__(
        self,
        split: Split,
        change: Callable[[Any], Any] | None = None,
        answers: Callable[[int, int], Any] | None = None,
    ):
        for name, value in {"split": split, "change": change, "answers": answers}.items():
            object.__setattr__(self, name, value)

    def __len__(self) -> int:
        return len(self.split)

    def first(self, samples: int) -> "DerivedSplit":
        return DerivedSplit(self.split.first(samples), self.change, self.answers)

    def inputs_at(self, start: int, stop: int) -> Any:
        found = self.split.inputs_at(start, stop)
        return found if self.change is None else self.change(found)

    def targets_at(self, start: int, stop: int) -> Any:
        return self.split.targets_at(start, stop) if self.answers is None else self.answers(start, stop)

    def chosen(self, numbers: Tensor) -> tuple[Any, Any]:
        inputs, targets = self.split.chosen(numbers)
        return (inputs if self.change is None else self.change(inputs)), targets

    @property
    def inputs(self) -> Any:  # type: ignore[override]
        return self.split.inputs if self.change is None else self.change(self.split.inputs)

    @property
    def targets(self) -> Any:  # type: ignore[override]
        return self.split.targets if self.answers is None else self.answers(0, len(self))

    @property
    def units(self) -> Tensor | None:  # type: ignore[override]
        return self.split.units


def _joined(*parts: Any) -> Any:
    return torch.cat(parts) if isinstance(parts[0], Tensor) else [one for part in parts for one in part]


SPLITS = ("training", "tuning", "held_out")


def splits_of(name: str, data: Any) -> dict[str, Split]:
    """Return splits of a Task's data; data that is not a dict is halved into tuning and held-out samples, in
    a seeded order.

    Raises:
        LoadError: not a data set, or one without samples.
    """
    if isinstance(data, Mapping) and set(data) <= set(SPLITS) and data:
        return {split: split_from(name, part) for split, part in data.items()}
    if isinstance(data, Mapping):
        strange = next((key for key in data if isinstance(key, str) and key not in SPLITS), None)
        if strange is not None:
            raise LoadError(
                f"Data of task {name!r} has a part {strange[:80]!r}; the parts of a dict are called "
                "'tuning', 'held_out' and 'training'."
            )
    whole = split_from(name, data)
    order = torch.randperm(len(whole), generator=torch.Generator().manual_seed(SEED)).tolist()
    middle = (len(order) + 1) // 2
    halves = {"tuning": order[:middle], "held_out": order[middle:]}
    return {split: _chosen(whole, numbers) for split, numbers in halves.items() if numbers}


def split_from(name: str, data: Any) -> Split:
    """Return one split of a data set, a DataLoader, or (inputs, targets); samples in their own order.

    Raises:
        LoadError: it is none of these, or has no samples.
    """
    if isinstance(data, Split):
        return data
    if isinstance(data, tuple) and len(data) == 2 and leaves_of(data[0]):
        data = tuple(mapped_tree(_as_tensor, part) for part in data)
        rows = {len(leaf) for part in data for leaf in leaves_of(part)}
        if rows == {0}:
            raise LoadError(f"Data of task {name!r} has no samples.")
        if len(rows) != 1:
            raise LoadError(f"Data of task {name!r} has {_many(rows)} rows; give as many targets as inputs.")
        return Split(*data)
    if (
        isinstance(data, tuple)
        and all(hasattr(part, "__array__") for part in data)
        and len({tuple(part.shape) for part in data}) > 1
    ):
        raise LoadError(
            f"Data of task {name!r} has {len(data)} tensors; give a pair, ((first, second), targets) for "
            "several inputs."
        )
    collate = default_collate
    if isinstance(data, DataLoader):
        data, collate = data.dataset, data.collate_fn or default_collate
    if not hasattr(data, "__len__") or not hasattr(data, "__getitem__"):
        raise LoadError(
            f"Data of task {name!r} must be a data set with a length and numbered samples, a DataLoader of "
            f"one, or a pair of tensors, got a {type(data).__name__}."
        )
    if not len(data):
        raise LoadError(f"Data of task {name!r} has no samples.")
    return ReadSplit(SampleSource(name, data, collate), list(range(len(data))))


def _as_tensor(leaf: Any) -> Any:
    """Return arrays of numpy as tensors."""
    return leaf if isinstance(leaf, Tensor | list) else torch.as_tensor(leaf)


def _many(rows: set[int]) -> str:
    return " and ".join(f"{n:,}" for n in sorted(rows))


def _chosen(split: Split, numbers: list[int]) -> Split:
    if isinstance(split, ReadSplit):
        return ReadSplit(split.source, [split.numbers[n] for n in numbers])
    return Split(*split.chosen(torch.tensor(numbers)))


def _picked(leaf: Any, numbers: Tensor) -> Any:
    return leaf[numbers] if isinstance(leaf, Tensor) else [leaf[n] for n in numbers.tolist()]
