"""A recovery on disk: one safetensors file with all tensors, and in its header the JSON that says what they
are.

A file is written next to its final place and moved there, so that a program that is killed leaves the
previous one intact.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from ..engine.conditions import Conditions
from ..errors import ExplorerError
from ..machine import paths
from ..machine.version import __version__
from ..machine.whole_file import write_whole
from ..values.granularity import BLOCK, GRADED, PLURALS
from ..values.plain import canonical_json
from ..values.profile import Masks
from ..values.recipe import Recipe
from ..values.subject import Subject
from .training_plan import RecoveryPlan

HEADER = "recovery"
CHECKPOINT, RESULT = "checkpoint.safetensors", "result.safetensors"


def key_of(subject: Subject, recipe: Recipe, plan: RecoveryPlan, conditions: Conditions) -> str:
    """Return the name of the folder, a hash of everything that the result depends on."""
    task = subject.task.fingerprint if subject.task else None
    what = {
        "subject": subject.id,
        "task": task,
        "recipe": recipe.to_json(),
        "plan": plan.to_json(),
        "conditions": {k: asdict(conditions)[k] for k in ("samples", "split", "device")},
        "version": __version__,
    }
    return hashlib.sha256(canonical_json(what).encode()).hexdigest()[:24]


class Folder:
    """The folder of one recovery."""

    def __init__(self, key: str, root: Path | None = None):
        self.path = (root or paths.cache() / "recoveries") / key

    def write(self, name: str, tensors: Mapping[str, Tensor], about: Mapping[str, Any]) -> None:
        """Write all or nothing.

        Raises:
            ExplorerError: the folder cannot be written.
        """
        own = {key: tensor.detach().cpu().contiguous().clone() for key, tensor in tensors.items()}
        content = save(own, {HEADER: json.dumps(about)})
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            write_whole(self.path / name, content)
        except OSError as error:
            where = f"{str(self.path)!r} ({error.strerror})"
            raise ExplorerError(f"The recovery cannot be kept in {where}; make room there.") from error

    def read(self, name: str) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
        """Return tensors and JSON, or None if there is no such file or it is damaged."""
        path = self.path / name
        if not path.is_file():
            return None
        try:
            os.utime(path)  # used now, so it is not the first to be deleted when space is needed
            with safe_open(path, "pt") as file:
                about = json.loads((file.metadata() or {})[HEADER])
                return {key: file.get_tensor(key) for key in file.keys()}, about  # noqa: SIM118
        except (OSError, SafetensorError, ValueError, KeyError):
            return None

    def remove(self, name: str) -> None:
        (self.path / name).unlink(missing_ok=True)


def packed(**parts: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Merge dictionaries of tensors into one, with names "PART/NAME"."""
    return {f"{part}/{name}": tensor for part, own in parts.items() for name, tensor in own.items()}


def unpacked(tensors: Mapping[str, Tensor], part: str) -> dict[str, Tensor]:
    """Return one part of what `packed` merged."""
    return {
        name.removeprefix(f"{part}/"): tensor
        for name, tensor in tensors.items()
        if name.startswith(f"{part}/")
    }


def masks_of(tensors: Mapping[str, Tensor]) -> Masks:
    """Return the masks among the tensors of a file."""
    channels, weights = (
        {n: t.to(torch.bool) for n, t in unpacked(tensors, part).items()}
        for part in (PLURALS[one] for one in GRADED)
    )
    return Masks(channels, weights, tuple(sorted(unpacked(tensors, PLURALS[BLOCK]))))


def marks_of(masks: Masks) -> dict[str, Tensor]:
    """Return what stands in a file for blocks that were removed."""
    return {name: torch.zeros(1) for name in masks.blocks}
