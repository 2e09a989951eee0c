"""Reads back the files whose bytes `storage_size` counts, as proof that nothing is missing."""

import json
import math
import zlib
from collections.abc import Mapping

import torch
from safetensors.torch import load
from torch import Tensor

from explorer.measuring.storage_size import KEY, PART, Format


def from_bytes(data: bytes, format: Format) -> dict[str, Tensor]:
    """Return the tensors of a file written by `to_bytes`, dense again; tied names share one tensor again."""
    if format == "deflate":
        data = zlib.decompress(data)
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    about = json.loads(header.get("__metadata__", {}).get(KEY, '{"shapes": {}, "tied": {}}'))
    stored = load(data)
    tensors = {name: tensor for name, tensor in stored.items() if PART not in name}
    read = _from_csr if format == "csr" else _from_bitmask
    for name, shape in about["shapes"].items():
        parts = {
            key.removeprefix(name + PART): part for key, part in stored.items() if key.startswith(name + PART)
        }
        tensors[name] = read(parts, shape)
    return tensors | {alias: tensors[name] for alias, name in about["tied"].items()}


def _from_csr(parts: Mapping[str, Tensor], shape: list[int]) -> Tensor:
    dense = torch.zeros(shape, dtype=parts["values"].dtype)
    rows = torch.repeat_interleave(torch.arange(shape[0]), parts["rows"].diff())
    dense.flatten(1)[rows, parts["columns"].long()] = parts["values"]
    return dense


def _from_bitmask(parts: Mapping[str, Tensor], shape: list[int]) -> Tensor:
    kept = ((parts["bits"].unsqueeze(1) >> torch.arange(8, dtype=torch.uint8)) & 1).flatten().bool()
    dense = torch.zeros(math.prod(shape), dtype=parts["values"].dtype)
    dense[kept[: len(dense)]] = parts["values"]
    return dense.view(shape)
