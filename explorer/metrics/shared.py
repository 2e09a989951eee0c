"""What several metrics of a task read from the same batch, computed once."""

import threading
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

_here = threading.local()


@contextmanager
def one_batch() -> Iterator[None]:
    """Until the end, `shared` remembers what it computes in this thread.

    The tensors of a batch must not change in the meantime.
    """
    before, _here.known = getattr(_here, "known", None), {}
    try:
        yield
    finally:
        _here.known = before


def shared(make: Callable[..., Any], *of: Tensor) -> Any:
    """Return make(*of), which is computed once for tensors of a batch that show the same memory alike.

    >>> with one_batch():
    ...     one = Tensor([1])
    ...     shared(Tensor.exp, one) is shared(Tensor.exp, one.detach())
    True
    """
    known: dict[Any, Any] | None = getattr(_here, "known", None)
    if known is None:
        return make(*of)
    key = (make, *map(_memory, of))
    if key not in known:
        known[key] = (make(*of), of)  # the tensors stay, so that no other gets their memory
    return known[key][0]


def _memory(tensor: Tensor) -> Hashable:
    """Return what two views of the same numbers share."""
    if tensor.layout != torch.strided or tensor.device.type == "meta":
        return id(tensor)
    sign = tensor.is_conj(), tensor.is_neg()
    return tensor.data_ptr(), tensor.shape, tensor.stride(), tensor.dtype, tensor.device, sign
