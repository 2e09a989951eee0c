"""A model that is too large in float32 stays in the format of its files, mapped; all else works as ever."""

import io
import shutil
import zipfile

import pytest
import torch
from load.large_model import make
from safetensors.torch import load as tensors_of
from safetensors.torch import save_file

from explorer.audit.audit import audit
from explorer.engine.conditions import Conditions
from explorer.engine.measure import prune
from explorer.errors import ExplorerError, LoadError
from explorer.exporters.export import export
from explorer.graph.analysed import analyse
from explorer.graph.size_limits import twin
from explorer.loaders.model_text import load
from explorer.measuring.storage_size import dense_file, to_bytes
from explorer.values.recipe import Recipe

LIMIT = "PRUNING_EXPLORER_MAX_PARAMETERS"
FEW = Conditions(8, latency=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("large")
    return place, make(place, "tiny")


@pytest.fixture
def large(folder, monkeypatch):
    """Too large in float32, and not in 16 bits."""
    place, weights = folder
    monkeypatch.setenv(LIMIT, str(3 * weights // 4))
    return analyse(load(f"hf:{place}@8"))


def test_it_is_read_cut_measured_proven_and_exported_in_its_own_format(large):
    kept = {parameter.dtype for parameter in large.subject.model.parameters()}
    assert kept == {torch.bfloat16} and "stays in bfloat16" in large.subject.card["description"]
    recipe = Recipe(channels=dict.fromkeys(large.profile.free_groups, 0.25))
    report = prune(large, recipe, FEW)
    assert report.environment["dtype"] == "bfloat16" and report.pruned.value < report.baseline.value == 1
    assert report.pruned.params < report.baseline.params
    assert audit(large, recipe).verified
    with zipfile.ZipFile(io.BytesIO(export(large, recipe))) as files:
        written = tensors_of(files.read("model.safetensors"))
    short = [tensor for tensor in written.values() if tensor.dtype == torch.bfloat16]
    assert sum(tensor.numel() for tensor in short) == report.pruned.params


def test_where_it_fits_it_is_in_float32_and_half_the_limit_is_too_small(folder, monkeypatch):
    place, weights = folder
    assert load(f"hf:{place}@8").model.get_parameter("lm_head.weight").dtype == torch.float32
    monkeypatch.setenv(LIMIT, str(weights // 3))
    with pytest.raises(LoadError, match="too large"):
        load(f"hf:{place}@8")


@pytest.mark.parametrize("dtype", [torch.int8, torch.uint8, torch.float8_e4m3fn])
def test_quantised_weights_are_refused(folder, tmp_path, dtype):
    """Read as fractions they would be other weights. The control is the folder as it was."""
    for file in folder[0].iterdir():
        shutil.copyfile(file, tmp_path / file.name)
    assert load(f"hf:{tmp_path}@8").task is None
    file = sorted(tmp_path.glob("*.safetensors"))[0]
    tensors = tensors_of(file.read_bytes())
    name = next(name for name, tensor in tensors.items() if tensor.dim() == 2)
    save_file(tensors | {name: tensors[name].to(dtype)}, file, {"format": "pt"})
    with pytest.raises(LoadError, match="so its weights are quantised; give the folder"):
        load(f"hf:{tmp_path}@8")


def test_the_effect_of_a_format_that_it_is_in_already_is_refused(large):
    with pytest.raises(ExplorerError, match="stored in bfloat16"):
        prune(large, Recipe(), Conditions(8, latency=False, dtype="bfloat16"))


def test_a_file_in_pieces_is_the_file(large):
    tensors = {name: tensor.detach() for name, tensor in large.subject.model.state_dict().items()}
    file = dense_file(
        {**tensors, "empty": torch.zeros(0), "count": torch.tensor(3), "same": tensors["lm_head.weight"]}
    )
    whole = b"".join(file.pieces)
    assert len(whole) == file.size and set(tensors_of(whole)) >= {"empty", "count", "lm_head.weight"}
    assert b"".join(dense_file(tensors).pieces) == to_bytes(tensors, "dense")


def test_a_twin_shares_memory_and_no_tensor(large):
    model, other = large.subject.model, twin(large.subject.model)
    for (name, mine), (_, its) in zip(model.named_parameters(), other.named_parameters(), strict=True):
        assert mine is not its and mine.data_ptr() == its.data_ptr(), name
