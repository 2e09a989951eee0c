"""What cannot be done is refused before any model is run, however long the work before it would take."""

import pytest
import torch

from explorer.commands.main import main
from explorer.graph.analysed import analyse
from explorer.loaders.model_text import load
from explorer.machine import paths

SCAN = "--allocator sensitivity_budget --criterion l2"  # no scan of it comes with the model
TABLE = "recovery-table digits-mlp --ratios 0.5 --kinds channel"
REFUSED = {
    f"{TABLE} --epochs 1": "each arm needs at least 2 epochs, got 1.",
    f"{TABLE} --epochs 0": "each arm needs at least 2 epochs, got 0.",
    f"{TABLE} --epochs 2 --seeds 0,0": "'seeds' must list one or more values, each once",
    f"{TABLE} --epochs 2 --seeds 0,-1": "'seeds' must list 1 to 10 different whole numbers from 0",
    f"{TABLE} --epochs 2 --rates 0.1,1000": "'learning_rate' must be above 0 and at most 100",
    f"{TABLE},channel --epochs 2": "'kinds' must list one or more values, each once",
    f"{TABLE} --epochs 2 --ratios 0.5,0.9999": "global_threshold cannot reach 99.99 % here",
    f"{TABLE} --epochs 2 -o none/x.json": "'none/x.json' cannot be written (No such file or directory)",
    f"{TABLE} --epochs 2 -o .": "'.' cannot be written (Is a directory); choose another place.",
    f"prune digits-mlp --channels 0.5 {SCAN} --save-recipe none/x": "'none/x' cannot be written",
    f"export digits-mlp --channels 0.5 {SCAN} -o none/x": "'none/x' cannot be written",
    "search digits-mlp --save-recipe none/x": "'none/x' cannot be written",
    "search digits-mlp --save-recipe file/x": "'file/x' cannot be written (Not a directory)",
    "budget digits-mlp --largest-drop 0.01 --save-recipe none/x": "'none/x' cannot be written",
    "budget digits-mlp --largest-drop 2 --over channel --criterion l2": "The allowed drop must be in (0, 1)",
    "budget digits-mlp --largest-drop 0.1 --looks 0 --over channel --criterion l2": "must be from 1 to 20",
    "plan digits-mlp --target 0.3 --save-recipe none/x": "'none/x' cannot be written",
    "plan digits-mlp --target 1.5 --criterion l2": "Pruning ratio of 'the plan' must be in [0, 1), got 1.5.",
    "recover digits-mlp --channels 0.5 -o none/x": "'none/x' cannot be written",
    f"recover digits-mlp --channels 0.5 {SCAN} --epochs 0": "'epochs' must be a whole number from 1",
    f"recover digits-mlp --channels 0.5 {SCAN} --curve 0.5,x": "--curve takes strengths such as",
    f"recover digits-mlp --channels 0.5 {SCAN} --curve 1 --controls": "cannot be combined with --controls",
    "study live-numbers digits-mlp --output none/x": "'none/x' cannot be written",
    "study allocators digits-mlp nothing": "No sample model named 'nothing'.",
    "study repairs digits-mlp --training -3": "--training must be at least 1, got -3.",
    "latency digits-mlp --group hidden1 --seconds 0": "--seconds must be more than 0, got 0.",
    "latency digits-mlp --group hidden1 --seconds nan": "--seconds must be more than 0, got nan.",
    "audit digits-mlp nothing": "No sample model named 'nothing'.",
    "lessons what_pruning_is --keep none": "There is no folder 'none' to keep measurements in; create it.",
}


@pytest.fixture(scope="module", autouse=True)
def known():
    """Whoever knows the model already runs it no more to analyse it."""
    analyse(load("digits-mlp"))


@pytest.fixture
def forwards(monkeypatch, tmp_path):
    """How often any module has computed something, in an empty folder with an empty cache."""
    monkeypatch.setenv(paths.CACHE_VARIABLE, str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    counted: list[str] = []
    hook = torch.nn.modules.module.register_module_forward_hook(
        lambda module, *_: counted.append(type(module).__name__)
    )
    yield counted
    hook.remove()


@pytest.mark.parametrize("words, sentence", REFUSED.items())
def test_what_cannot_be_done_is_refused_before_any_model_runs(words, sentence, forwards, capsys):
    assert main(words.split()) == 2
    assert sentence in capsys.readouterr().err
    assert forwards == []


def test_what_can_be_done_runs_the_model(forwards, capsys):
    words = "plan digits-mlp --target 0.3 --over channel --criterion l2 --samples 20 --save-recipe /dev/null"
    assert main(words.split()) == 0
    assert "Wrote /dev/null" in capsys.readouterr().err
    assert forwards
