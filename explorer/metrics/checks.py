"""Requirements of metrics for outputs and targets, each with one sentence as error, and arithmetic that they
share.
"""

from typing import Any

import torch
from torch import Tensor

from ..errors import ExplorerError

IGNORED = -100  # a target that is ignored, as in torch.nn.functional.cross_entropy


def form_of(value: Any) -> str:
    """Return what something is, for a sentence.

    >>> form_of(torch.zeros(2, 3)), form_of({"boxes": 1}), form_of(None)
    ('a tensor of shape (2, 3)', "a dict with 'boxes'", 'nothing')
    """
    if isinstance(value, Tensor):
        return f"a tensor of shape {tuple(value.shape)}"
    if isinstance(value, dict):
        return f"a dict with {', '.join(map(repr, list(value)[:6]))}"
    return "nothing" if value is None else f"a {type(value).__name__}"


def refuse(metric: str, wanted: str, got: Any) -> ExplorerError:
    """Return the error to raise if a metric cannot read something."""
    return ExplorerError(f"Metric {metric!r} needs {wanted}, got {form_of(got)}.")


def scores_of(metric: str, outputs: Any, dims: tuple[int, ...], wanted: str) -> Tensor:
    """Return outputs as one float64 tensor with one of these numbers of dimensions.

    Raises:
        ExplorerError: they are something else.
    """
    return as_given(metric, outputs, dims, wanted).double()


def as_given(metric: str, outputs: Any, dims: tuple[int, ...], wanted: str) -> Tensor:
    """Return outputs as they are, one tensor with one of these numbers of dimensions.

    Raises:
        ExplorerError: they are something else.
    """
    if not isinstance(outputs, Tensor) or outputs.dim() not in dims:
        raise refuse(metric, wanted, outputs)
    return outputs.detach()


def class_targets(
    metric: str, targets: Any, shape: tuple[int, ...], classes: int, *, may_skip: bool = False
) -> Tensor:
    """Return targets as (*shape) int64 class numbers.

    Args:
        may_skip: IGNORED and 255 are allowed beyond the classes.
    Raises:
        ExplorerError: another shape, or a class that the model does not know.
    """
    wanted = whole_targets(metric, targets, shape)
    if are_classes(wanted, classes):
        return wanted
    real = wanted[~ignored(wanted, classes)] if may_skip else wanted
    if real.numel() and not 0 <= int(real.min()) <= int(real.max()) < classes:
        raise ExplorerError(
            f"Metric {metric!r} needs targets from 0 to {classes - 1}, since the model gives {classes} "
            f"scores; got {int(real.min())} to {int(real.max())}."
        )
    return wanted


def are_classes(targets: Tensor, classes: int) -> bool:
    """Whether each target is one of so many classes, none to be ignored."""
    if not targets.numel():
        return True
    low, high = targets.aminmax()
    return 0 <= int(low) <= int(high) < classes


def whole_targets(metric: str, targets: Any, shape: tuple[int, ...]) -> Tensor:
    """Return targets as (*shape) int64.

    Raises:
        ExplorerError: another shape, or not whole numbers.
    """
    if not isinstance(targets, Tensor) or tuple(targets.shape) != shape or targets.is_floating_point():
        raise refuse(metric, f"whole-number targets of shape {shape}", targets)
    return targets.long()


def check_yes_or_no(metric: str, targets: Tensor) -> None:
    """Refuse targets other than 0 and 1.

    Raises:
        ExplorerError: there is one, perhaps NaN.
    """
    if targets.numel() and not bool(((targets == 0) | (targets == 1)).all()):
        low, high = (float(end) for end in targets.double().aminmax())
        raise ExplorerError(f"Metric {metric!r} needs targets of 0 and 1, got {low:g} to {high:g}.")


def ignored(targets: Tensor, classes: int) -> Tensor:
    """Return which targets are ignored: IGNORED, and the 255 of masks if no class has that number."""
    return (targets == IGNORED) | ((targets == 255) & (classes <= 255))


def best_class(scores: Tensor, dim: int = 1) -> Tensor:
    """Return the class with the highest score along a dimension, int64; -1, which is no class, where a score
    is NaN, as `argmax` takes it for the highest.
    """
    place = scores.argmax(dim, keepdim=True)
    return place.where(~scores.gather(dim, place).isnan(), -1).squeeze(dim)


def share(part: Tensor, whole: Tensor, empty: float = 0.0) -> Tensor:
    """Return part / whole, or `empty` if the whole is zero."""
    return torch.where(whole > 0, part / whole.clamp_min(1e-300), torch.full_like(part, empty))


def mean_over_classes(values: Tensor, is_there: Tensor) -> Tensor:
    """Average (..., classes) over the classes that exist, to (...); 0 if none does."""
    return share((values * is_there).sum(-1), is_there.sum(-1).to(values.dtype))


def rows(*columns: Tensor) -> Tensor:
    """Join (samples,) or (samples, k) columns side by side to (samples, k) float64."""
    return torch.cat([c.double().reshape(len(c), -1) for c in columns], 1)


def counted(right: Tensor) -> Tensor:
    """Convert (samples,) bool to (samples, 2): right, and one."""
    return rows(right, torch.ones_like(right, dtype=torch.float64))


def ratio_of_two(sums: Tensor) -> Tensor:
    """Divide the first by the second of (..., 2), to (...)."""
    return share(sums[..., 0], sums[..., 1])


def f1_of(hits: Tensor, false_alarms: Tensor, misses: Tensor) -> Tensor:
    """Return F1 of counts; 0 if there is nothing at all."""
    return share(2 * hits, 2 * hits + false_alarms + misses)


def per_class(numbers: Tensor, classes: int, where: Tensor) -> Tensor:
    """Count how often each class occurs where it counts: (samples, ...) class numbers -> (samples,
    classes).
    """
    samples = len(numbers)
    place = torch.arange(samples, device=numbers.device).view(-1, *[1] * (numbers.dim() - 1)) * classes
    places = (place + numbers)[where]
    return torch.bincount(places, minlength=samples * classes).view(samples, classes).double()
