"""Blocks are removed and the rest is trained: kept, loaded again, and exported without them."""

import io
import zipfile

import pytest
import torch
from residual_digits import residual_digits

from explorer.engine.conditions import Conditions
from explorer.exporters.load_pruned import load_pruned
from explorer.exporters.recovered_model import export_recovered
from explorer.recovery.recover import recover, recovered_model
from explorer.recovery.training_plan import suggested
from explorer.values.progress import outcome
from explorer.values.recipe import Recipe

QUICK = Conditions(latency=False)
RECIPE = Recipe(blocks=("blocks.0", "blocks.1"), channels={"blocks.3.0": 0.5}, weights={"fc": 0.5})


@pytest.fixture(scope="module")
def model():
    return residual_digits()


@pytest.mark.parametrize("method", ["finetune", "iterative"])
def test_a_model_without_blocks_is_trained_and_written(method, model, tmp_path):
    changes = {"rounds": 2} if method == "iterative" else {}
    plan = suggested(model.subject, method=method, epochs=2, **changes)
    recovery = outcome(recover(model, RECIPE, plan, QUICK, root=tmp_path))
    cut, end = recovery.one_shot, recovery.recovered[0]
    assert recovery.finished and end.measurement.accuracy > cut.measurement.accuracy
    small = recovered_model(model, recovery.key, root=tmp_path)
    names = {name for name, _ in small.named_parameters()}
    assert {name.split(".")[1] for name in names if name.startswith("blocks.")} == {"2", "3"}
    assert float((small.fc.weight == 0).float().mean()) == pytest.approx(0.5, abs=0.01)
    task = model.subject.task
    tuning = task.split("tuning")
    inputs = task.normalisation(tuning.inputs)
    with torch.no_grad():
        answers = small(inputs)
    assert int((answers.argmax(1) == tuning.targets).sum()) == end.measurement.correct
    written = export_recovered(model, recovery, root=tmp_path)
    zipfile.ZipFile(io.BytesIO(written)).extractall(tmp_path / "zip")
    with torch.no_grad():
        assert torch.allclose(load_pruned(tmp_path / "zip")[0](inputs), answers, atol=1e-5)
