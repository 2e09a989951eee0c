"""A vision transformer of transformers, pruned: the folder that is written loads there and answers alike."""

import io
import json
import zipfile
from importlib.util import find_spec

import pytest
import torch

from explorer.engine.candidate import prepare
from explorer.errors import ExplorerError
from explorer.exporters.export import export
from explorer.graph.analysed import analyse
from explorer.loaders.model_text import load
from explorer.machine.optional_packages import uses_torchvision
from explorer.values.recipe import Recipe

pytestmark = pytest.mark.skipif(find_spec("transformers") is None, reason="the extra 'hf' is not installed")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    transformers = uses_torchvision("transformers")
    torch.manual_seed(1)
    config = transformers.ViTConfig(
        hidden_size=16,
        num_hidden_layers=3,
        num_attention_heads=2,
        intermediate_size=24,
        image_size=32,
        patch_size=8,
        num_labels=5,
    )
    folder = tmp_path_factory.mktemp("hf") / "vit"
    net = transformers.ViTForImageClassification(config)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.2)
    net.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text('{"size": {"height": 32, "width": 32}}')
    return analyse(load(f"hf:{folder}"))


def layer(model, number):
    return tuple(b.name for b in model.profile.blocks if f".{number}." in f"{b.name}.")


def unpacked(written, folder):
    zipfile.ZipFile(io.BytesIO(written)).extractall(folder)
    return uses_torchvision("transformers").AutoModelForImageClassification.from_pretrained(
        folder, local_files_only=True
    )


def test_layers_are_renumbered_and_answers_stay(model, tmp_path):
    recipe = Recipe(blocks=layer(model, 1))
    assert len(recipe.blocks) == 2
    folder_model = unpacked(export(model, recipe, "transformers"), tmp_path).eval()
    assert folder_model.config.num_hidden_layers == 2 and (tmp_path / "preprocessor_config.json").is_file()
    assert json.loads((tmp_path / "config.json").read_text())["architectures"] == [
        "ViTForImageClassification"
    ]
    x = torch.randn(64, 3, 32, 32)
    with torch.no_grad():
        ours, theirs, dense = (
            prepare(model, recipe).model(x),
            folder_model(pixel_values=x).logits,
            model.subject.model(x),
        )
    assert torch.allclose(ours, theirs, atol=1e-5)
    assert not torch.allclose(ours, dense, atol=1e-2)
    assert torch.equal(ours.argmax(1), theirs.argmax(1))  # so the count of right answers is the same
    again = analyse(load(f"hf:{tmp_path}"))
    assert len(again.profile.free_blocks) == 4


def test_single_weights_and_equal_widths_are_written_too(model, tmp_path):
    groups = [g.name for g in model.profile.free_groups.values() if g.units == 24]
    recipe = Recipe(channels=dict.fromkeys(groups, 0.5), blocks=layer(model, 0))
    assert len(groups) == 3
    folder_model = unpacked(export(model, recipe, "transformers"), tmp_path)
    assert (folder_model.config.intermediate_size, folder_model.config.num_hidden_layers) == (12, 2)


@pytest.mark.parametrize(
    "blocks, channels, told",
    [(slice(0, 1), {}, "without the rest of its layer"), (slice(0, 0), 1, "cannot say")],
)
def test_what_the_configuration_cannot_say_is_refused(model, blocks, channels, told):
    groups = [g.name for g in model.profile.free_groups.values() if g.units == 24]
    recipe = Recipe(blocks=layer(model, 1)[blocks], channels={groups[0]: 0.5} if channels else {})
    with pytest.raises(ExplorerError, match=told):
        export(model, recipe, "transformers")


def test_other_models_are_refused():
    with pytest.raises(ExplorerError, match="hf:FOLDER"):
        export(analyse(load("digits-mlp")), Recipe(), "transformers")
