"""Evidence as JSON, so that a measurement that takes minutes can be shipped as a labelled starting point."""

import base64
import json
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..values.recipe import Recipe
from ..values.report import Measurement
from .evidence import ArmPoint, Evidence
from .toml_table import LessonError
from .values import Lesson

MEASURED = Path(__file__).with_name("measured")


def to_json(evidence: Evidence) -> dict[str, Any]:
    """Return everything that verdicts and figures of accuracies, costs and times need, but no predictions."""
    return {
        "model": evidence.model,
        "samples": evidence.samples,
        "environment": dict(evidence.environment),
        "dense": {arm: _point_to_json(point) for arm, point in evidence.dense.items()},
        "points": [_point_to_json(point) for point in evidence.points.values()],
        "missing": [[arm, x, why] for (arm, x), why in evidence.missing.items()],
        "times": [[arm, x, batch, list(ms)] for (arm, x, batch), ms in evidence.times.items()],
    }


def from_json(data: dict[str, Any]) -> Evidence:
    """Read the evidence that `to_json` wrote.

    Raises:
        LessonError: it is damaged.
    """
    try:
        points = [_point_from_json(entry) for entry in data["points"]]
        return Evidence(
            data["model"],
            {arm: _point_from_json(entry) for arm, entry in data["dense"].items()},
            {(point.arm, point.x): point for point in points},
            {(arm, x, batch): tuple(ms) for arm, x, batch, ms in data["times"]},
            data["samples"],
            len(points),
            data["environment"],
            True,
            {(arm, x): why for arm, x, why in data.get("missing", ())},
        )
    except (KeyError, TypeError, ValueError) as error:
        raise LessonError(f"A measured result is damaged ({error}); install the program again.") from error


def shipped(lesson: Lesson, model: str) -> Evidence | None:
    """Return the shipped measurement of a lesson's experiment, or None if there is none or it no longer fits
    the lesson.
    """
    found = _read(MEASURED / f"{lesson.name}.json") if model == lesson.experiment.model else None
    if found is None:
        return None
    wanted = {(arm.name, x) for arm in lesson.experiment.arms for x in lesson.experiment.points_of(arm)}
    return found if {*found.points, *found.missing} == wanted and found.model == model else None


@cache
def _read(path: Path) -> Evidence | None:
    return from_json(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else None


def _point_to_json(point: ArmPoint) -> dict[str, Any]:
    data = {
        "arm": point.arm,
        "x": point.x,
        "recipe": point.recipe.to_json(),
        "measured": point.measured.to_json(),
        "correct": point.correct.tolist() if point.correct.is_floating_point() else _packed(point.correct),
    }
    return data | ({"spread": [list(counts) for counts in point.spread]} if point.spread else {})


def _point_from_json(data: dict[str, Any]) -> ArmPoint:
    measured = Measurement.from_json(data["measured"])
    flags = data["correct"]
    shares = torch.tensor(flags, dtype=torch.double) if isinstance(flags, list) else None
    correct = _unpacked(flags, measured.samples) if shares is None else shares
    spread = tuple(tuple(counts) for counts in data.get("spread", ()))
    nothing = torch.zeros(0, dtype=torch.long)
    return ArmPoint(
        data["arm"], data["x"], Recipe.from_json(data["recipe"]), measured, correct, nothing, spread
    )


def _packed(flags: Tensor) -> str:
    """Pack (n,) bool into base64, one bit each, the first in the lowest bit."""
    padded = torch.nn.functional.pad(flags.byte(), (0, -len(flags) % 8)).view(-1, 8)
    return base64.b64encode(
        bytes((padded << torch.arange(8, dtype=torch.uint8)).sum(1, dtype=torch.uint8).tolist())
    ).decode()


def _unpacked(text: str, samples: int) -> Tensor:
    packed = torch.tensor(list(base64.b64decode(text, validate=True)), dtype=torch.uint8)
    return ((packed.unsqueeze(1) >> torch.arange(8, dtype=torch.uint8)) & 1).flatten()[:samples].bool()
