"""Whether the zeros of an n:m pattern make a model faster on this device. Only 2:4 on some GPUs has kernels;
elsewhere masks save no time.
"""

import torch

from ..values.recipe import Recipe

PATTERN = "2:4"
CAPABLE = (8, 0)  # compute capability: Ampere and newer
NO_KERNELS = (
    "Masks alone bring no speed here: dense kernels multiply by the zeros too. Kernels for 2:4 need a CUDA "
    "device of compute capability 8.0 or newer. To get faster on this device remove channels."
)
NO_PATTERN = (
    "Only the pattern 2:4 has kernels: masks alone bring no speed on dense ones. To get faster "
    "remove channels."
)


def kernels(device: str) -> bool:
    """Whether this device, and this build of torch, have 2:4 kernels."""
    return device == "cuda" and torch.cuda.is_available() and torch.cuda.get_device_capability() >= CAPABLE


def why_not(recipe: Recipe, device: str) -> str | None:
    """Return why the zeros of a recipe bring no speed here, or None if they may.

    >>> why_not(Recipe(weights={"fc": 0.5}), "cpu").split(":")[0]
    'Masks alone bring no speed here'
    """
    if not kernels(device):
        return NO_KERNELS
    return None if recipe.pattern == PATTERN else NO_PATTERN
