"""A pruned model as a folder that transformers itself loads: renumbered layers and a mended configuration."""

import copy
import json
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..errors import ExplorerError
from ..machine.optional_packages import uses_torchvision
from ..registry import EXPORTERS
from .archive import zipped
from .export import Export
from .recipe_json import recipe_json

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
NEAR = 1e-4  # of the largest output
OTHERS = (  # files of the model's folder that are copied as they are
    "preprocessor_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "vocab.json",
    "vocab.txt",
    "merges.txt",
    "tokenizer.model",
    "spiece.model",
    "sentencepiece.bpe.model",
)
OTHER = "choose another format, and please report this."
THINNER = (
    "the code of transformers computes with the width of the model, such as a scale; leave the width of the "
    "embedding whole, or choose another format."
)
QUERIES, KEYS = "num_attention_heads", "num_key_value_heads"
HEADS = {"q_proj": QUERIES, "k_proj": KEYS, "Attention.q": QUERIES}
HEAD_WIDTH = "head_dim"
MODEL_WIDTHS = (
    "hidden_size",
    "d_model",
    "n_embd",
    "dim",
)  # what a configuration calls the width that layers share


@EXPORTERS.register("transformers", rank=9, extension=".zip", media_type="application/zip", stages=2)
def transformers_folder(pruned: Export) -> bytes:
    """A zip with a folder that `from_pretrained` of transformers loads, for models that came from one
    (hf:FOLDER). Layers are renumbered and the configuration is mended.

    Whole layers and single weights may be removed, and channels as long as all layers keep the same width.
    The width that layers share may be cut where the configuration says the width of a head apart from it.
    Weights that came in 16 bits go out in 16 bits, unless a repair or training has changed them.

    Raises:
        ExplorerError: the model is not of transformers, or its configuration cannot say what was removed.
    """
    transformers = uses_torchvision("transformers")
    dense, small = pruned.subject.model, pruned.model
    config = getattr(dense, "config", None)
    own = next(
        (kind for kind in type(dense).__mro__ if "forward" in vars(kind) and kind is not type(dense)), None
    )
    if not isinstance(config, transformers.PretrainedConfig) or own is None:
        raise ExplorerError(
            "This format is for models of transformers, loaded with hf:FOLDER; choose another format."
        )
    pruned.step("Writing the folder")
    state = {name: tensor.detach().cpu() for name, tensor in small.state_dict().items()}
    mended, renumbered = _renumbered(config, dict(dense.state_dict()), state)
    is_thinner = _thinner(mended, dense, state)
    with tempfile.TemporaryDirectory() as place:
        dtype = _dtype_of(config, renumbered)
        if getattr(config, "dtype", None) not in (dtype, None):
            pruned.say(
                f"The weights came as {config.dtype} and have changed, so they are written as {dtype}."
            )
        _written(own, mended, renumbered, place, dtype)
        origin = Path(str(getattr(config, "_name_or_path", "")))
        for name in OTHERS:
            if (origin / name).is_file():
                shutil.copyfile(origin / name, Path(place) / name)
        pruned.step("Loading it again")
        _check(own, place, pruned, THINNER if is_thinner else OTHER)
        files = {file.name: file.read_bytes() for file in sorted(Path(place).iterdir()) if file.is_file()}
    return zipped({**files, "recipe.json": recipe_json(pruned)})


def _renumbered(
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


def _thinner(config: Any, dense: Any, state: Mapping[str, Tensor]) -> bool:
    """Mend the width that all layers share, and say whether it is cut; the width of a head stays as it is."""
    table = getattr(dense.get_input_embeddings(), "weight", None)
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


def _dtype_of(config: Any, state: Mapping[str, Tensor]) -> torch.dtype:
    """Return the number format that the weights came in if it holds all of these exactly, else float32."""
    came: Any = getattr(config, "dtype", None)
    fractions = [tensor for tensor in state.values() if tensor.is_floating_point()]
    is_exact = isinstance(came, torch.dtype) and all(
        torch.equal(x, x.to(came).to(x.dtype)) for x in fractions
    )
    return came if is_exact else torch.float32


def _written(own: Any, config: Any, state: Mapping[str, Tensor], place: str, dtype: torch.dtype) -> None:
    """Write a model of this configuration with these tensors, in a number format.

    Raises:
        ExplorerError: they do not fit.
    """
    with torch.random.fork_rng(devices=[]):
        model: Any = own(config)
    try:
        model.load_state_dict(dict(state))
    except RuntimeError as error:
        line = str(error).strip().splitlines()[-1].strip()[:200]
        raise ExplorerError(
            f"The configuration of transformers cannot say what was removed ({line}); remove whole layers, "
            "or channels to the same width in all of them, or choose another format."
        ) from error
    model.eval().to(dtype).save_pretrained(place, safe_serialization=True)


def _check(own: Any, place: str, pruned: Export, otherwise: str) -> None:
    """Load the folder as its user will, and compare the answers.

    Args:
        otherwise: what to say if they differ.
    Raises:
        ExplorerError: it cannot be loaded, or the answers are not the pruned model's.
    """
    try:
        network, loading = own.from_pretrained(
            place, local_files_only=True, output_loading_info=True, dtype=torch.float32
        )
    except Exception as error:  # the configuration is checked by foreign code
        why = " ".join(str(error).split())[:200]
        raise ExplorerError(
            f"transformers does not load a model of these sizes ({why}); remove other numbers of units, or "
            "choose another format."
        ) from error
    names = [part.name for part in pruned.subject.reads] or [network.main_input_name]
    with torch.no_grad():
        answers = network.eval()(**dict(zip(names, pruned.examples, strict=True)))
        wanted = pruned.model(*pruned.examples)
    given = answers.logits if "logits" in answers else answers.last_hidden_state
    missing = json.dumps(sorted(loading["missing_keys"]))[:120]
    if loading["missing_keys"] or not float((wanted - given).abs().max()) <= NEAR * float(wanted.abs().max()):
        raise ExplorerError(
            f"The folder does not give the pruned model's answers (missing: {missing}); {otherwise}"
        )
