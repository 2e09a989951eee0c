"""Collects what criteria need, once per subject: by passes over training data, and from the graph alone."""

from collections.abc import Callable, Iterable, Mapping
from typing import Never

from torch import Tensor

from ..errors import ExplorerError
from ..graph.analysed import Analysed
from ..machine.cache import Cache
from ..registry import CRITERIA, Plugin
from ..values.profile import Layer
from ..values.progress import Step, Work, outcome, result_of
from ..values.subject import Subject
from .calibration import USUAL, Calibration, Collected, activations, feature_maps, gradients, training_data
from .neighbours import neighbours, norms
from .synaptic_flow import flow_orders
from .values import LayerSignals, layer_signals

WITH_DATA = {"gradients": gradients, "activations": activations, "feature_maps": feature_maps}
WITHOUT_DATA = {"norms": norms, "neighbours": neighbours}
NEEDS = (*WITH_DATA, *WITHOUT_DATA, "flow")

_kept = Cache(12, "signals of criteria", 512 * 2**20)


def needs_data(criterion: Plugin) -> bool:
    """Whether the criterion reads training data."""
    return any(need in WITH_DATA for need in criterion.traits["needs"])


def check_data(subject: Subject, criterion: Plugin) -> None:
    """Check that the data that a criterion needs is there.

    Raises:
        ExplorerError: the criterion needs training data, and this model has none.
    """
    if needs_data(criterion) and training_data(subject) is None:
        able = ", ".join(name for name, other in CRITERIA.items() if not needs_data(other))
        lacking = f"Criterion {criterion.name!r} reads training data, which {subject.name!r} does not have."
        raise ExplorerError(f"{lacking} Without data work: {able}.")


def _key(subject: Subject, need: str, how: Calibration) -> tuple:
    task = subject.task.fingerprint if subject.task and need in WITH_DATA else None
    return (subject.id, task, need, how if need in WITH_DATA else how.device)


def _steps(model: Analysed, need: str, how: Calibration) -> Work[Collected]:
    if need in WITH_DATA:
        yield from WITH_DATA[need](model, how)
    elif need == "flow":
        yield from flow_orders(model, how.device)
    else:
        yield Step(WITHOUT_DATA[need](model))


def collect(model: Analysed, needs: Iterable[str], how: Calibration = USUAL) -> Work[Never]:
    """Collect what is needed and not yet known. Yields Progress after each batch, where it can also be closed
    to cancel it.

    Raises:
        ExplorerError: the model lacks what is to be collected.
    """
    for need in needs:
        key = _key(model.subject, need, how)
        if _kept.get(key) is None:
            _kept.put(key, (yield from result_of(_steps(model, need, how))))


def collected(
    model: Analysed, needs: Iterable[str], how: Calibration = USUAL
) -> dict[str, dict[str, Tensor]]:
    """Return layer -> signal -> tensor for all needs together."""
    together: dict[str, dict[str, Tensor]] = {}
    for need in needs:
        for layer, signals in _known(model, need, how).items():
            together.setdefault(layer, {}).update(signals)
    return together


def _known(model: Analysed, need: str, how: Calibration) -> Collected:
    key = _key(model.subject, need, how)
    signals: Collected | None = _kept.get(key)
    return _kept.put(key, outcome(_steps(model, need, how)) if signals is None else signals)


def signals_of(
    model: Analysed, criterion: Plugin, seed: int = 0, how: Calibration = USUAL
) -> Callable[[Layer], LayerSignals]:
    """Return what a criterion may look at, layer by layer.

    Raises:
        ExplorerError: the model lacks what the criterion needs.
    """
    check_data(model.subject, criterion)
    known: Mapping[str, Mapping[str, Tensor]] = collected(model, criterion.traits["needs"], how)
    return lambda layer: layer_signals(model.subject, layer, seed, known.get(layer.name))
