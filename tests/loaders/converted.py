"""What a .pt file holds, as `convert` writes it."""

from pathlib import Path
from typing import Any

from safetensors.torch import load_file
from torch import Tensor

from explorer.loaders.pt_weights import convert


def converted(path: str | Path, **how: Any) -> dict[str, Tensor]:
    """Convert a file, and read the result."""
    target = Path(path).with_name(f"{Path(path).name}.converted")
    convert(path, target, **how)
    return load_file(target)
