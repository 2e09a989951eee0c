"""Packs files into one zip, with what a user of a model has to know besides its weights."""

import io
import zipfile
from collections.abc import Mapping
from typing import Any

from ..measuring.storage_size import Pieces
from ..values.subject import Normalisation, Subject

DATE = (1980, 1, 1, 0, 0, 0)  # of every file inside, so that equal recipes give equal archives


def about(subject: Subject, sizes: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the model's input, how images become input, and its classes: plain data for JSON.

    For several inputs, `parts` gives each one's name, shape and dtype; shape is then that of a row with all
    of them.

    Args:
        sizes: what to say about input sizes, besides the shape of the example.
    """
    task, reads = subject.task, subject.reads
    rule = task.normalisation if task else Normalisation()
    parts = [{"name": part.name, "shape": list(part.shape), "dtype": part.dtype} for part in reads]
    given = {"dtype": reads[0].dtype} if len(reads) == 1 else {"parts": parts} if reads else {}
    return {
        "model": subject.name,
        "input": {
            "shape": list(subject.example.shape[1:]),
            **given,
            **(sizes or {}),
            "normalisation": {"scale": rule.scale, "mean": list(rule.mean), "std": list(rule.std)},
        },
        "classes": list(task.class_names) if task else None,
    }


def zipped(files: Mapping[str, bytes | str | Pieces]) -> bytes:
    """Return an archive of these files, name -> content; that of a large file comes in pieces, which are
    never all in memory.
    """
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in files.items():
            info = zipfile.ZipInfo(name, DATE)
            if isinstance(content, bytes | str):
                file.writestr(info, content, zipfile.ZIP_DEFLATED)
                continue
            info.compress_type, info.file_size = zipfile.ZIP_DEFLATED, content.size
            with file.open(info, "w") as member:
                for piece in content.pieces:
                    member.write(piece)
    return archive.getvalue()
