"""Tensors -> bytes in real file formats. Zeros alone do not shrink a file; a format that leaves them out
does.

* dense: a safetensors file.
* csr: a safetensors file with row starts, int32 columns and non-zero values of a tensor read as (out, rest).
* bitmask: a safetensors file with one bit per position and the non-zero values of a tensor.
* deflate: the dense file compressed by zlib (as in a zip or gzip archive): in one go, or from LARGE bytes on
  in independent blocks by several threads, which any zlib reader opens (see `deflated`).

csr and bitmask choose per tensor: tensors that would not get smaller stay dense, and so do integers (counters
and indices, not weights) and, for csr, every 1-D tensor. Identical tensors (tied weights) are stored once.
"""

import json
import math
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import torch
from safetensors.torch import save
from torch import Tensor, fx, nn

from ..errors import ExplorerError, UnknownNameError
from .deflated import LEVEL, deflated

Format = Literal["dense", "csr", "bitmask", "deflate"]
Entry = tuple[torch.dtype, tuple[int, ...]]  # a stored tensor: dtype, shape
KEY = "pruning_explorer"
PART = ".."  # no nn.Module has an empty name, so no key of a state dict contains two dots in a row
SPARSE_OVERHEAD = 512  # bytes; the header entries of a sparse tensor's parts take about 200 to 400
LARGE = 64 * 2**20  # bytes of a dense file that is compressed in blocks
# in the order in which the library writes them, widest first: the digits of the offsets depend on it
DTYPES = {
    torch.uint64: "U64",
    torch.int64: "I64",
    torch.float64: "F64",
    torch.complex64: "C64",
    torch.float32: "F32",
    torch.uint32: "U32",
    torch.int32: "I32",
    torch.bfloat16: "BF16",
    torch.float16: "F16",
    torch.uint16: "U16",
    torch.int16: "I16",
    torch.int8: "I8",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}
RANK = {dtype: rank for rank, dtype in enumerate(DTYPES)}


def sizes(tensors: Mapping[str, Tensor], *, deflate: bool = True) -> dict[str, int]:
    """Return the bytes of the file in each format: len(to_bytes(tensors, format)), without building it except
    for deflate.

    Args:
        tensors: name -> tensor, such as a state dict, on any device.
        deflate: also compress, which takes about a second for 40 MB; without it the key is missing.
    Raises:
        ExplorerError: a name contains "..", or a dtype is unknown here.
    """
    kept, tied = _untie(tensors)
    nonzero = {
        name: int(torch.count_nonzero(tensor)) if _may_be_sparse(tensor) else 0
        for name, tensor in kept.items()
    }
    found = {form: _planned_size(kept, nonzero, tied, form) for form in ("dense", "csr", "bitmask")}
    return found | ({"deflate": deflated_size(tensors)} if deflate else {})


def deflated_size(tensors: Mapping[str, Tensor]) -> int:
    """Bytes of the compressed file alone."""
    return sum(map(len, _compressed(*_untie(tensors))))


def to_bytes(tensors: Mapping[str, Tensor], format: Format) -> bytes:
    """Return the file in that format, which holds all tensors; of a negative zero perhaps only a zero.

    Raises: UnknownNameError: no such format. ExplorerError: a name contains "..", or a dtype is unknown here.
    """
    if format not in get_args(Format):
        raise UnknownNameError("storage format", format, get_args(Format))
    kept, tied = _untie(tensors)
    if format == "deflate":
        return b"".join(_compressed(kept, tied))
    stored: dict[str, Tensor] = {}
    shapes = {}
    for name, tensor in kept.items():
        plain = (
            tensor.detach().cpu().contiguous().clone()
        )  # a clone, because the library refuses views of one storage
        if _sparse_entries(plain, int(torch.count_nonzero(plain)), format):
            shapes[name] = tuple(plain.shape)
            parts = _csr_parts(plain) if format == "csr" else _bitmask_parts(plain)
            stored |= {f"{name}{PART}{part}": value for part, value in parts.items()}
        else:
            stored[name] = plain
    return save(stored, _metadata(shapes, tied))


