"""Can a channel be taken from what an operator reads, and what is lost is a channel of what it gives?

Found by trying the operator itself, without any rule: an oracle for what may stay frozen.
"""

from collections.abc import Iterator

import torch
from operator_models import Between, Case, example
from torch import Tensor

CLOSE = 1e-4


def removable(model: Between, case: Case) -> str | None:
    """How the operator's answer follows when channels go, or None where no way was found.

    Every set of channels that is tried must give the same way.
    """
    with torch.no_grad():
        inputs = [layer(example(case, 3)) for layer in model.before]
    held = [getattr(model, f"held{index}") for index in range(len(case.held))]
    size = inputs[0].shape[case.channel]
    if any(value.shape[case.channel] != size for value in inputs):
        return None
    ways: set[str] | None = None
    for gone in _sets(size):
        found = _ways(case, inputs, held, gone)
        ways = found if ways is None else ways & found
    return sorted(ways)[0] if ways else _halves(case, inputs, held, size)


def _sets(size: int) -> list[list[int]]:
    return [[0], [size - 1], [size // 2]] if size > 2 else [[0], [1]]


def _halves(case: Case, inputs: list[Tensor], held: list[Tensor], size: int) -> str | None:
    """Channels that go in pairs, one of each half."""
    half = size // 2
    if size % 2 or half < 2:
        return None
    tried = [_ways(case, inputs, held, [k, k + half], pairs=True) for k in (0, half - 1)]
    both = set.intersection(*tried)
    return f"{sorted(both)[0]} in pairs" if both else None


def _ways(
    case: Case, inputs: list[Tensor], held: list[Tensor], gone: list[int], pairs: bool = False
) -> set[str]:
    size = inputs[0].shape[case.channel]
    stay = [k for k in range(size) if k not in gone]
    less = [value.index_select(case.channel, torch.tensor(stay)) for value in inputs]
    zeros = [value.index_fill(case.channel, torch.tensor(gone), 0) for value in inputs]
    ways = set()
    with torch.no_grad():
        whole = _called(case, inputs, held)
        silent = _called(case, zeros, held)
        for own in _narrower(held, size, stay):
            narrow = _called(case, less, own)
            if whole is None or narrow is None:
                continue
            ways |= {way for way, same in _compared(whole, silent, narrow, size, gone, pairs) if same}
    return ways


def _called(case: Case, made: list[Tensor], held: list[Tensor]) -> Tensor | None:
    try:
        return case.call(made, held)
    except Exception:  # it cannot read what is left
        return None


def _narrower(held: list[Tensor], size: int, stay: list[int]) -> Iterator[list[Tensor]]:
    """The held tensors as they are, and each dimension of that size cut."""
    yield held
    for dim in range(4):
        cut = [
            t.index_select(dim, torch.tensor(stay)) if t.dim() > dim and t.shape[dim] == size else t
            for t in held
        ]
        if any(a is not b for a, b in zip(cut, held, strict=True)):
            yield cut


def _compared(
    whole: Tensor, silent: Tensor | None, narrow: Tensor, size: int, gone: list[int], pairs: bool
) -> Iterator[tuple[str, bool]]:
    if silent is not None and silent.shape == narrow.shape == whole.shape:
        yield "adds nothing when zero", torch.allclose(silent, narrow, atol=CLOSE)
    for dim in range(1, whole.dim()):
        length = whole.shape[dim]
        if narrow.dim() != whole.dim() or not 0 < narrow.shape[dim] < length:
            continue
        for way, lost in _patterns(length, size, gone, pairs):
            left = [k for k in range(length) if k not in lost]
            if len(left) == narrow.shape[dim]:
                same = whole.index_select(dim, torch.tensor(left))
                close = same.shape == narrow.shape and torch.allclose(same, narrow, atol=CLOSE)
                yield f"{way} of dimension {dim}", close


def _patterns(length: int, size: int, gone: list[int], pairs: bool) -> Iterator[tuple[str, set[int]]]:
    if length == size:
        yield "the same", set(gone)
    if pairs and length == size // 2:
        yield "one of each pair", {gone[0]}
    if length % size == 0 and length > size:
        times = length // size
        yield "its block", {k * times + i for k in gone for i in range(times)}
        yield "its copies", {k + i * size for k in gone for i in range(times)}
