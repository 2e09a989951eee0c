"""Programs of earlier starts, on disk: a model that was traced once is not traced again.

A program is used only if it gives the model's own answers to its example: the id of a model, which names the
file, is not trusted alone.
"""

import contextlib
import hashlib
from functools import cache
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from ..machine import paths
from ..values.profile import ModelProfile
from ..values.subject import Subject
from . import program_file
from .program import Program
from .quiet import without_fast_path
from .running import GraphRun, tensors_of
from .size_limits import Size, note_size, size_of, twin

FOLDER = "graphs"
ENDING = ".safetensors"
MOST_FILES = 64  # the oldest go
MOST_PARAMETERS, MOST_MACS = 200_000_000, 20_000_000_000  # tracing is quicker than a comparison
NEAR = 1e-4  # of the largest answer


def kept(subject: Subject) -> Program | None:
    """Return the program of a model that was traced before, or None."""
    path = _path(subject)
    if not path.is_file():
        return None
    try:
        program, size = program_file.read(path)
        if not _answers_alike(subject, program):
            return None
        note_size(subject.model, size)
        return program
    # a damaged file may raise anything, as may the model's own code; then the model is traced again
    except Exception:
        return None


def keep(subject: Subject, program: Program, profile: ModelProfile) -> None:
    """Write the program of a model, if it is not too large to be compared again and can be described."""
    if profile.params > MOST_PARAMETERS or profile.macs > MOST_MACS:
        return
    path, size = _path(subject), size_of(subject.model, subject.example)
    if not isinstance(size, Size):
        return
    with contextlib.suppress(OSError, program_file.NotPlainError):
        path.parent.mkdir(parents=True, exist_ok=True)
        program_file.write(program, path, size)
        _make_room(path.parent)


def _path(subject: Subject) -> Path:
    key = hashlib.sha256(f"{subject.id} {torch.__version__} {_code()}".encode()).hexdigest()[:24]
    return paths.cache() / FOLDER / f"{key}{ENDING}"


@cache
def _code() -> str:
    """Return a hash of the code that makes programs."""
    own = sorted(Path(__file__).parent.rglob("*.py"))
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in own)).hexdigest()


def _make_room(folder: Path) -> None:
    files = sorted(folder.glob(f"*{ENDING}"), key=lambda path: path.stat().st_mtime)
    for path in files[:-MOST_FILES]:
        path.unlink(missing_ok=True)


def _answers_alike(subject: Subject, program: Program) -> bool:
    """Whether a program gives the model's own answers to its example, with random numbers from one seed."""
    with torch.no_grad(), torch.random.fork_rng(devices=[]), without_fast_path():
        torch.manual_seed(0)
        own = tree_leaves(_apart(subject.model)(subject.example))
        torch.manual_seed(0)
        run = GraphRun(program, "cpu")
        tensors = tensors_of(subject, program, "cpu")
        tensors |= {name: tensors[name].clone() for name in program.buffers.values()}
        answers = run.outputs(tensors, subject.example)
    return len(own) == len(answers) and all(map(_near, own, answers))


def _apart(model: nn.Module) -> nn.Module:
    """Return the model with buffers of its own, since a forward may write into them."""
    apart = twin(model)
    for buffer in apart.buffers():
        buffer.data = buffer.clone()
    return apart


def _near(one: object, other: object) -> bool:
    if not isinstance(one, Tensor) or not isinstance(other, Tensor):
        return one == other
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    one, other = (tensor.to(torch.complex128) for tensor in (one, other))
    finite = one.abs().nan_to_num(0.0, 0.0)
    largest = float(finite.max()) if one.numel() else 0.0
    return torch.allclose(one, other, rtol=0.0, atol=NEAR * largest, equal_nan=True)
