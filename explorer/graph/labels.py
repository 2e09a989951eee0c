"""Label arrays say which channel is at which position of a tensor. Data movement is executed on them."""

from dataclasses import dataclass, field

import torch
from torch import Tensor

FIXED = -1  # a position whose content no unit owns (model input, constant)
FILL = -2  # a padded position, before it gets its own label


@dataclass(frozen=True, eq=False)
class Labelled:
    """A tensor of the graph at batch 1, with its labels.

    Args:
        meta: the tensor on the meta device: shape and dtype only.
        arrays: int64 label arrays of its rank; extent 1 along dimensions in which they do not vary.
        parameter: it consists of parameters alone.
        known: its values, if they are whole numbers that are the same for every input.
    """

    meta: Tensor
    arrays: tuple[Tensor, ...] = ()
    parameter: bool = False
    known: Tensor | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.meta.shape)

    def expanded(self, array: Tensor) -> Tensor:
        return array.expand(self.shape)


def varying(array: Tensor) -> frozenset[int]:
    """Return the dimensions along which labels differ."""
    return frozenset(d for d, extent in enumerate(array.shape) if extent > 1)


def compress(array: Tensor) -> Tensor:
    """Return the same labels with extent 1 along dimensions in which they do not vary."""
    for dim, extent in enumerate(array.shape):
        if extent > 1:
            first = array.narrow(dim, 0, 1)
            if array.stride(dim) == 0 or bool((array == first).all()):
                array = first
    return array.contiguous()


def compressed(arrays: "list[Tensor] | tuple[Tensor, ...]") -> tuple[Tensor, ...]:
    """Return compressed arrays, without those that contain only FIXED."""
    small = (compress(a) for a in arrays)
    return tuple(a for a in small if a.numel() > 1 or (a.numel() == 1 and int(a) != FIXED))


def lifted(array: Tensor, rank: int) -> Tensor:
    """Add leading dimensions of extent 1, as in broadcasting."""
    return array.reshape((1,) * (rank - array.dim()) + tuple(array.shape))


@dataclass(eq=False)
class Ties:
    """What the walk over the graph finds: ties, freezes, producers, and why."""

    labels: int = 0
    batch: int = 1  # of a graph that was written for only one
    edges: list[tuple[Tensor, Tensor]] = field(default_factory=list)
    frozen: list[tuple[Tensor, str]] = field(default_factory=list)
    reasons: list[tuple[int, str]] = field(default_factory=list)
    heads: list[Tensor] = field(default_factory=list)
    picked: list[tuple[Tensor, int, str]] = field(default_factory=list)
    missing: list[tuple[Tensor, frozenset[int], str]] = field(default_factory=list)
    passing: list[Tensor] = field(
        default_factory=list
    )  # arrays inside one operator, rectangular like all others
    pieces: list[Tensor] = field(
        default_factory=list
    )  # labels of each piece that is taken out; none may lose all of them
    nested: list[tuple[Tensor, Tensor, str]] = field(default_factory=list)  # (wide, narrow): see `nest`
    computed: set[int] = field(default_factory=set)  # labels of the outputs of layers
    tables: set[int] = field(default_factory=set)  # labels of what is not a parameter, such as masks
    inner: bool = False  # follow the copies of what is copied, in place of what is copied (see `inner_heads`)
    copies: set[int] = field(default_factory=set)  # labels of copies
    has_copied: bool = False  # copies of what a layer produces lie along one dimension

    def fresh(self, shape: tuple[int, ...], dim: int) -> Tensor:
        """Return new labels, one per position along `dim`."""
        size = shape[dim]
        labels = torch.arange(self.labels, self.labels + size)
        self.labels += size
        return labels.reshape(tuple(size if d == dim else 1 for d in range(len(shape))))

    def copied(self, shape: tuple[int, ...], dim: int) -> Tensor:
        """Return new labels of copies, one per position along `dim`."""
        labels = self.fresh(shape, dim)
        self.copies.update(labels.flatten().tolist())
        return labels

    def is_copy(self, array: Tensor) -> bool:
        """Whether it labels copies."""
        return array.numel() > 0 and int(array.flatten()[0]) in self.copies

    def is_made(self, array: Tensor) -> bool:
        """Whether a layer produces it, as far as is known by now; otherwise nothing could cut it (a position,
        a table).
        """
        return array.numel() > 0 and not self.computed.isdisjoint(array.flatten().unique().tolist())

    def says_more(self, array: Tensor, present: Tensor) -> bool:
        """Whether the first of two tied arrays is nearer to a layer: a parameter, or an output of a layer."""
        if self.is_made(array) or self.is_made(present):
            return not self.is_made(present)
        held = [not self.tables.isdisjoint(a.flatten().tolist()) for a in (array, present)]
        return held == [False, True]

    def tie(self, a: Tensor, b: Tensor, why: str = "") -> None:
        """Tie labels that meet (after broadcasting), so that they are removed together; one that meets FIXED
        is frozen.
        """
        a, b = torch.broadcast_tensors(a, b)
        a, b = a.flatten(), b.flatten()
        free = (a >= 0) & (b >= 0)
        if bool(free.all()):
            self.edges.append((a, b))
        else:
            self.edges.append((a[free], b[free]))
            self.freeze(torch.cat([a[~free], b[~free]]), why or "meets values that no layer produces")
        if why and bool(free.any()):
            self.reasons.append((int(a[free][0]), why))

    def nest(self, wide: Tensor, narrow: Tensor, why: str) -> None:
        """Record meeting labels of which some vary along fewer dimensions; whether they are tied is decided
        once all ties are known.

        If the wide ones form units that do not vary along those dimensions (whole heads), the narrow ones are
        shared by all units and are kept; otherwise they are tied, position by position.
        """
        if bool((wide < 0).any()) or bool((narrow < 0).any()):
            self.tie(wide, narrow, why)
        else:
            self.nested.append((wide, narrow, why))

    def freeze(self, labels: Tensor, why: str) -> None:
        labels = labels.flatten()
        self.frozen.append((labels[labels >= 0], why))

    def tie_along(self, array: Tensor, dims: frozenset[int]) -> Tensor:
        """Tie all labels that differ only along `dims`; return the array with extent 1 there."""
        first = array
        for dim in dims:
            first = first.narrow(dim, 0, 1)
        self.tie(array, first.expand(array.shape))
        return first

    def components(self) -> Tensor:
        """Return the class of each label: (labels,) int64, the smallest label of the class."""
        parent = torch.arange(self.labels)
        if not self.edges:
            return parent
        a = torch.cat([edge[0] for edge in self.edges])
        b = torch.cat([edge[1] for edge in self.edges])
        different = a != b
        a, b = a[different], b[different]
        while True:
            low = torch.minimum(parent[a], parent[b])
            high = torch.maximum(parent[a], parent[b])
            if bool((low == high).all()):
                return parent
            parent = parent.scatter_reduce(0, high, low, "amin")
            while True:  # pointer jumping until each label points at its root
                shorter = parent[parent]
                if torch.equal(shorter, parent):
                    break
                parent = shorter
