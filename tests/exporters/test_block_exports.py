"""A model without some of its blocks in every format: what is loaded again answers like the pruned model."""

import io
import sys
import zipfile
from dataclasses import replace
from importlib.util import find_spec

import pytest
import torch
from residual_digits import residual_digits
from torch import nn

from explorer.engine.candidate import prepare
from explorer.engine.conditions import Conditions
from explorer.engine.measure import prune
from explorer.exporters.export import export
from explorer.exporters.load_pruned import load_pruned
from explorer.figures.side_by_side import ratios_side_by_side
from explorer.graph.analysed import analyse
from explorer.loaders.model_text import load
from explorer.pruning.decision import masks_for
from explorer.runs.replay import masks_fingerprint, replay
from explorer.runs.store import Store
from explorer.values.progress import outcome
from explorer.values.recipe import Recipe
from explorer.values.report import Report

RECIPE = Recipe(blocks=("blocks.0", "blocks.2"), channels={"blocks.1.0": 0.5}, weights={"fc": 0.5})


@pytest.fixture(scope="module")
def model():
    return residual_digits()


def loaded(written, format, folder):
    """What a user has of a file, as a function."""
    if format == "safetensors":
        zipfile.ZipFile(io.BytesIO(written)).extractall(folder)
        return load_pruned(folder)[0]
    if format == "pt2":
        return torch.export.load(io.BytesIO(written)).module()
    if format == "python_snippet":
        (folder / "snippet_of_blocks.py").write_bytes(written)
        sys.path.insert(0, str(folder))
        try:
            import snippet_of_blocks

            return snippet_of_blocks.build()
        finally:
            sys.path.remove(str(folder))
    import onnxruntime

    session = onnxruntime.InferenceSession(written, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda x: torch.from_numpy(session.run(None, {name: x.numpy()})[0])


@pytest.mark.parametrize("format", ["safetensors", "pt2", "python_snippet", "onnx"])
def test_what_is_loaded_again_answers_like_the_pruned_model(format, model, tmp_path):
    if format == "onnx" and (find_spec("onnxruntime") is None or find_spec("onnxscript") is None):
        pytest.skip("the extra 'onnx' is not installed")
    small = prepare(model, RECIPE).model
    again = loaded(export(model, RECIPE, format), format, tmp_path)
    x = torch.randn(7, *model.subject.example.shape[1:])
    with torch.no_grad():
        assert torch.allclose(again(x), small(x), atol=1e-5)
        assert not torch.allclose(small(x), model.subject.model(x), atol=1e-2)


@pytest.mark.parametrize("format", ["csv", "figures_html", "html_report", "recipe_json"])
def test_reports_name_the_blocks(format, model):
    report = prune(model, RECIPE, Conditions(latency=False))
    written = export(model, RECIPE, format, report=report)
    if format in ("csv", "figures_html"):
        archive = zipfile.ZipFile(io.BytesIO(written))
        written = b"".join(archive.read(name) for name in archive.namelist() if not name.endswith("js"))
    assert format == "figures_html" or b"blocks.2" in written
    assert Report.from_json(report.to_json()) == report
    rows = ratios_side_by_side({"run": report}).data[0]
    assert dict(zip(rows.y, rows.x, strict=True))["blocks.2, block"] == 1 and "blocks.1.0, channels" in rows.y


class Branches(nn.Module):
    """Two residual branches of convolutions, which read pictures of any size."""

    def __init__(self):
        super().__init__()
        self.enter, self.fc = nn.Conv2d(1, 4, 3, padding=1), nn.Linear(4, 10)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.Conv2d(4, 6, 3, padding=1), nn.ReLU(), nn.Conv2d(6, 4, 3, padding=1))
            for _ in range(2)
        )

    def forward(self, x):
        x = torch.relu(self.enter(x))
        for block in self.blocks:
            x = x + block(x)
        return self.fc(x.mean((2, 3)))


def test_open_sizes_know_the_same_blocks():
    from explorer.exporters.input_sizes import sized

    model = analyse(replace(load("digits-cnn"), id="branches", model=Branches().eval()))
    names = [[b.block.name for b in m.graph.branches] for m in (model, sized(model).model)]
    assert names[0] == names[1] and len(names[0]) == 2 and sized(model).model is not model


def test_a_kept_run_without_blocks_replays(model, tmp_path):
    report, store = prune(model, RECIPE, Conditions(latency=False)), Store(tmp_path)
    run = store.run(store.put(report, masks=masks_fingerprint(masks_for(model, RECIPE))))
    assert run.report.recipe.blocks == RECIPE.blocks
    found = outcome(replay(model, run))
    assert found.same_masks and found.same_count
