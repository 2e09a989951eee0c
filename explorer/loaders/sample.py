"""Loads a sample model by name: architecture from `sample_models/`, weights next to it."""

import json
from pathlib import Path
from typing import Any

from ..errors import LoadError
from ..registry import DATA, LOADERS, SAMPLES
from ..values.identity import weights_id
from ..values.inputs import InputPart
from ..values.subject import Preset, Subject
from .foreign_model import BUILDING
from .sample_files import card_path, untrained, weights_path
from .weights import load_weights


def card(name: str) -> dict[str, Any]:
    """Return the card of a sample: parameters, MACs, accuracies, training; empty if it was never trained.

    Raises:
        LoadError: the card is damaged.
    """
    path = card_path(name)
    if not path.is_file():
        return {}
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise LoadError(f"The card {path.name!r} is damaged; install the program again.") from error


@LOADERS.register("sample", rank=1)
def sample(name: str, *, checkpoint: str | None = None) -> Subject:
    """A small model that comes with the program, trained.

    Args:
        name: of the sample.
        checkpoint: other weights (.safetensors) for its architecture; the card, which describes the shipped
            ones, is then empty.
    Raises:
        UnknownNameError: no sample of that name.
        LoadError: the weights are missing or damaged, or do not fit.
    """
    path = Path(checkpoint) if checkpoint else weights_path(name)
    with BUILDING:  # its first weights are random, and would disturb a model that is being built from a seed
        model = untrained(name)
    if not checkpoint and not path.is_file():
        raise LoadError(
            f"Sample {name!r} has no weights yet; train it with 'pruning-explorer train-sample {name}'."
        )
    load_weights(model, path)
    model.eval()
    task = DATA[SAMPLES[name].traits["data"]]()
    preset = Preset(task.normalisation, class_names=task.class_names)
    reads = (InputPart("tokens", task.shape, "int64", task.vocabulary),) if task.vocabulary else ()
    return Subject(
        weights_id(model),
        name,
        model,
        task,
        task.example(2),
        {} if checkpoint else card(name),
        preset,
        reads=reads,
        text=task.text,
    )
