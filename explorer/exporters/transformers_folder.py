"""A pruned model as a folder that transformers itself loads: renumbered layers and a mended configuration."""

import json
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..errors import ExplorerError
from ..machine.optional_packages import uses_torchvision
from ..registry import EXPORTERS
from .archive import zipped
from .export import Export
from .mended_config import renumbered, thinner
from .recipe_json import recipe_json

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
REPORT_IT = "choose another format, and please report this."
THINNER = (
    "the code of transformers computes with the width of the model, such as a scale; leave the width of the "
    "embedding whole, or choose another format."
)


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
    mended, tensors = renumbered(config, dict(dense.state_dict()), state)
    is_thinner = bool(pruned.subject.reads) and thinner(mended, dense, state)
    with tempfile.TemporaryDirectory() as place:
        dtype = _dtype_of(config, tensors)
        if getattr(config, "dtype", None) not in (dtype, None):
            pruned.say(
                f"The weights came as {config.dtype} and have changed, so they are written as {dtype}."
            )
        _written(own, mended, tensors, place, dtype)
        origin = Path(str(getattr(config, "_name_or_path", "")))
        for name in OTHERS:
            if (origin / name).is_file():
                shutil.copyfile(origin / name, Path(place) / name)
        pruned.step("Loading it again")
        _check(own, place, pruned, THINNER if is_thinner else REPORT_IT)
        files = {file.name: file.read_bytes() for file in sorted(Path(place).iterdir()) if file.is_file()}
    return zipped({**files, "recipe.json": recipe_json(pruned)})


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
