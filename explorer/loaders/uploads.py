"""Weights from a browser into an architecture that the server offers: bytes, never a path."""

import copy
import hashlib
import tempfile
from dataclasses import replace
from pathlib import Path

from ..errors import LoadError
from ..values.subject import Subject, subject_id
from .weights import fill, read_fitting

UPLOAD_LIMIT = 2 * 1024**3  # bytes


def upload(architecture: Subject, content: bytes, *, limit: int = UPLOAD_LIMIT) -> Subject:
    """The same architecture and task with the weights of a safetensors file.

    Args:
        architecture: one that the server offers; it stays as it is.
        content: of the file.
        limit: bytes that are taken.
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
        )  # so that it is read as any other file: header first, tensors from the disk
        path.write_bytes(content)
        weights = read_fitting(path, architecture.model, "uploaded file")
        model = copy.deepcopy(architecture.model)
        fill(model, weights)
        del weights
    own = subject_id(model)
    if architecture.id != subject_id(architecture.model):  # it was made from more than weights
        own = hashlib.sha256(f"{architecture.id} {own}".encode()).hexdigest()[:16]
    known = {"description": f"The architecture of {architecture.name} with uploaded weights."}
    return replace(architecture, id=own, name=f"{architecture.name} (uploaded)", model=model, card=known)
