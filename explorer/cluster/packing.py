"""Tensors, tallies and gains of a scan as plain JSON, without loss."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from safetensors.torch import load, save
from torch import Tensor

from ..measuring.tally import Tally
from ..studies.sensitivity.scan_log import Count, Gain
from ..values.metric import Metric

NAMES = ("correct", "predictions", "losses", "units")


def packed_tensors(tensors: Mapping[str, Tensor]) -> str:
    """Return tensors as one text."""
    own = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    return base64.b64encode(save(own)).decode()


def tensors_of(text: str) -> dict[str, Tensor]:
    """Return the tensors of such a text."""
    return load(base64.b64decode(text))


def packed_tally(tally: Tally) -> str:
    """Return a tally as text; its metrics are known from the task."""
    rows = {f"rows/{name}": row for name, row in tally.rows.items()}
    return packed_tensors({name: getattr(tally, name) for name in NAMES} | rows)


def tally_of(text: str, metrics: Sequence[Metric]) -> Tally:
    """Return the tally of such a text."""
    tensors = tensors_of(text)
    rows = {name.removeprefix("rows/"): row for name, row in tensors.items() if name not in NAMES}
    correct, predictions, losses, units = (tensors[name] for name in NAMES)
    return Tally(correct, predictions, losses, rows, tuple(metrics), units)


def packed_gain(gain: Gain) -> dict[str, Any]:
    """Return a gain as JSON."""
    rows = None if gain.rows is None else [packed_tally(tally) for tally in gain.rows]
    return {"count": asdict(gain.count), "rows": rows}


def gain_of(data: Mapping[str, Any], metrics: Sequence[Metric]) -> Gain:
    """Return the gain of such JSON."""
    rows = data["rows"]
    tallies = None if rows is None else (tally_of(rows[0], metrics), tally_of(rows[1], metrics))
    return Gain(Count(**data["count"]), tallies)
