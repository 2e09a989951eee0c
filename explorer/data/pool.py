"""Splits samples by number into tuning, held-out and training: seeded, stratified, read when they are first
requested.
"""

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import torch
from torch import Tensor

from ..errors import UnknownNameError
from ..values.samples import SPLITS, Split
from .ordering import stratified_order

FACTS = 1000  # that are hashed at once
HALVES = "Tuning and held-out samples are two halves of the same data."


@dataclass(frozen=True, eq=False)
class Pool:
    """Samples that are not read yet.

    Args:
        targets: (n,) int64 class numbers.
        read: (k,) numbers of samples -> (k, *shape) inputs.
    """

    targets: Tensor
    read: Callable[[Tensor], Tensor]


def halves(pool: Pool) -> dict[str, Pool]:
    """Return tuning and held-out halves, each with the class mix of the whole."""
    order = stratified_order(pool.targets, seed=0)
    middle = (len(order) + 1) // 2
    return {"tuning": _part(pool, order[:middle]), "held_out": _part(pool, order[middle:])}


def _part(pool: Pool, numbers: Tensor) -> Pool:
    return Pool(pool.targets[numbers], lambda chosen: pool.read(numbers[chosen]))


def split_reader(pools: Mapping[str, Pool], samples: int) -> Callable[[str], Split | None]:
    """Return `Task.load_split`: the first samples of the stratified order of each pool; None if there is no
    such split.
    """

    def load_split(name: str) -> Split | None:
        if name not in SPLITS:
            raise UnknownNameError("split", name, SPLITS)
        pool = pools.get(name)
        if pool is None or not len(pool.targets):
            return None
        chosen = stratified_order(pool.targets, seed=0)[:samples]
        return Split(pool.read(chosen), pool.targets[chosen])

    return load_split


def inputs_reader(pools: Mapping[str, Pool], samples: int) -> Callable[[str], Split | None]:
    """Return `Task.load_split` for samples without targets."""
    read = split_reader(pools, samples)

    def load_split(name: str) -> Split | None:
        split = read(name)
        return split and Split(split.inputs)

    return load_split


def fingerprint(facts: Iterable[object]) -> str:
    """Return a hash of what defines the data."""
    digest, left = hashlib.sha256(), iter(facts)
    while some := list(islice(left, FACTS)):  # perhaps a million
        digest.update("\n".join([*map(repr, some), ""]).encode())
    return digest.hexdigest()[:16]


def file_facts(paths: Iterable[Path | str], root: Path) -> Iterator[tuple[str, int, int]]:
    """Yield name, bytes and modification time of each file, which identify the state of a folder."""
    start = len(str(root / "x")) - 1
    for path in paths:  # perhaps a million: relative_to takes longer than all else
        stat, name = os.stat(path), str(path)[start:]  # noqa: PTH116
        yield name if os.sep == "/" else name.replace(os.sep, "/"), stat.st_size, stat.st_mtime_ns


def as_targets(numbers: Iterable[int]) -> Tensor:
    """Return the numbers as (n,) int64."""
    return torch.tensor(list(numbers), dtype=torch.int64)
