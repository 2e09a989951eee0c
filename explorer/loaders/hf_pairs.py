"""Models of transformers with an encoder and a decoder: each reads an input of its own, and both are side by
side in one row.
"""

from typing import Any

import torch
from torch import Tensor

from ..errors import LoadError
from ..values.inputs import InputPart, from_one_row, in_one_row, sizes
from ..values.subject import Preset
from .foreign_forward import Forward, Way
from .foreign_model import SEED, InputForm

NOTE = " Its encoder and its decoder each read an input of their own, so it is measured without a text."
FRAMES = 2  # of sound, that become one position of the encoder


def pair_form(model: Any, length: int, *, hears: bool) -> InputForm:
    """Return what the encoder and the decoder of a model read: as many tokens each, or a sound and tokens.

    Raises:
        LoadError: its sounds have another form than Whisper's.
    """
    config = model.config
    rows = int(model.get_input_embeddings().weight.shape[0])
    parts = _sound(config) if hears else InputPart("input_ids", (length,), "int64", rows)
    table = int(model.get_output_embeddings().weight.shape[0]) if hears else rows
    both = parts, InputPart("decoder_input_ids", (length,), "int64", table)
    generator = torch.Generator().manual_seed(SEED)
    example = in_one_row([part.drawn(2, generator) for part in both])
    return InputForm((sum(sizes(both)),), Preset(), example, both)


def _sound(config: Any) -> InputPart:
    bands, positions = (getattr(config, key, None) for key in ("num_mel_bins", "max_source_positions"))
    if not isinstance(bands, int) or not isinstance(positions, int):
        raise LoadError(
            f"{config.model_type!r} hears sounds in a form that is not known here; Whisper's is, or name a "
            "Python file with the model."
        )
    return InputPart("input_features", (bands, FRAMES * positions))


def way_for_pair(parts: tuple[InputPart, ...]) -> Way:
    """Return how a model is called with one batch of rows, and which tensor it answers with."""

    def way(forward: Forward, rows: Tensor) -> Tensor:
        given = from_one_row(rows, parts)
        named = {part.name: value for part, value in zip(parts, given, strict=True)}
        answers: Tensor = forward(**named, use_cache=False).logits
        return answers

    return way
