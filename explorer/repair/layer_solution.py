"""Solves for the weights of one layer, or of several that share them, from their inputs and wanted
outputs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add

import torch
from torch import Tensor, fx

from .columns import as_matrix, as_weight, columns, output_rows, positions_of, thinning
from .contractions import Contraction, attribute
from .gram import Sums, sums_of
from .masked import masked_change
from .ridge import chosen_strength, digits_lost, solved

ROWS = 64  # rows used for each column of a layer's inputs, if there are that many
HELD_BACK = 5  # every fifth batch chooses the ridge
WITHOUT_CHOICE = 1e-2  # the ridge if there are too few samples to hold some back
MOST_LOST = 1e4  # growth of rounding errors beyond which sums are computed in float64


@dataclass(frozen=True, eq=False)
class Use:
    """One place where a weight is used.

    Args:
        contraction: which one.
        inputs: its inputs in the repaired model, one per batch.
        missing: the dense layer's output at the remaining outputs, minus the current output.
        free: its outputs may shift: it has a bias, or a norm that follows removes every shift.
    """

    contraction: Contraction
    inputs: Sequence[Tensor]
    missing: Sequence[Tensor]
    free: bool


@dataclass(frozen=True, eq=False)
class Solution:
    """Changes of the parameters of one layer.

    Args:
        weight: (groups, n, out), in the order of `columns`.
        biases: bias -> (out,) change.
    """

    weight: Tensor
    biases: Mapping[str, Tensor]


def solution_of(model: fx.GraphModule, uses: Sequence[Use], mask: Tensor | None) -> Solution | None:
    """Return the change of a layer that restores most of what is missing; None if no change helps on
    held-back samples.

    Args:
        uses: of one weight.
        mask: of its single weights in its present shape, True = kept; None = all may change.
    """
    families = _families(model, uses)
    fit, held = _joined(families, (False,)), _joined(families, (True,))
    strength = chosen_strength(fit, held) if held.rows and fit.rows else WITHOUT_CHOICE
    if strength is None:
        return None
    every = _joined(families, (False, True))
    if digits_lost(every.gram, strength) > MOST_LOST:
        families = _families(model, uses, torch.double)
        every = _joined(families, (False, True))
    form = uses[0].contraction.form
    if mask is None:
        change = solved(every, strength)
    else:
        weight = as_matrix(form, _weight(model, uses[0]))
        change = masked_change(every, weight, as_matrix(form, mask), strength)
    biases = {
        str(uses[own[0]].contraction.bias): _sums(sums).bias(change).flatten()
        for own, sums in families
        if uses[own[0]].contraction.bias and uses[own[0]].free
    }
    return Solution(change, biases)


def applied(model: fx.GraphModule, contraction: Contraction, solution: Solution, share: float = 1.0) -> None:
    """Change the parameters of a layer by a share of the solution."""
    with torch.no_grad():
        weight = model.get_parameter(contraction.weight)
        change = as_weight(contraction.form, solution.weight.transpose(1, 2), weight.shape)
        weight.add_(change.to(weight.dtype) * share)
        for name, shift in solution.biases.items():
            bias = model.get_parameter(name)
            bias.add_(shift.to(bias.dtype) * share)


def _weight(model: fx.GraphModule, use: Use) -> Tensor:
    return model.get_parameter(use.contraction.weight).detach()


# --------------------------------------------------------------------------- sums

Family = tuple[list[int], list[tuple[bool, Sums]]]  # uses that share a bias; held back or not, and their sums


def _families(model: fx.GraphModule, uses: Sequence[Use], dtype: torch.dtype = torch.float32) -> list[Family]:
    """Group the uses: those that share a bias have common means; all others have their own."""
    by_bias: dict[int, list[int]] = {}
    for at, use in enumerate(uses):
        name = use.contraction.bias
        by_bias.setdefault(id(attribute(model, name)) if name and use.free else -1 - at, []).append(at)
    return [(own, _of_family([uses[at] for at in own], dtype)) for own in by_bias.values()]


def _of_family(uses: Sequence[Use], dtype: torch.dtype) -> list[tuple[bool, Sums]]:
    family: list[tuple[bool, Sums]] = []
    origin: Tensor | None = None
    for use in uses:
        form = use.contraction.form
        for batch, (inputs, missing) in enumerate(zip(use.inputs, use.missing, strict=True)):
            every = _every(use, inputs, missing)
            read = columns(form, inputs, every)
            if origin is None and use.free:
                origin = read.mean(1)
            sums = sums_of(read, output_rows(form, missing, every), origin, dtype)
            family.append((batch % HELD_BACK == HELD_BACK - 1, sums))
    return family


def _every(use: Use, inputs: Tensor, missing: Tensor) -> int:
    """Return the step between the rows that are used."""
    form = use.contraction.form
    positions = positions_of(form, missing)
    width = inputs.shape[-1 if form.kind in ("linear", "matrix") else 1]
    for k in form.kernel:
        width *= k
    wanted = ROWS * width // (form.groups * len(use.inputs))
    return thinning(len(missing) * positions, positions, wanted)


def is_thinned(use: Use) -> bool:
    """Whether some rows were not used."""
    return _every(use, use.inputs[0], use.missing[0]) > 1


def _sums(found: Sequence[tuple[bool, Sums]]) -> Sums:
    return reduce(add, (sums for _, sums in found))


def _joined(families: Sequence[Family], which: Sequence[bool]) -> Sums:
    """Return the sums of all uses together, minus the means if a bias is free; of held-back batches, or of
    the others.
    """
    parts = []
    for _, found in families:
        own = [sums for is_held, sums in found if is_held in which]
        total = reduce(add, own) if own else found[0][1].none()
        parts.append(total.centred() if total.origin is not None else total)
    return reduce(add, (part.alone() for part in parts))
