"""Trains a sample model again as it was trained, and writes its weights and a card with what was measured."""

import copy
import json
import platform
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import safetensors.torch
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from ..loaders.sample_files import card_path, sample_folder, untrained, weights_path
from ..machine.whole_file import write_together
from ..measuring.evaluation import Execution, evaluate
from ..measuring.judging import judge_for
from ..registry import DATA, SAMPLES
from ..values.report import Measurement
from ..values.samples import Split
from ..values.subject import Task
from .steps import TrainingSettings, TrainingStep, train


def count_macs(model: nn.Module, task: Task) -> int:
    """Return the multiply-adds for one sample, counted on the meta device."""
    shadow = copy.deepcopy(model).to("meta").eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        shadow(task.example(1).to("meta"))
    return counter.get_total_flops() // 2


def quality(model: nn.Module, task: Task, split: Split) -> Measurement:
    """Return the task's metric and the loss of a model in eval mode on a whole split."""
    *_, tally = evaluate(model, split, task.normalisation, [len(split)], Execution(judge=judge_for(task)))
    return tally.measurement()


def _measured(model: nn.Module, task: Task, name: Literal["tuning", "held_out"]) -> dict[str, Any] | None:
    split = task.split(name)
    if split is None:
        return None
    measurement = quality(model, task, split).to_json()
    return {key: value for key, value in measurement.items() if value is not None}


def _card(name: str, model: nn.Module, settings: TrainingSettings, seconds: float) -> dict[str, Any]:
    traits = SAMPLES[name].traits
    task = DATA[traits["data"]]()
    task = replace(task, metric=(*task.metrics, *traits.get("metrics", ())))
    return {
        "name": name,
        "description": SAMPLES[name].tooltip,
        "data": task.name,
        "data_fingerprint": task.fingerprint,
        "params": sum(parameter.numel() for parameter in model.parameters()),
        "macs": count_macs(model, task),
        "held_out": _measured(model, task, "held_out"),
        "tuning": _measured(model, task, "tuning"),
        "training": vars(settings) | {"seconds": round(seconds, 1), "threads": torch.get_num_threads()},
        "environment": {
            "torch": torch.__version__,
            "python": platform.python_version(),
            "machine": platform.machine(),
        },
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
    }


MEASURED_LATER = ("gentle_share",)  # facts of a card that training does not measure


def _known(name: str, folder: Path, weights: bytes) -> dict[str, Any]:
    """Return what the card in the folder says that training does not measure; nothing if its weights are not
    these.
    """
    card, before = card_path(name, folder), weights_path(name, folder)
    if not (card.is_file() and before.is_file() and before.read_bytes() == weights):
        return {}
    facts = json.loads(card.read_text(encoding="utf-8"))
    return {key: facts[key] for key in MEASURED_LATER if key in facts}


def train_sample(name: str, *, seed: int = 0, out: Path | None = None) -> Iterator[TrainingStep]:
    """Train a sample model with its registered settings; the files are written after the last step.

    Weights are written to `weights/NAME.safetensors` and the card to `cards/NAME.json` in the folder `out`,
    by default the program's own samples if that is writable, or else the cache. Weights outside the program's
    folder are used only as a checkpoint. Both are written, or neither. If the weights are the same as before,
    the card keeps what was measured of them since.

    Raises:
        UnknownNameError: no sample of that name.
    """
    model, settings = untrained(name, seed), TrainingSettings.of(SAMPLES[name], seed)
    task, folder, seconds = DATA[SAMPLES[name].traits["data"]](), sample_folder(out), 0.0
    for step in train(model, task, settings):
        seconds = step.seconds
        yield step
    weights = safetensors.torch.save(model.state_dict())
    card = _card(name, model, settings, seconds) | _known(name, folder, weights)
    write_together(
        {
            weights_path(name, folder): weights,
            card_path(name, folder): (json.dumps(card, indent=1) + "\n").encode(),
        }
    )
