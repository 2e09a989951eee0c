"""A scan of a task without a loss plans with what its metric loses; zeros would spend on any part alike."""

import json

import numpy as np
import pytest

from explorer.commands.main import main
from explorer.engine.conditions import Conditions
from explorer.graph.analysed import analyse
from explorer.loaders.model_text import load, with_data
from explorer.loaders.own_task import with_metrics
from explorer.planning.joint_plan import JointWish, joint_plan
from explorer.studies.joint_losses import joint_losses
from explorer.studies.sensitivity.scan import scan
from explorer.studies.sensitivity.values import ScanPlan
from explorer.values.progress import as_work, outcome
from explorer.values.recipe import Recipe

FILE = """
import torch
from torch import nn
input_shape = (6,)
def make():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 3))
"""
PLAN = ScanPlan("channel", (0.25, 0.5), tolerance=None)


@pytest.fixture
def words(tmp_path, own_cache):
    """What a command is told: a model that gives numbers, and inputs alone."""
    (tmp_path / "net.py").write_text(FILE)
    np.savez(tmp_path / "alone.npz", x=np.random.default_rng(0).random((80, 6), np.float32))
    return [f"{tmp_path}/net.py:make", "--data", f"npz:{tmp_path}/alone.npz", "--metric", "relative_error"]


@pytest.fixture
def model(words):
    return analyse(with_metrics(with_data(load(words[0]), words[2]), words[4:]))


def test_parts_are_compared_by_what_the_metric_loses(model):
    found = outcome(scan(model, PLAN, Conditions()))
    assert not found.has_loss and found.losses() == found.drops()
    assert len({lost for points in found.losses().values() for _, lost in points}) == 4
    # negative control: with classes there is a loss, which is what counts
    digits = outcome(scan(analyse(load("digits-mlp")), PLAN, Conditions(samples=50)))
    assert digits.has_loss and digits.losses() != digits.drops()


def test_a_plan_takes_from_what_matters_least(model):
    losses = outcome(as_work(joint_losses(model, Recipe(), ["channel"], Conditions())))
    assert all(lost > 0 for points in losses["channel"].values() for _, lost in points)
    planned = joint_plan(model, Recipe(), JointWish(losses, 0.3))
    assert planned.channels


def test_no_loss_is_printed(words, capsys):
    assert main(["scan", *words, "--exact", "--ratios", "0.5"]) == 0
    head, *rows = capsys.readouterr().out.splitlines()
    place = head.index("loss")
    assert len(rows) == 2 and all(row[place] == "-" for row in rows)
    assert main(["scan", *words, "--exact", "--ratios", "0.5", "--json"]) == 0
    points = json.loads(capsys.readouterr().out)["points"]
    assert [point["loss_growth"] for point in points] == [None, None]
