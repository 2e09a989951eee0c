"""The outputs of a correct wiring, and how far a smaller model's outputs are from them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx

from ..graph.export import ModelGraph
from ..values.profile import Masks
from ..values.progress import Returning
from .awake import may_silence
from .faults import Fault, FaultyRun
from .masked_reference import masked_outputs
from .random_draws import Draws


@dataclass(frozen=True, eq=False)
class Expected:
    """The outputs of a correct wiring.

    Args:
        portions: inputs, each with the random numbers that the model drew for them.
        outputs: (inputs, values) of the masked model.
        awake: as in `called`.
    """

    portions: Sequence[tuple[Tensor, Draws]]
    outputs: Tensor
    awake: bool

    @torch.no_grad()
    def difference(self, twin: fx.GraphModule, fault: Fault | None = None) -> float:
        """Return the largest difference of a smaller model's outputs, relative to how much outputs vary over
        inputs.

        Relative to their size, a constant part would hide it.
        """
        runs = (FaultyRun(twin, draws, self.awake, fault).run(part) for part, draws in self.portions)
        found = torch.cat([flat(run) for run in runs])
        spread = (self.outputs.amax(0) - self.outputs.amin(0)).max().clamp(min=1e-300)
        return float((found - self.outputs).abs().max() / spread)


def flat(outputs: Any) -> Tensor:
    """Return all tensors of an output structure as (batch, values); complex numbers as two."""
    leaves = [_real(leaf) for leaf in torch.utils._pytree.tree_leaves(outputs) if isinstance(leaf, Tensor)]
    rows = max((len(leaf) for leaf in leaves if leaf.dim()), default=1)

    def fits(leaf):
        return leaf.dim() > 0 and len(leaf) == rows

    return torch.cat(
        [leaf.reshape(rows, -1) if fits(leaf) else leaf.reshape(1, -1).expand(rows, -1) for leaf in leaves], 1
    )


def _real(leaf: Tensor) -> Tensor:
    return (torch.view_as_real(leaf.resolve_conj()) if leaf.is_complex() else leaf).double()


def expected_answers(
    graph: ModelGraph, masks: Masks, state: Mapping[str, Tensor], parts: Sequence[Tensor]
) -> Returning[list[Expected]]:
    """Return the masked model's outputs, and, if some operators may silence units, its outputs when they
    cannot, if those can be computed.
    """
    assert graph.program is not None
    answers = [(yield from _silenced(graph, masks, state, parts, awake=False))]
    if may_silence(graph.program.graph.nodes):
        try:
            awake = yield from _silenced(graph, masks, state, parts, awake=True)
        except (RuntimeError, IndexError):  # such as a logarithm's argument that is then used as an index
            return answers
        answers += [awake] if bool(awake.outputs.isfinite().all()) else []
    return answers


def _silenced(
    graph: ModelGraph, masks: Masks, state: Mapping[str, Tensor], parts: Sequence[Tensor], *, awake: bool
) -> Returning[Expected]:
    found, portions = [], [(part, Draws()) for part in parts]
    for part, draws in portions:
        found.append(flat((yield from masked_outputs(graph, masks, state, part, draws, awake=awake))))
    return Expected(portions, torch.cat(found), awake)
