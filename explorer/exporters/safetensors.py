"""Weights, architecture, recipe and a loader in one archive."""

import json
from pathlib import Path

from torch import fx

from ..measuring.storage_size import Pieces, dense_file, state_of
from ..registry import EXPORTERS
from . import load_pruned
from .architecture import describe
from .archive import about, zipped
from .export import Export
from .recipe_json import recipe_json


@EXPORTERS.register("safetensors", rank=1, extension=".zip", media_type="application/zip", stages=2)
def safetensors(pruned: Export) -> bytes:
    """A zip with the compact weights, the architecture as data, the recipe, and the file that loads them with
    torch alone.

    A model without a graph keeps its architecture: then the zip has only weights and recipe, and
    `load_state_dict` reads them.
    """
    model = pruned.model
    pruned.step("Writing weights and architecture")
    files: dict[str, bytes | str | Pieces] = {
        "model.safetensors": dense_file(state_of(model)),
        "recipe.json": recipe_json(pruned),
    }
    if isinstance(model, fx.GraphModule):
        described = describe(model) | about(pruned.subject, pruned.sized.to_json())
        files["architecture.json"] = (json.dumps(described) + "\n").encode()
        files["load_pruned.py"] = Path(load_pruned.__file__).read_bytes()
    return zipped(files)
