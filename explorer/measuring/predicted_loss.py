"""The loss of a cut that the dense model's gradients predict, to first order, compared with the measured one.

Removing a part changes the loss by minus the sum of its weights times their gradients, if the loss were a
straight line (LeCun et al. 1989; Molchanov et al. 2019, arXiv:1906.10771). At the end of training gradients
are close to zero while the loss is curved, so the prediction is far too small for all but gentle cuts; this
is here to show that.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from ..errors import ExplorerError
from ..graph.analysed import Analysed
from ..pruning.masks import positions
from ..signals.calibration import Calibration, training_data
from ..signals.collection import collect, collected
from ..values.profile import Masks, ModelProfile
from ..values.progress import Step, Work
from ..values.report import Report
from ..values.subject import Subject

MOST_SAMPLES, LEAST_SAMPLES = 256, 16
WORK = 2e11  # multiply-adds that the gradients may cost: a second or two on a processor
PASSES = 3  # a backward pass costs about two forward ones
BATCH, STEP_WORK = (
    32,
    2e10,
)  # maximum samples of one step, and its multiply-adds: a move of a fader waits for its end
DIGITS = 3


def gradient_samples(profile: ModelProfile) -> int:
    """Return the number of training samples for the gradients: fewer for a large model.

    >>> from explorer.values.profile import ModelProfile
    >>> gradient_samples(ModelProfile((), (), 0, 10**6)), gradient_samples(ModelProfile((), (), 0, 10**10))
    (256, 16)
    """
    affordable = int(WORK / (PASSES * max(1, profile.macs)))
    return min(MOST_SAMPLES, max(LEAST_SAMPLES, affordable))


def gradient_batch(profile: ModelProfile) -> int:
    """Return the samples of one step.

    >>> from explorer.values.profile import ModelProfile
    >>> gradient_batch(ModelProfile((), (), 0, 10**6)), gradient_batch(ModelProfile((), (), 0, 4 * 10**9))
    (32, 1)
    """
    return min(BATCH, max(1, int(STEP_WORK / (PASSES * max(1, profile.macs)))))


def predicted_change(model: Analysed, masks: Masks, device: str = "cpu") -> Work[float]:
    """Yield Progress while gradients are collected, once per model, and at the end the predicted change in
    nats.

    Only Progress is yielded if there is no prediction: no training data, units that no weight produces, or
    removed blocks, which gradients of weights say nothing about.
    """
    if training_data(model.subject) is None or masks.blocks:
        return
    how = Calibration(gradient_samples(model.profile), gradient_batch(model.profile), device)
    try:
        yield from collect(model, ["gradients"], how)
        known = collected(model, ["gradients"], how)
    except ExplorerError:  # such as fewer samples than the model reads at once: then there is no prediction
        return
    gates = _channels(model.profile, masks, known)
    if gates is not None:
        yield Step(-(gates + _weights(model.subject, model.profile, masks, known)))


def _channels(profile: ModelProfile, masks: Masks, known: Mapping[str, Mapping[str, Tensor]]) -> float | None:
    """Return the sum over removed units of the derivative by a gate on all that reads them."""
    total, groups = 0.0, {group.name: group for group in profile.groups}
    makers = {layer.weight: layer for layer in profile.prunable_layers.values()}
    for name, mask in masks.channels.items():
        gated = [
            slot
            for slot in groups[name].slots
            if slot.producer
            and slot.tensor in makers
            and slot.dim == makers[slot.tensor].output_dim
            and makers[slot.tensor].name in known
        ]
        if not gated:
            return None
        line, own = known[makers[gated[0].tensor].name]["gate_gradient"], gated[0].units >= 0
        gates = torch.zeros(groups[name].units, dtype=torch.double)
        gates[gated[0].units[own]] = line[
            own
        ].double()  # each position of a unit has the value of the whole unit
        total += float(gates[~mask].sum())
    return total


def _weights(
    subject: Subject, profile: ModelProfile, masks: Masks, known: Mapping[str, Mapping[str, Tensor]]
) -> float:
    """Return the sum of weight times gradient over removed weights of kept channels."""
    total, cut = 0.0, positions(profile, masks.channels)
    for name, mask in masks.weights.items():
        weight = profile.prunable_layers[name].weight
        gone = ~mask
        for dim, line in cut.get(weight, {}).items():
            gone = gone & line.view([-1 if d == dim else 1 for d in range(mask.dim())])
        change = (
            known[name]["gradient"].double() * subject.model.get_parameter(weight).detach().cpu().double()
        )
        total += float(change[gone].sum())
    return total


# --------------------------------------------------------------------------- in words


@dataclass(frozen=True)
class LossWords:
    """The loss of a report for the screen; "" if something was not measured."""

    dense: str = ""
    pruned: str = ""
    change: str = ""
    predicted: str = ""


def loss_words(report: Report) -> LossWords:
    """Return measured losses on the same samples, their difference, and the prediction of the gradients, in
    nats.
    """
    dense, now, foretold = report.baseline.loss, report.pruned.loss, report.predicted_loss_change
    if dense is None and now is None:
        return LossWords()
    if dense is None or now is None:  # measured for one alone: a note says what happened to the other
        return LossWords(_words(dense), _words(now), "unknown")
    change = "" if report.recipe.is_empty else _signed(now - dense)
    is_known = foretold is not None and math.isfinite(foretold) and not report.recipe.is_empty
    predicted = _signed(foretold) if foretold is not None and is_known else ""
    return LossWords(_words(dense), _words(now), change, predicted)


def _words(nats: float | None) -> str:
    return "not a number" if nats is None else f"{nats:.{DIGITS}f}"


def _signed(nats: float) -> str:
    """Return a number with its sign.

    >>> _signed(0.25), _signed(-0.00001)
    ('+0.250', '+0.000')
    """
    return f"{round(nats, DIGITS) + 0.0:+.{DIGITS}f}"  # adding 0.0 removes the sign of a zero
