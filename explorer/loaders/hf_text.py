"""Models of transformers that read tokens: their vocabulary, and how long their windows are."""

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..errors import LoadError
from ..machine.foreign_code import description
from ..values.inputs import InputPart
from ..values.subject import Normalisation, Preset
from ..values.text import Answers, TextForm, Tokens
from .foreign_forward import Forward, Way
from .foreign_model import SEED, InputForm

WINDOW = 128  # tokens, unless the model has fewer positions or another number is asked for
FILES = (
    "tokenizer.json",
    "vocab.json",
    "vocab.txt",
    "tokenizer.model",
    "spiece.model",
    "sentencepiece.bpe.model",
)
POSITIONS = (
    "max_position_embeddings",
    "n_positions",
    "max_seq_len",
    "max_sequence_length",
    "max_target_positions",
)
SHIFTED = ("roberta", "camembert", "longformer", "mpnet", "esm", "xmod")  # positions start after the padding
TRIAL = "a"  # a text that is tokenized to see what is put around it


def way_for(answers: Answers) -> Way:
    """Return how a model is called with one batch of tokens, and which tensor it answers with."""
    more: dict[str, Any] = {"use_cache": False} if answers == "next" else {}

    def way(forward: Forward, tokens: Tensor) -> Tensor:
        found = forward(input_ids=tokens, **more)
        return found.logits if "logits" in found else found.last_hidden_state

    return way


def window_of(config: Any, asked: int | None, name: str) -> tuple[int, int | None]:
    """Return the tokens of a window, and how many positions the model has.

    Raises:
        LoadError: the requested window is longer.
    """
    config = config.get_text_config() if hasattr(config, "get_text_config") else config
    known = [getattr(config, key, None) for key in POSITIONS]
    numbers = [value for value in known if isinstance(value, int) and value > 0]
    positions = min(numbers) if numbers else None
    if positions is not None and any(part in config.model_type for part in SHIFTED):
        positions -= (getattr(config, "pad_token_id", None) or 0) + 1
    length = asked or min(WINDOW, positions or WINDOW)
    if positions is not None and length > positions:
        raise LoadError(
            f"Windows of {length:,} tokens are longer than the {positions:,} positions of {name[-80:]!r}; "
            f"ask for up to {positions:,}, such as @{min(WINDOW, positions)}."
        )
    return length, positions


def form_for(model: nn.Module, length: int, class_names: tuple[str, ...]) -> InputForm:
    """Return what a model reads: windows of tokens up to the rows of its table."""
    embedding: Any = model.get_input_embeddings()  # type: ignore[operator]
    rows = int(embedding.weight.shape[0])
    example = torch.randint(rows, (2, length), generator=torch.Generator().manual_seed(SEED))
    part = InputPart("input_ids", (length,), "int64", rows)
    return InputForm((length,), Preset(Normalisation(whole=True), class_names=class_names), example, (part,))


def text_form(
    transformers: Any, source: str, answers: Answers, positions: int | None
) -> tuple[TextForm | None, str]:
    """Return the vocabulary of a folder or of the hub, or None, and a sentence about it."""
    is_local = Path(source).is_dir()
    if is_local and not any((Path(source) / name).is_file() for name in FILES):
        return None, " Its folder has no tokenizer, so it reads tokens, not text."
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(
            source, trust_remote_code=False, local_files_only=is_local
        )
        return _form(tokenizer, answers, positions), ""
    except Exception as error:  # the border of foreign files
        return None, f" Its tokenizer cannot be read ({description(error)}), so it reads tokens, not text."


def _form(tokenizer: Any, answers: Answers, positions: int | None) -> TextForm:
    known = tokenizer.get_vocab()
    whole = list(tokenizer(TRIAL)["input_ids"])
    inner = list(tokenizer(TRIAL, add_special_tokens=False)["input_ids"])
    place = next((k for k in range(len(whole)) if whole[k : k + len(inner)] == inner), 0)
    before, after = tuple(whole[:place]), tuple(whole[place + len(inner) :])
    is_next = answers == "next"
    mask = tokenizer.mask_token_id
    return TextForm(
        _encoder(tokenizer),
        _decoder(tokenizer),
        "other" if answers == "masked" and mask is None else answers,
        max(known.values()) + 1,
        positions,
        start=before if is_next else (),
        before=() if is_next else before,
        after=() if is_next else after,
        mask=mask,
        fingerprint=hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()[:16],
    )


def _encoder(tokenizer: Any) -> Callable[[str], Tokens]:
    def encode(text: str) -> Tokens:
        """Return tokens, and the bytes that each adds: those from the end of the one before to its own."""
        encoded = tokenizer(
            text, add_special_tokens=False, return_offsets_mapping=tokenizer.is_fast, verbose=False
        )
        tokens = list(encoded["input_ids"])
        if "offset_mapping" not in encoded:
            each, more = divmod(len(text.encode()), max(1, len(tokens)))
            return tokens, [each + (k < more) for k in range(len(tokens))]
        return tokens, bytes_added(text, [end for _, end in encoded["offset_mapping"]])

    return encode


def bytes_added(text: str, ends: Sequence[int]) -> list[int]:
    """Return the bytes of text from the furthest end so far to each end.

    >>> bytes_added("aé€", [1, 0, 2, 3])
    [1, 0, 2, 3]
    """
    codes = np.frombuffer(text.encode("utf-32-le"), np.uint32)
    sizes = 1 + (codes > 0x7F).astype(np.int64) + (codes > 0x7FF) + (codes > 0xFFFF)
    before = np.append(0, np.cumsum(sizes))  # bytes before each character
    reached = np.maximum.accumulate(np.asarray(ends, dtype=np.int64))
    return np.diff(before[reached], prepend=0).tolist()


def _decoder(tokenizer: Any) -> Callable[[Sequence[int]], str]:
    def decode(tokens: Sequence[int]) -> str:
        return str(tokenizer.decode(list(tokens), clean_up_tokenization_spaces=False))

    return decode
