"""Notices models whose outputs are probabilities already, and gives losses and metrics scores to read.

A loss such as cross-entropy takes the logarithm of a softmax of its own; on probabilities it is wrong without
any sign of it. The logarithm of a softmax's probabilities and the logit of a sigmoid's are scores that give
the same probabilities back.
"""

import weakref
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from ..graph.compiler_guards import open_guard
from ..graph.quiet import counted_apart
from ..registry import METRICS
from ..values.metric import Metric
from ..values.subject import Subject, Task

Kind = Literal["softmax", "log_softmax", "sigmoid"]
LEAST = 1e-12  # probabilities below it have this one's logarithm
DIVERGENCE = "kl_divergence"
LAST: dict[str, Kind] = {
    "_softmax": "softmax",
    "_safe_softmax": "softmax",
    "_log_softmax": "log_softmax",
    "sigmoid": "sigmoid",
    "sigmoid_": "sigmoid",
}
# operators that move numbers without changing them
SAME = set(
    "view _unsafe_view reshape _reshape_alias squeeze squeeze_ unsqueeze permute transpose t clone "
    "contiguous detach alias expand _to_copy flatten select slice".split()
)
TOLD = {
    "softmax": "The model gives probabilities (softmax): the loss reads their logarithm.",
    "log_softmax": "The model gives logarithms of probabilities (log-softmax), which the loss can read.",
    "sigmoid": "The model gives probabilities (sigmoid): the loss reads their logit, and yes is 0.5 or more.",
}


class LastOperators(TorchDispatchMode):
    """Remembers which operator each tensor comes from, and the dimension of a softmax."""

    def __init__(self) -> None:
        super().__init__()
        self.kinds: dict[int, tuple[weakref.ref[Tensor], Kind, int]] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        name = func.overloadpacket.__name__
        first = args[0] if args and isinstance(args[0], Tensor) else None
        if isinstance(result, Tensor):
            self.kinds.pop(id(result), None)
            if name in LAST and first is not None:
                place = args[1] % first.dim() if name not in ("sigmoid", "sigmoid_") else 1
                self._remember(result, LAST[name], place)
            elif name in SAME and first is not None and (known := self.of(first)) is not None:
                self._remember(result, *known)
        return result

    def _remember(self, tensor: Tensor, kind: Kind, place: int) -> None:
        self.kinds[id(tensor)] = (weakref.ref(tensor), kind, place)

    def of(self, tensor: Tensor) -> tuple[Kind, int] | None:
        known = self.kinds.get(id(tensor))
        return known[1:] if known is not None and known[0]() is tensor else None


open_guard(LastOperators.__torch_dispatch__)


def kind_of(run: Callable[[], Any]) -> Kind | None:
    """Return what the last operator of an output is, if that gives probabilities of classes; None for scores
    and for anything else.
    """
    with counted_apart(), torch.no_grad(), LastOperators() as watch:
        try:
            output = run()
        except NotImplementedError:  # an operator with functions of its own, such as torch.cond
            return None
        known = watch.of(output) if isinstance(output, Tensor) else None
    if known is None or (known[0] != "sigmoid" and known[1] not in (1, output.dim() - 1)):
        return None
    return known[0]


def as_scores(kind: Kind, outputs: Any) -> Any:
    """Return scores whose softmax or sigmoid are the outputs.

    >>> as_scores("sigmoid", torch.tensor([0.5])).tolist(), as_scores("log_softmax", 3)
    ([0.0], 3)
    """
    if not isinstance(outputs, Tensor) or kind == "log_softmax":
        return outputs
    if kind == "softmax":
        return outputs.clamp_min(LEAST).log()
    return torch.logit(outputs.double(), eps=LEAST).to(outputs.dtype)


def reading_scores(subject: Subject, task: Task) -> Task:
    """Return the task with a rule that turns probabilities into scores, and a sentence that says so; the same
    task if outputs are scores, or if nothing of it reads scores.
    """
    if task.scores is not None or not any(map(_reads_scores, task.metrics)):
        return task
    pick = task.answer or _same
    try:
        kind = kind_of(lambda: pick(subject.model(subject.example)))
    except Exception:  # the border of the user's code, which fails with a sentence where it is measured
        return task
    if kind is None:
        return task
    how = (*task.how, TOLD[kind]) if TOLD[kind] not in task.how else task.how
    if kind == "sigmoid":
        task = replace(task, metric=tuple(map(_of_labels, task.metrics)))
    if kind == "log_softmax":
        return replace(task, how=how)
    return replace(task, how=how, scored=lambda outputs: as_scores(kind, outputs))


def _reads_scores(metric: str | Metric) -> bool:
    return (METRICS[metric]() if isinstance(metric, str) else metric).of_scores


def _of_labels(metric: str | Metric) -> str | Metric:
    """Return the metric for scores that are a yes or no each, which no softmax over them would read."""
    return METRICS[metric](labels=True) if metric == DIVERGENCE else metric


def _same(outputs: Any) -> Any:
    return outputs
