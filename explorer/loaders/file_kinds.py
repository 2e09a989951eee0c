"""Recognises by its first bytes what kind of file was given as weights, for a better message than
"damaged".
"""

import zipfile
from pathlib import Path

STARTS: tuple[tuple[bytes, str], ...] = (
    (b"GGUF", "a GGUF file, the format of llama.cpp"),
    (b"ggjt", "a GGML file, the format of llama.cpp"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file, the format of Keras"),
    (b"\x93NUMPY", "an array of numpy"),
    (b"version https://git-lfs", "a pointer of git-lfs and not the file itself; get it with 'git lfs pull'"),
    (b"<!DOCTYPE", "a web page, as a failed download leaves it; download the file again"),
    (b"<!doctype", "a web page, as a failed download leaves it; download the file again"),
    (b"<html", "a web page, as a failed download leaves it; download the file again"),
    (b"\x1f\x8b", "a packed file (gzip); unpack it first"),
    (b"BZh", "a packed file (bzip2); unpack it first"),
    (b"\xfd7zXZ", "a packed file (xz); unpack it first"),
    (b"7z\xbc\xaf", "a packed file (7-zip); unpack it first"),
    (b"\x28\xb5\x2f\xfd", "a packed file (zstandard); unpack it first"),
    (b"Rar!", "a packed file (RAR); unpack it first"),
)
SAVE = "save the weights of the PyTorch model as .safetensors"


def foreign_kind(path: Path) -> str | None:
    """Return what a file without weights of PyTorch is, with what to do, or None.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        start = file.read(512)
    kind = next((name for magic, name in STARTS if start.startswith(magic)), None)
    if kind is None and start[4:8] == b"TFL3":
        kind = "a model of TensorFlow Lite"
    if kind is None and path.suffix.lower() == ".onnx" and start.startswith(b"\x08"):
        kind = "an ONNX model"
    if kind is None and start[257:262] == b"ustar":
        kind = "a tar archive; unpack it first"
    if kind is None and start.startswith(b"PK"):
        kind = _archive_kind(path)
    return kind if kind is None or ";" in kind else f"{kind}; {SAVE}"


def _archive_kind(path: Path) -> str | None:
    """Return what a zip archive is, or None for one of torch.save."""
    try:
        with zipfile.ZipFile(path) as file:
            names = [name.rpartition("/")[2] for name in file.namelist()]
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return None
    if "archive_format" in names:
        return "an exported program, which can run code when it is opened, so it is never loaded"
    if names and all(name.endswith(".npy") for name in names):
        return "a file of numpy arrays (.npz)"
    if "model.weights.h5" in names:
        return "a model of Keras"
    return None if "data.pkl" in names else "a zip archive without weights of torch.save in it"
