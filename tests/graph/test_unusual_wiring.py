"""Unusual wiring: the smaller model answers as the model's own code with the removed units at zero, and costs
what a plain count of its products says.
"""

import copy
from typing import Any

import pytest
import torch
from rows import some
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from unusual_models import MODELS

from explorer.audit.audit import audit
from explorer.engine.candidate import prepare
from explorer.graph.analysed import Analysed, analyse
from explorer.graph.running import fixed_batch
from explorer.values.recipe import Recipe
from explorer.values.subject import Subject

# numbers over channels or weights are those of what is left, so zeros are no equal of a cut
OVER_CHANNELS = "WeightStd", "SoftmaxSum", "LNVariants"


class Products(TorchDispatchMode):
    """Counts multiply-adds from the shapes of products alone."""

    def __init__(self) -> None:
        super().__init__()
        self.macs = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        name = func.overloadpacket.__name__
        if name in ("mm", "bmm", "addmm", "baddbmm"):
            self.macs += result.numel() * args[1 if name.startswith(("add", "badd")) else 0].shape[-1]
        elif name == "convolution":
            self.macs += (args[0] if args[6] else result).numel() * args[1][0].numel()
        elif "attention" in name:
            query, key, value = args[:3]
            pairs = query.shape[:-1].numel() * key.shape[-2]
            self.macs += pairs * (query.shape[-1] + value.shape[-1])
        return result


def macs_of(model: nn.Module, samples: Tensor) -> int:
    with torch.no_grad(), Products() as products:
        model(samples)
    return products.macs // len(samples)


def analysed_of(name: str, seed: int) -> Analysed:
    kind, shape = MODELS[name]
    torch.manual_seed(seed)
    network, example = kind().eval(), torch.randn(2, *shape)
    for parameter in network.parameters():
        if parameter.dim() == 1:
            parameter.data.normal_()
    return analyse(Subject(f"{name} {seed}", name, network, None, example))


def with_zeros(analysed: Analysed, kept: Any) -> nn.Module:
    """The model's own code, with zeros wherever a removed unit has a place."""
    network = copy.deepcopy(analysed.subject.model)
    tensors = {**dict(network.named_parameters()), **dict(network.named_buffers())}
    for group in analysed.profile.groups:
        for slot in group.slots if group.name in kept else ():
            if slot.tensor not in tensors or slot.tensor.endswith("running_var"):
                continue
            gone = [
                place for place, unit in enumerate(slot.unit_of) if unit >= 0 and not kept[group.name][unit]
            ]
            with torch.no_grad():
                tensors[slot.tensor].index_fill_(slot.dim, torch.tensor(gone, dtype=torch.long), 0)
    return network


@pytest.mark.parametrize("name", some(MODELS, 4))
def test_unusual_wiring_is_cut_rightly(name):
    for seed in (0, 1):
        analysed = analysed_of(name, seed)
        x = analysed.subject.example
        one = x[: fixed_batch(analysed.graph.program) or 1]  # len(x) in a model's code fixes the batch
        assert analysed.profile.free_groups and not analysed.profile.error
        assert analysed.profile.macs == macs_of(analysed.subject.model, one)
        for ratio in (0.2, 0.5, 0.8):
            small = prepare(analysed, Recipe(channels=dict.fromkeys(analysed.profile.free_groups, ratio)))
            assert small.static.macs == macs_of(small.model, one)
            with torch.no_grad():
                answers = small.model(x)
                expected = with_zeros(analysed, small.cut.masks.channels)(x)
            if name not in OVER_CHANNELS:
                assert torch.allclose(answers, expected, rtol=1e-3, atol=1e-4 * float(expected.abs().max()))
    report = audit(analysed)
    assert report.verified and report.max_rel_diff < 1e-8, report.reason
