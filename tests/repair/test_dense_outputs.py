"""Repairs of models that answer at many places: a U-Net with skip connections and transposed convolutions,
and samples that detect or segment. No layer is worse than its cut on the inputs of the repair.
"""

from functools import cache

import pytest
import torch
from torch import Tensor, nn

from explorer.compaction.compact import compact
from explorer.graph.analysed import Analysed, analyse
from explorer.loaders.model_text import load
from explorer.pruning.decision import decide
from explorer.registry import SAMPLES
from explorer.repair.columns import output_rows
from explorer.repair.contractions import Contraction, contractions
from explorer.repair.dense_targets import DenseTargets
from explorer.repair.least_squares import LeastSquares
from explorer.repair.lockstep import Lockstep
from explorer.values.identity import subject_id
from explorer.values.profile import Masks
from explorer.values.recipe import Recipe
from explorer.values.subject import Subject

SAMPLES_OF_MANY_ANSWERS = [name for name in ("shapes-detector", "shapes-unet") if name in SAMPLES]


class UNet(nn.Module):
    """Two levels; the way up is a transposed convolution, and one that overlaps and has groups."""

    def __init__(self):
        super().__init__()

        def pair(inputs: int, outputs: int) -> nn.Sequential:
            conv = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
            return nn.Sequential(conv, nn.BatchNorm2d(outputs), nn.ReLU())

        self.enter, self.down, self.bottom = pair(3, 8), pair(8, 12), pair(12, 16)
        self.up = nn.ConvTranspose2d(16, 12, 2, 2)
        self.join = pair(24, 12)
        self.up_again = nn.ConvTranspose2d(12, 8, 4, 2, padding=1, groups=2)
        self.join_again, self.out = pair(16, 8), nn.Conv2d(8, 5, 1)

    def forward(self, x: Tensor) -> Tensor:
        first = self.enter(x)
        second = self.down(nn.functional.max_pool2d(first, 2))
        x = self.up(self.bottom(nn.functional.max_pool2d(second, 2)))
        x = self.up_again(self.join(torch.cat([x, second], 1)))
        return self.out(self.join_again(torch.cat([x, first], 1)))


@cache
def unet() -> Analysed:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = UNet()
        for _ in range(5):  # norms with statistics of their own
            network(torch.randn(8, 3, 16, 16))
        example = torch.randn(2, 3, 16, 16)
    return analyse(Subject(subject_id(network), "unet", network.eval(), None, example))


def halved(model: Analysed) -> Masks:
    return decide(model, Recipe(channels=dict.fromkeys(model.profile.free_groups, 0.5))).masks


def noise(model: Analysed, count: int = 5, size: int = 8) -> list[Tensor]:
    generator = torch.Generator().manual_seed(3)
    return [torch.randn(size, *model.subject.example.shape[1:], generator=generator) for _ in range(count)]


def repaired(model: Analysed, masks: Masks, batches) -> LeastSquares:
    work = LeastSquares(model, masks, compact(model, masks), compact(model, Masks({}, {})), batches)
    list(work.run())
    return work


def worse(model: Analysed, masks: Masks, work: LeastSquares, batches) -> dict[str, float]:
    """Layer -> how many times as much is missing as with the weights of the cut; those that got worse."""
    plain, small, ratios = compact(model, masks), work.small, {}
    walk = Lockstep(small, batches)
    targets = DenseTargets(model, masks, small, compact(model, Masks({}, {})), batches)
    for one in contractions(small):
        if one.weight not in work.done:
            continue
        walk.before(one.node)
        wanted, names = targets.of(one.node), list(filter(None, (one.weight, one.bias)))
        left = squares(one, wanted, walk.tried(one.node))
        repaired = {name: small.get_parameter(name).data.clone() for name in names}
        for name in names:
            small.get_parameter(name).data.copy_(plain.get_parameter(name))
        before = squares(one, wanted, walk.tried(one.node))
        for name, tensor in repaired.items():
            small.get_parameter(name).data.copy_(tensor)
        if left > before * (1 + 1e-5):
            ratios[one.weight] = left / before
    return ratios


def squares(one: Contraction, wanted, now) -> float:
    """What a layer lacks, over all rows; without a bias a norm is behind it, which removes every shift."""
    rows = torch.cat([output_rows(one.form, a - b) for a, b in zip(wanted, now, strict=True)], 1)
    return float((rows if one.bias else rows - rows.mean(1, keepdim=True)).square().sum())


def test_skips_and_transposed_convolutions_of_a_unet_are_repaired():
    model = unet()
    masks, batches = halved(model), noise(model)
    work = repaired(model, masks, batches)
    assert {"up.weight", "up_again.weight", "join.0.weight", "join_again.0.weight"} <= set(work.done)
    assert not work.result.unsolved and worse(model, masks, work, batches) == {}
    # the model's own answer is nearer to the dense one's, too
    plain, dense = compact(model, masks), compact(model, Masks({}, {}))
    with torch.no_grad():
        gaps = [
            sum(float((small(x) - dense(x)).square().sum()) for x in batches) for small in (work.small, plain)
        ]
    assert gaps[0] < 0.9 * gaps[1]


def test_a_layer_that_got_worse_is_seen():
    """The negative control: a weight that is spoilt after the repair."""
    model = unet()
    masks, batches = halved(model), noise(model)
    work = repaired(model, masks, batches)
    work.small.get_parameter("up.weight").data.add_(1.0)
    assert worse(model, masks, work, batches)["up.weight"] > 1


@pytest.mark.parametrize("name", SAMPLES_OF_MANY_ANSWERS)
def test_no_layer_of_a_sample_is_worse_on_the_inputs_of_the_repair(name):
    model = analyse(load(name))
    masks, batches = halved(model), noise(model, size=4)  # its own pictures take 8 s to draw
    work = repaired(model, masks, batches)
    assert len(work.done) >= 8 and not work.result.unsolved
    assert worse(model, masks, work, batches) == {}
