"""Locations of the sample models' files, and the untrained models."""

import os
from pathlib import Path

import torch
from torch import nn

from ..machine import paths
from ..registry import SAMPLES


def untrained(name: str, seed: int = 0) -> nn.Module:
    """Return the sample's architecture with weights drawn from the seed; the global random state is left as
    it was.

    Raises:
        UnknownNameError: no sample of that name.
    """
    sample = SAMPLES[name]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return sample()


def sample_folder(out: Path | None) -> Path:
    """Return the folder for results: the requested one, or the program's own folder, or (if that is
    read-only) the cache.
    """
    if out is not None:
        return out
    own = paths.sample_models()
    return own if os.access(own, os.W_OK) else paths.cache() / "sample_models"


def weights_path(name: str, folder: Path | None = None) -> Path:
    """Return the path of a sample's weights in a folder (default: those that came with the program)."""
    return (folder or paths.sample_models()) / "weights" / f"{name}.safetensors"


def card_path(name: str, folder: Path | None = None) -> Path:
    """Return the path of a sample's card, next to its weights."""
    return (folder or paths.sample_models()) / "cards" / f"{name}.json"
