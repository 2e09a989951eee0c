"""Norm statistics measured again: exactly those of the data, and nothing else changes."""

import pytest
import torch
from torch import nn

from explorer.repair.bn_recalibration import recalibrate
from explorer.values.samples import Split
from explorer.values.subject import Normalisation


def data(samples: int) -> Split:
    inputs = torch.randn(samples, 3, 4, 4, generator=torch.Generator().manual_seed(0)) * 2 + 1
    return Split(inputs, torch.zeros(samples, dtype=torch.long))


def model() -> nn.Sequential:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(
            nn.BatchNorm2d(3), nn.Dropout(0.9), nn.Conv2d(3, 2, 1), nn.BatchNorm2d(2), nn.Flatten()
        ).eval()


def test_one_batch_gives_the_statistics_of_the_data():
    net, split = model(), data(64)
    net[0].running_mean += 5
    assert recalibrate(net, split, Normalisation(), batch=64) == 2
    assert torch.allclose(net[0].running_mean, split.inputs.mean((0, 2, 3)), atol=1e-6)
    assert torch.allclose(net[0].running_var, split.inputs.var((0, 2, 3)), rtol=1e-4)


def test_batches_count_the_same():
    net, split = model(), data(96)
    recalibrate(net, split, Normalisation(), batch=32)
    batches = split.inputs.view(3, 32, 3, 4, 4)
    assert torch.allclose(net[0].running_mean, batches.mean((1, 3, 4)).mean(0), atol=1e-6)
    assert torch.allclose(net[0].running_var, batches.var((1, 3, 4)).mean(0), rtol=1e-4)


def test_an_incomplete_last_batch_and_samples_beyond_the_limit_are_left_out():
    net, same = model(), model()
    recalibrate(net, data(65), Normalisation(), batch=32)
    recalibrate(same, data(65).first(64), Normalisation(), batch=32)
    assert torch.equal(net[0].running_mean, same[0].running_mean)
    recalibrate(net, data(96), Normalisation(), samples=70, batch=32)
    assert torch.equal(net[0].running_var, same[0].running_var)


def test_a_single_sample_in_the_last_batch_is_no_error():
    net = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(48)).eval()
    assert recalibrate(net, data(33), Normalisation(), batch=32) == 1


def test_only_norm_statistics_change_and_modes_and_momenta_are_restored():
    net = model()
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    momenta = [m.momentum for m in net.modules() if isinstance(m, nn.BatchNorm2d)]
    recalibrate(net, data(64), Normalisation())
    changed = {name for name, tensor in net.state_dict().items() if not torch.equal(before[name], tensor)}
    assert changed == {
        f"{i}.{leaf}" for i in (0, 3) for leaf in ("running_mean", "running_var", "num_batches_tracked")
    }
    assert not any(module.training for module in net.modules())
    assert momenta == [m.momentum for m in net.modules() if isinstance(m, nn.BatchNorm2d)] == [0.1, 0.1]


def test_inputs_are_normalised():
    net, split = model(), data(64)
    recalibrate(net, split, Normalisation(1.0, (1.0,), (2.0,)))
    assert torch.allclose(net[0].running_mean, (split.inputs.mean((0, 2, 3)) - 1) / 2, atol=1e-6)


@pytest.mark.parametrize(
    ("net", "samples"), [(nn.Sequential(nn.Flatten(), nn.Linear(48, 2)), 64), (model(), 1), (model(), 0)]
)
def test_without_norms_or_data_nothing_is_recalibrated(net, samples):
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    assert recalibrate(net, data(samples), Normalisation()) == 0
    assert all(torch.equal(before[name], tensor) for name, tensor in net.state_dict().items())
