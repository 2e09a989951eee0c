"""Checks that the graph belongs to this model: both run the same inputs, with the same weights and random
numbers.

torch's fused kernels for whole transformer layers are switched off, as they were when the graph was read: in
16 bits they round in other places than the layer's own code.
"""

import torch
from torch import Tensor

from ..graph.analysed import Analysed
from ..graph.quiet import without_fast_path
from ..graph.running import GraphRun, tensors_of
from .comparison import flat
from .conditioned_model import portions, random_inputs
from .random_draws import seeded

SEED = 0


def difference_of_graph(model: Analysed) -> float:
    """Return the largest difference between the outputs of a model and of its graph, relative to the largest
    output. Both compute in the model's own precision.
    """
    assert model.graph.program is not None
    inputs = portions(random_inputs(model), model.graph)[0].to(model.subject.example.dtype)
    run = GraphRun(model.graph.program, "cpu")
    tensors = tensors_of(model.subject, model.graph.program, "cpu")
    kept = {
        name: tensor.clone() for name, tensor in model.subject.model.named_buffers()
    }  # a forward may write to them
    with torch.no_grad(), without_fast_path():
        with seeded(SEED):
            own = flat(model.subject.model(inputs.clone()))
        with seeded(SEED):
            traced = flat(run.outputs(tensors | kept, inputs.clone()))
    return _apart(own, traced)


def _apart(own: Tensor, traced: Tensor) -> float:
    if own.shape != traced.shape:
        return float("inf")
    equal = (own == traced) | (own.isnan() & traced.isnan())
    largest = own[own.isfinite()].abs().max() if bool(own.isfinite().any()) else own.new_tensor(1.0)
    return float(torch.where(equal, 0.0, (own - traced).abs()).max() / largest.clamp(min=1e-30))
