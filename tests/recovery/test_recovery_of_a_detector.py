"""A detector that is trained here, in seconds: it learns, loses by a cut, and wins back by recovery."""

import pytest
import torch
from torch import Tensor, nn

from explorer.data.grid_boxes import STRIDES, boxes_of, centres, detection_loss
from explorer.engine.conditions import Conditions
from explorer.engine.measure import prune
from explorer.graph.analysed import Analysed, analyse
from explorer.recovery.recover import recover
from explorer.recovery.training_plan import RecoveryPlan
from explorer.values.progress import outcome
from explorer.values.recipe import Recipe
from explorer.values.subject import Subject, Task

SIDE, PICTURES, STEPS = 32, 96, 120
CUT = Recipe(channels={"stem.0": 0.5, "stem.3": 0.5})


def scenes() -> tuple[Tensor, Tensor]:
    """Pictures with a bar each, lying (class 0) or standing (class 1), and its box."""
    generator = torch.Generator().manual_seed(0)
    pictures, boxes = 0.1 * torch.randn(PICTURES, 1, SIDE, SIDE, generator=generator), []
    for picture in pictures:
        label = int(torch.randint(0, 2, (1,), generator=generator))
        wide, high = (14, 5) if label == 0 else (5, 14)
        x, y = (int(torch.randint(0, SIDE - size, (1,), generator=generator)) for size in (wide, high))
        picture[0, y : y + high, x : x + wide] += 1
        boxes.append([[x, y, x + wide, y + high, label]])
    return pictures, torch.tensor(boxes).float()


class Bars(nn.Module):
    """No anchors: each place of two grids says how far the sides of its box are, and the class."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(1, 12, 3, 2, 1),
            nn.BatchNorm2d(12),
            nn.ReLU(),
            nn.Conv2d(12, 24, 3, 2, 1),
            nn.BatchNorm2d(24),
            nn.ReLU(),
        )
        self.down = nn.Sequential(nn.Conv2d(24, 24, 3, 2, 1), nn.BatchNorm2d(24), nn.ReLU())
        self.heads = nn.ModuleList(nn.Conv2d(24, 6, 3, padding=1) for _ in STRIDES)
        for head in self.heads:
            nn.init.constant_(head.bias[:2], -3.0)
        self.register_buffer("places", centres(SIDE))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        fine = self.stem(x)
        grids = [head(grid) for head, grid in zip(self.heads, (fine, self.down(fine)), strict=True)]
        said = torch.cat([grid.flatten(2) for grid in grids], 2).transpose(1, 2)
        sides = said[..., 2:].clamp(-4, 4).exp() * self.places[:, 2:]
        middle = self.places[:, :2]
        return said[..., :2], torch.cat([middle - sides[..., :2], middle + sides[..., 2:]], -1)


@pytest.fixture(scope="module")
def trained() -> tuple[Analysed, list[float]]:
    """The detector, and its loss at each step."""
    pictures, boxes = scenes()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net, losses = Bars(), []
        optimiser = torch.optim.Adam(net.parameters(), 0.01)
        for step in range(STEPS):
            part = torch.arange(32) + 32 * (step % (PICTURES // 32))
            loss = detection_loss(net(pictures[part]), boxes[part])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            losses.append(float(loss.detach()))
    task = Task(
        "bars",
        (1, SIDE, SIDE),
        data={"training": (pictures, boxes), "tuning": (pictures, boxes)},
        metric="detection_f1",
        loss=detection_loss,
        answer=boxes_of,
        fingerprint="bars",
    )
    return analyse(Subject("bars", "bars", net.eval(), task, pictures[:2])), losses


def test_a_detector_learns_in_seconds(trained):
    model, losses = trained
    assert losses[-1] < 0.5 * losses[0]
    report = prune(model, Recipe(), Conditions(latency=False))
    assert report.baseline.metric == "detection_f1" and report.baseline.value > 0.8


def test_what_a_cut_takes_from_a_detector_recovery_gives_back(trained, tmp_path):
    model, _ = trained
    plan = RecoveryPlan(epochs=8, batch_size=16, learning_rate=0.02, augmentation="none")
    done = outcome(recover(model, CUT, plan, Conditions(latency=False), root=tmp_path))
    dense, cut, after = (
        one for one in (done.baseline, done.one_shot.measurement, done.recovered[0].measurement)
    )
    assert cut.value < dense.value - 0.2 and cut.loss > dense.loss
    assert after.value > cut.value + 0.2 and after.loss < cut.loss