@dataclass(frozen=True)
class Pieces:
    """A file in pieces, one after another.

    Args:
        size: bytes of all pieces.
    """

    size: int
    pieces: Iterator[bytes | memoryview]


def dense_file(tensors: Mapping[str, Tensor]) -> Pieces:
    """Return to_bytes(tensors, "dense") in pieces, so that no second copy of the model is in memory.

    Raises: as of `to_bytes`.
    """
    kept, tied = _untie(tensors)
    entries = {name: (tensor.dtype, tuple(tensor.shape)) for name, tensor in kept.items()}
    metadata = _metadata({}, tied)
    return Pieces(_file_size(entries, metadata), _pieces(kept, entries, metadata))


# --------------------------------------------------------------------------- the file


def _untie(tensors: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Return each tensor once, under its first name; and its other names -> the first."""
    kept: dict[str, Tensor] = {}
    tied: dict[str, str] = {}
    first: dict[Any, str] = {}
    for name, tensor in tensors.items():
        if PART in name + ".":
            raise ExplorerError(f"A tensor's name must not hold '..' or end in a dot, got {name[:80]!r}.")
        if tensor.dtype not in DTYPES:
            raise ExplorerError(
                f"Tensor {name[:80]!r} is {tensor.dtype}, which has no size here; convert the model to "
                "float32."
            )
        place = (tensor.data_ptr(), tensor.device, tensor.dtype, tensor.shape, tensor.stride())
        if tensor.numel() and place in first:
            tied[name] = first[place]
        else:
            first[place] = name
            kept[name] = tensor
    return kept, tied


def _compressed(kept: Mapping[str, Tensor], tied: Mapping[str, str]) -> Iterator[bytes]:
    """Yield the parts of the deflated file."""
    entries = {name: (tensor.dtype, tuple(tensor.shape)) for name, tensor in kept.items()}
    metadata = _metadata({}, tied)
    if _file_size(entries, metadata) < LARGE:
        yield zlib.compress(b"".join(_pieces(kept, entries, metadata)), LEVEL)
    else:
        yield from deflated(_pieces(kept, entries, metadata))


def _pieces(
    kept: Mapping[str, Tensor], entries: Mapping[str, Entry], metadata: Mapping[str, str] | None
) -> Iterator[bytes | memoryview]:
    """Yield the dense file piece by piece, as the library writes it; a contiguous tensor is not copied."""
    header = _header(entries, metadata)
    yield len(header).to_bytes(8, "little") + header
    for name in _in_file_order(entries):
        flat = kept[name].detach().cpu().contiguous().view(-1)
        yield memoryview(flat.view(torch.uint8).numpy())  # type: ignore[arg-type]


def _metadata(shapes: Mapping[str, tuple[int, ...]], tied: Mapping[str, str]) -> dict[str, str] | None:
    """Return what reading back needs, as one entry (the library writes several in random order); None if
    nothing.
    """
    return {KEY: json.dumps({"shapes": shapes, "tied": tied})} if shapes or tied else None


def _planned_size(
    kept: Mapping[str, Tensor], nonzero: Mapping[str, int], tied: Mapping[str, str], form: str
) -> int:
    entries: dict[str, Entry] = {}
    shapes = {}
    for name, tensor in kept.items():
        parts = _sparse_entries(tensor, nonzero[name], form)
        if parts:
            shapes[name] = tuple(tensor.shape)
            entries |= {f"{name}{PART}{part}": entry for part, entry in parts.items()}
        else:
            entries[name] = (tensor.dtype, tuple(tensor.shape))
    return _file_size(entries, _metadata(shapes, tied))


def _file_size(entries: Mapping[str, Entry], metadata: Mapping[str, str] | None) -> int:
    """Return the bytes of a safetensors file: 8 for the length, the header, the data."""
    data = sum(math.prod(shape) * dtype.itemsize for dtype, shape in entries.values())
    return 8 + len(_header(entries, metadata)) + data


def _in_file_order(entries: Mapping[str, Entry]) -> list[str]:
    return sorted(entries, key=lambda name: (RANK[entries[name][0]], name))


def _header(entries: Mapping[str, Entry], metadata: Mapping[str, str] | None) -> bytes:
    """Return what the library writes before the data, padded to a multiple of 8."""
    header: dict[str, Any] = {"__metadata__": metadata} if metadata else {}
    end = 0
    for name in _in_file_order(entries):
        dtype, shape = entries[name]
        start, end = end, end + math.prod(shape) * dtype.itemsize
        header[name] = {"dtype": DTYPES[dtype], "shape": shape, "data_offsets": (start, end)}
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    return text.ljust(math.ceil(len(text) / 8) * 8)


# --------------------------------------------------------------------------- sparse tensors


def _may_be_sparse(tensor: Tensor) -> bool:
    return tensor.is_floating_point() and tensor.numel() > 0


def _sparse_entries(tensor: Tensor, nonzero: int, form: str) -> dict[str, Entry]:
    """Return the parts of a tensor in that format, or none if they would not be smaller than the tensor."""
    if not _may_be_sparse(tensor):
        return {}
    if form == "csr" and tensor.dim() > 1:
        parts: dict[str, Entry] = {
            "columns": (torch.int32, (nonzero,)),
            "rows": (torch.int32, (tensor.shape[0] + 1,)),
        }
    elif form == "bitmask":
        parts = {"bits": (torch.uint8, (math.ceil(tensor.numel() / 8),))}
    else:
        return {}
    parts["values"] = (tensor.dtype, (nonzero,))
    size = sum(dtype.itemsize * shape[0] for dtype, shape in parts.values())
    return parts if size + SPARSE_OVERHEAD < tensor.nbytes else {}


def _csr_parts(tensor: Tensor) -> dict[str, Tensor]:
    """Convert (out, *rest) to values (nonzero,), their columns in the (out, rest) view, and where each row
    starts (out + 1,).
    """
    matrix = tensor.flatten(1)
    rows, columns = (matrix != 0).nonzero(as_tuple=True)
    starts = torch.zeros(len(matrix) + 1, dtype=torch.int32)
    starts[1:] = torch.bincount(rows, minlength=len(matrix)).cumsum(0)
    return {"values": matrix[rows, columns], "columns": columns.int(), "rows": starts}


def _bitmask_parts(tensor: Tensor) -> dict[str, Tensor]:
    """Convert any shape to values (nonzero,) and bits (positions / 8,), the first position in the lowest
    bit.
    """
    kept = tensor.flatten() != 0
    padded = torch.nn.functional.pad(kept.byte(), (0, -len(kept) % 8)).view(-1, 8)
    bits = (padded << torch.arange(8, dtype=torch.uint8)).sum(1, dtype=torch.uint8)
    return {"values": tensor.flatten()[kept], "bits": bits}


def state_of(model: nn.Module) -> dict[str, Tensor]:
    """Return the tensors of a model as a file contains them, on the cpu, by name: its state dict, and
    constants that only its graph knows.
    """
    tensors = model.state_dict(keep_vars=True)
    if isinstance(model, fx.GraphModule):
        tensors |= {name: model.get_buffer(name) for name in graph_constants(model)}
    return {name: tensor.detach().cpu() for name, tensor in tensors.items()}


def graph_constants(model: fx.GraphModule) -> list[str]:
    """Return tensors that the forward reads and the state dict leaves out."""
    read = {str(node.target) for node in model.graph.nodes if node.op == "get_attr"}
    return sorted(read - model.state_dict(keep_vars=True).keys())
