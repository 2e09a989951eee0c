"""Weights, architecture, recipe and a loader in one archive."""

import io
import json
import zipfile
from pathlib import Path
from typing import Any

from torch import fx

from .. import load_pruned
from ..architecture import describe
from ..registry import EXPORTERS
from ..storage_size import to_bytes
from ..values import Normalisation, Subject
from . import Export
from .recipe_json import recipe_json

DATE = (1980, 1, 1, 0, 0, 0)  # of every file inside, so that equal recipes give equal archives


@EXPORTERS.register("safetensors", rank=1, extension=".zip", media_type="application/zip")
def safetensors(pruned: Export) -> bytes:
    """A zip with the compact weights, the architecture as data, the recipe, and the file that loads them with torch alone.

    A model without a graph keeps its architecture: then weights and recipe are all there is, and `load_state_dict` takes them.
    """
    files = {"model.safetensors": to_bytes(pruned.model.state_dict(), "dense"), "recipe.json": recipe_json(pruned)}
    if isinstance(pruned.model, fx.GraphModule):
        about = describe(pruned.model) | _about(pruned.subject)
        files["architecture.json"] = (json.dumps(about) + "\n").encode()
        files["load_pruned.py"] = Path(load_pruned.__file__).read_bytes()
    return _zipped(files)


def _about(subject: Subject) -> dict[str, Any]:
    """What a user of the model has to know: its input, how images become input, its classes."""
    task = subject.task
    rule = task.normalisation if task else Normalisation()
    return {
        "model": subject.name,
        "input": {"shape": list(subject.example.shape[1:]),
                  "normalisation": {"scale": rule.scale, "mean": list(rule.mean), "std": list(rule.std)}},
        "classes": list(task.class_names) if task else None,
    }  # fmt: skip


def _zipped(files: dict[str, bytes]) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in files.items():
            file.writestr(zipfile.ZipInfo(name, DATE), content, zipfile.ZIP_DEFLATED)
    return archive.getvalue()
