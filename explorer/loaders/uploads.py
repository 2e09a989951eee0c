"""Loads weights from a browser into an architecture that the server offers: bytes, never a path."""

import copy
import tempfile
from dataclasses import replace
from pathlib import Path

from ..errors import LoadError
from ..values.identity import sibling_id
from ..values.subject import Subject
from .weights import fill, read_fitting

UPLOAD_LIMIT = 2 * 1024**3  # bytes


def upload(architecture: Subject, content: bytes, *, limit: int = UPLOAD_LIMIT) -> Subject:
    """Return the same architecture and task with the weights of a safetensors file.

    Args:
        architecture: one that the server offers; it is not changed.
        content: of the file.
        limit: maximum number of bytes.
    Raises:
        LoadError: the file is too large, damaged, not safetensors, or does not fit the architecture.
    """
    if len(content) > limit:
        raise LoadError(
            f"The uploaded file has {len(content):,} bytes; up to {limit:,} are taken. Start with "
            "--checkpoint instead."
        )
    with tempfile.TemporaryDirectory() as folder:
        path = (
            Path(folder) / "upload.safetensors"
        )  # so that it is read like any other file: header first, tensors from the disk
        path.write_bytes(content)
        weights = read_fitting(path, architecture.model, "uploaded file")
        model = copy.deepcopy(architecture.model)
        fill(model, weights)
        del weights
    own, former = sibling_id(architecture, model), ""
    if architecture.former_id:
        former = sibling_id(replace(architecture, id=architecture.former_id), model)
    known = {"description": f"The architecture of {architecture.name} with uploaded weights."}
    name = f"{architecture.name} (uploaded)"
    return replace(architecture, id=own, former_id=former, name=name, model=model, card=known)
