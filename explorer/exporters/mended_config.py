"""The configuration of a smaller model of transformers: how many layers, heads and neurons are left of it."""

import copy
import re
from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor

from ..errors import ExplorerError

DEPTH = "num_hidden_layers"  # what a configuration can say
WIDTHS = (  # what it calls the neurons inside the MLPs: one number for all layers, or for one of two halves
    "intermediate_size",
    "ffn_dim",
    "n_inner",
    "hidden_dim",
    "d_ff",
    "encoder_ffn_dim",
    "decoder_ffn_dim",
)
HALVES = "encoder", "decoder"
USUAL_WIDTH = 4  # times that of the model, where a configuration leaves it open
QUERIES, KEYS = "num_attention_heads", "num_key_value_heads"
HEADS = {"q_proj": QUERIES, "k_proj": KEYS, "Attention.q": QUERIES}
FUSED, READER = "qkv_proj.weight", "o_proj.weight"
HEAD_WIDTH = "head_dim"
MODEL_WIDTHS = "hidden_size", "d_model", "n_embd", "dim"  # the width that all layers share


def renumbered(
    config: Any, dense: Mapping[str, Tensor], state: Mapping[str, Tensor]
) -> tuple[Any, dict[str, Tensor]]:
    """Return the mended configuration, and the tensors under the names of the smaller model.

    Raises:
        ExplorerError: a part of a layer is gone, or another tensor.
    """
    config = copy.deepcopy(config)
    seeing = config if hasattr(config, DEPTH) else getattr(config, "vision_config", config)
    depth = getattr(seeing, DEPTH, None)
    pattern = _layers(dense, depth)
    gone = [name for name in dense if name not in state]
    if pattern is None:
        if gone:
            raise ExplorerError(
                f"The configuration of this model has no {DEPTH!r}, so it cannot say that blocks are gone; "
                "choose another format."
            )
        return config, dict(state)
    layers: dict[int, list[str]] = {}
    for name in dense:
        if match := pattern.match(name):
            layers.setdefault(int(match[1]), []).append(name)
    away = {number for number, names in layers.items() if not any(name in state for name in names)}
    whole = {name for number in away for name in layers[number]}
    partly = [name for name in gone if name not in whole]
    if partly:
        raise ExplorerError(
            f"{partly[0]!r} is removed without the rest of its layer, which the configuration of "
            "transformers cannot say; remove both blocks of a layer, or choose another format."
        )
    left = [number for number in sorted(layers) if number not in away]
    if not left:
        raise ExplorerError(
            "No layer is left, which transformers does not load; keep one, or choose another format."
        )
    new = {number: place for place, number in enumerate(left)}
    setattr(seeing, DEPTH, len(left))
    for key, value in list(vars(seeing).items()):
        if (
            isinstance(value, list)
            and len(value) == depth
            and not key.startswith("_")
            and key != "architectures"
        ):
            setattr(seeing, key, [value[number] for number in left])

    def renamed(name: str) -> str:
        match = pattern.match(name)
        return f"{name[: match.start(1)]}{new[int(match[1])]}{name[match.end(1) :]}" if match else name

    _narrow(seeing, dense, state)
    _fewer_heads(seeing, dense, state)
    return config, {renamed(name): tensor for name, tensor in state.items() if name in dense}


def _narrow(config: Any, dense: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> None:
    """Mend the widths inside the MLPs that are the same in all layers that are left."""
    for key in WIDTHS:
        width = getattr(config, key, None)
        if hasattr(config, key) and width is None:
            width = USUAL_WIDTH * config.hidden_size
        half = next((f"{half}." for half in HALVES if key.startswith(half)), "")
        half = half if any(half in name for name in state) else ""  # an encoder on its own
        widths = {
            now
            for name, tensor in state.items()
            if half in name and name in dense and tensor.shape != dense[name].shape
            for before, now in zip(dense[name].shape, tensor.shape, strict=True)
            if before == width
        }
        if len(widths) == 1:
            setattr(config, key, widths.pop())


def _fewer_heads(config: Any, dense: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> None:
    """Mend the numbers of heads if they are the same in all layers that are left, and say the width of a head
    apart from that of the model. A class that does not read it is refused when it loads the tensors.
    """
    size, heads = getattr(config, "hidden_size", None), getattr(config, QUERIES, None)
    width = getattr(config, HEAD_WIDTH, None) or (size // heads if size and heads else 0)
    for layer, number in HEADS.items():
        names = [name for name in state if name in dense and name.endswith(f"{layer}.weight")]
        rows = {len(state[name]) for name in names}
        before = heads if number == QUERIES else getattr(config, number, None)
        if not width or before is None or len(rows) != 1 or len(dense[names[0]]) != before * width:
            continue
        left = rows.pop() // width
        if left != before:
            setattr(config, number, left)
            setattr(config, HEAD_WIDTH, width)
    _fewer_fused(config, heads, width, dense, state)


def _fewer_fused(
    config: Any, heads: int | None, width: int, dense: Mapping[str, Tensor], state: Mapping[str, Tensor]
) -> None:
    """Mend the numbers of heads where queries, keys and values are one matrix: what reads them tells how many
    queries there are.
    """
    sizes = {
        (len(state[name]), state[reader].shape[1])
        for name in state
        if name in dense and name.endswith(FUSED) and (reader := name.replace(FUSED, READER)) in state
    }
    if heads and width and len(sizes) == 1:
        rows, queries = sizes.pop()
        pairs = (rows - queries) // 2
        if queries != heads * width or pairs != (getattr(config, KEYS, None) or heads) * width:
            setattr(config, QUERIES, queries // width)
            setattr(config, KEYS, pairs // width)
            setattr(config, HEAD_WIDTH, width)


def thinner(config: Any, dense: Any, state: Mapping[str, Tensor]) -> bool:
    """Mend the width that all layers share, and say whether it is cut; the width of a head stays as it is."""
    table = next(iter(dense.get_input_embeddings().parameters()), None)
    name = next((name for name, tensor in dense.named_parameters() if tensor is table), "")
    if table is None or name not in state or table.dim() != 2 or state[name].shape[1] == table.shape[1]:
        return False
    before, heads = table.shape[1], getattr(config, QUERIES, None)
    width = getattr(config, HEAD_WIDTH, None) or (before // heads if heads else None)
    for key in MODEL_WIDTHS:
        if getattr(config, key, None) == before:
            setattr(config, key, state[name].shape[1])
    if width:
        setattr(config, HEAD_WIDTH, width)
    return True


def _layers(names: Mapping[str, Tensor], depth: int | None) -> re.Pattern[str] | None:
    """Return the pattern of the names of layers: the first list of modules that has as many as there are."""
    prefixes: dict[str, set[int]] = {}
    for name in names:
        for prefix, number in _numbered(name):
            prefixes.setdefault(prefix, set()).add(number)
    fits = [prefix for prefix, numbers in prefixes.items() if depth and numbers == set(range(depth))]
    return re.compile(rf"{re.escape(fits[0])}\.(\d+)\.") if fits else None


def _numbered(name: str) -> Iterator[tuple[str, int]]:
    parts = name.split(".")
    for place, part in enumerate(parts[:-1]):
        if part.isdigit():
            yield ".".join(parts[:place]), int(part)
