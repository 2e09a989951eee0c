"""What criteria of blocks look at: how much each residual block changes what passes through it."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx
from torch.nn import functional

from ..errors import ExplorerError
from ..graph.analysed import Analysed
from ..graph.blocks import ResidualBranch
from ..graph.labels import varying
from ..graph.program import output_of
from ..graph.rules.call import labelled
from ..graph.running import GraphRun, fixed_batch, tensors_of
from ..machine.cache import Cache
from ..values.progress import Step, Work, reached
from ..values.samples import moved
from .calibration import training_data

SAMPLES, BATCH = 256, 32
_cosines = Cache(8, "how much blocks change")


@dataclass(frozen=True)
class BlockSignals:
    """One residual block as a criterion sees it.

    Args:
        cosine: mean cosine between what goes in and what comes out; None = not collected.
    """

    name: str
    seed: int = 0
    cosine: float | None = None

    def generator(self) -> torch.Generator:
        """Return random numbers of this block and seed."""
        digest = hashlib.sha256(f"{self.seed} {self.name}".encode()).digest()
        return torch.Generator().manual_seed(int.from_bytes(digest[:7], "big"))


def block_cosines(model: Analysed, device: str = "cpu") -> Work[Mapping[str, float]]:
    """Yield Progress after each batch of training inputs, and at the end block -> mean cosine between what
    goes in and what comes out. Collected once per model; no label is read.

    Raises:
        ExplorerError: there is no training data, or no graph.
    """
    task, split = model.subject.task, training_data(model.subject)
    if task is None or split is None or model.graph.program is None:
        raise ExplorerError(
            "block_influence reads training inputs, and this model has none; add some with --data, or "
            "choose random."
        )
    key = (model.subject.id, task.fingerprint, device)
    known = _cosines.get(key)
    if known is None:
        run = _CosineRun(model, device)
        split, batch = split.first(SAMPLES), fixed_batch(model.graph.program) or BATCH
        done = 0
        while done < len(split) and (done + batch <= len(split) or done == 0 or batch == BATCH):
            until = min(done + batch, len(split))
            run.see(task.normalisation(moved(split.inputs_at(done, until), device)))
            done = until
            yield reached(done, len(split), "Comparing what goes into blocks with what comes out")
        known = _cosines.put(key, run.means())
    yield Step(known)


class _CosineRun(GraphRun):
    """The dense graph; each sum of a block is compared with what is left without it."""

    def __init__(self, model: Analysed, device: str):
        assert model.graph.program is not None and model.graph.coupling is not None
        super().__init__(model.graph.program, device)
        self._tensors = tensors_of(model.subject, model.graph.program, device)
        free = [one for one in model.graph.branches if one.block.reason is None]
        self._ends: dict[str, ResidualBranch] = {one.total.name: one for one in free}
        values = model.graph.coupling.values
        self._dims = {name: _channels(values.get(name), one.total) for name, one in self._ends.items()}
        self._sums = {one.block.name: [0.0, 0.0] for one in free}

    @torch.no_grad()
    def see(self, inputs: Tensor) -> None:
        """Run one batch."""
        self.outputs(self._tensors, inputs)

    def run_node(self, n: fx.Node) -> Any:
        branch = self._ends.get(n.name)
        if branch is not None:
            args, _ = self.fetch_args_kwargs_from_env(n)
            names = [source.name for source in n.args[:2]]  # type: ignore[union-attr]
            before = args[names.index(branch.start.name)].float()
            after = (args[0] + args[1]).float()
            cosine = functional.cosine_similarity(before, after, self._dims[n.name]).double()
            total = self._sums[branch.block.name]
            total[0], total[1] = total[0] + float(cosine.sum()), total[1] + cosine.numel()
        return super().run_node(n)

    def means(self) -> dict[str, float]:
        return {name: total / max(1.0, count) for name, (total, count) in self._sums.items()}


def _channels(value: Any, node: fx.Node) -> int:
    """Return the dimension of a value along which its channels lie; the last one if no layer says."""
    for one in labelled([value]):
        for array in one.arrays:
            dims = [dim for dim in varying(array) if dim > 0]
            if len(dims) == 1:
                return dims[0]
    return output_of(node).dim() - 1
