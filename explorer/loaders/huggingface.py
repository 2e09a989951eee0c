"""Models of transformers, from a folder or the hub: classifiers of pictures, and models that read text. Only
safetensors weights are read, and none of the hub's code is run.
"""

import math
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..data.reader import class_name
from ..errors import LoadError
from ..machine.collector import without_collector
from ..machine.optional_packages import uses_torchvision
from ..registry import LOADERS
from ..values.subject import Normalisation, Preset, Subject
from .foreign_forward import Forward, led
from .foreign_model import InputForm, subject_of, weights_of
from .heads import classes_of
from .hf_kinds import TAKEN, TWO_INPUTS, ModelKind, kind_of, unread_words
from .hf_pairs import NOTE, pair_form, way_for_pair
from .hf_text import form_for, text_form, way_for, window_of
from .number_format import SHORT, check_unquantised, in_float32, number_format
from .pt_weights import convert
from .weight_files import weights_file

WINDOWED = re.compile(r"^(?P<name>.+)@(?P<tokens>\d{1,6})\Z")
HUB_ID = re.compile(r"^[\w.-]+(/[\w.-]+)?\Z")
METHODS = {0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic"}  # PIL's numbers, which the files use
NUMBERED = re.compile(r"^LABEL_\d+\Z")  # what transformers calls classes without names
LARGEST = 10_000_000  # largest number in a configuration
COUNTS = ("label", "class", "layer", "depth", "block", "stage")  # in names of numbers of things to be made
MOST = 100_000  # of such things, and entries of a list
SIDE = 224  # for models whose files don't give a size


def logits(forward: Forward, pixel_values: Tensor) -> Tensor:
    """Return (n, channels, height, width) -> (n, classes), without the named outputs of transformers."""
    return forward(pixel_values=pixel_values).logits


@LOADERS.register("hf", rank=4, local_only=True)
@without_collector()
def huggingface_model(name: str, *, checkpoint: str | None = None) -> Subject:
    """A model of transformers for pictures or text: hf:FOLDER without network, or hf:OWNER/NAME from the hub.

    Args:
        name: a folder with config.json and model.safetensors, or an id; @64 at its end asks for windows of 64
            tokens.
        checkpoint: other weights (.safetensors) for the same architecture.
    Raises:
        LoadError: the package or the model is missing, of another kind, needs code of its own, or is too
            large.
    """
    name, tokens = _window(name)
    source, is_local = _source(name)
    transformers = uses_torchvision("transformers")
    transformers.utils.logging.disable_progress_bar()
    transformers.utils.logging.set_verbosity_error()  # what is wrong is said here, in a sentence
    how = {"trust_remote_code": False, "local_files_only": is_local}
    try:
        _check_numbers(transformers.PretrainedConfig.get_config_dict(source, **how)[0], "config.json")
        config = transformers.AutoConfig.from_pretrained(source, **how)
        kind, came = kind_of(transformers, config), getattr(config, "dtype", None)
        length, positions = (0, None) if kind.reads == "pictures" else window_of(config, tokens, name)
        model, dtype, unread = _model(transformers, kind, config, source, checkpoint, how)
        own: Any = model.config
        own.dtype = came  # that of the files, which an export keeps
        form = _form(kind, model, length) if length else _pictures(transformers, config, source, how)
    except LoadError:
        raise
    except Exception as error:  # the border of foreign files: transformers fails on them in many ways
        told = " ".join(str(error).split())[:200]
        way = f"it takes {TAKEN} with config.json and model.safetensors that needs no code of its own."
        raise LoadError(
            f"transformers cannot load {name[:80]!r} ({type(error).__name__}: {told}); {way}"
        ) from error
    about = (
        f"{type(model).__name__} of transformers, "
        f"{weights_of(checkpoint) if checkpoint else 'its own weights'}"
        f"{f', which tell {config.num_labels:,} classes apart' if kind.classes else ''}."
    )
    about += unread_words(unread)
    shown = f"hf:{Path(source).resolve().name if is_local else name}"
    if dtype == torch.float32 and came in SHORT:
        short = str(came).removeprefix("torch.")
        about += f" Its weights came in {short}; they are read without loss and computed in float32."
    elif dtype != torch.float32:
        about += f" It stays in {str(dtype).removeprefix('torch.')}, as it would be too large in float32."
    if kind.reads == "pictures":
        seen = in_float32(logits, dtype, of_pictures=True)
        return subject_of(led(model, seen), shown, form, about, dtype=dtype)
    if kind.reads in TWO_INPUTS:
        paired = in_float32(way_for_pair(form.reads), dtype)
        return subject_of(led(model, paired), shown, form, about + NOTE, dtype=dtype)
    text, note = text_form(transformers, source, kind.answers, positions)
    asked = in_float32(way_for(kind.answers), dtype)
    return replace(subject_of(led(model, asked), shown, form, about + note, dtype=dtype), text=text)


def _window(name: str) -> tuple[str, int | None]:
    """Split a name into that of the model and the requested tokens of a window; a folder whose own name ends
    like that is a folder.

    >>> _window("models/llama@64"), _window("models/llama")
    (('models/llama', 64), ('models/llama', None))
    """
    match = WINDOWED.match(name)
    if match is None or Path(name).expanduser().is_dir() or int(match["tokens"]) < 2:
        return name, None
    return match["name"], int(match["tokens"])


def _source(name: str) -> tuple[str, bool]:
    """Return what transformers loads from, and whether it is a folder.

    Raises:
        LoadError: neither an existing folder nor an id.
    """
    folder = Path(name).expanduser()
    if not folder.is_dir() and not HUB_ID.match(name):
        raise LoadError(
            f"There is no folder {name[:200]!r}; give one with config.json and model.safetensors, or "
            "OWNER/NAME."
        )
    return (str(folder), True) if folder.is_dir() else (name, False)


def _check_numbers(value: Any, where: str, most: int = LARGEST) -> None:
    """Check the numbers of a configuration before it creates lists and layers of those sizes.

    Raises:
        LoadError: a number that no image classifier has.
    """
    if isinstance(value, int | float) and not abs(value) <= most:
        raise LoadError(f"{where[:120]} says {value:,}; up to {most:,} is taken.")
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    items = list(pairs)
    if len(items) > MOST:
        raise LoadError(f"{where[:120]} has {len(items):,} entries; up to {MOST:,} are taken.")
    for key, item in items:
        counts = any(word in str(key).lower() for word in COUNTS)
        _check_numbers(item, f"{where.rstrip(',')}, {key!r},", MOST if counts else most)


def _model(
    transformers: Any,
    kind: ModelKind,
    config: Any,
    source: str,
    checkpoint: str | None,
    how: Mapping[str, Any],
) -> tuple[nn.Module, torch.dtype, Sequence[str]]:
    """Return the model with the weights of its files, or of a checkpoint, their number format, and the
    tensors in them that it does not read.

    Raises:
        LoadError: too large, or weights are missing, so that it is not a trained model of its kind.
    """
    classifier = getattr(transformers, kind.auto)
    classes = None
    if kind.classes:
        classes = classes_of(lambda: classifier.from_config(config, trust_remote_code=False), checkpoint)
    if classes is not None:
        config.num_labels = classes
    dtype = number_format(
        lambda dtype: classifier.from_config(config, trust_remote_code=False, dtype=dtype), config, source
    )
    options = {
        "config": config,
        "use_safetensors": True,
        "dtype": dtype,
        "output_loading_info": True,
        "ignore_mismatched_sizes": True,  # they are refused below, in words
        **how,
    }
    if checkpoint:
        with _folder_of(config, Path(checkpoint)) as folder:
            check_unquantised(Path(folder))
            model, loading = classifier.from_pretrained(folder, **options | {"local_files_only": True})
    else:
        check_unquantised(Path(source))
        model, loading = classifier.from_pretrained(source, **options)
    if wrong := sorted(loading["mismatched_keys"]):
        name, stored, configured = wrong[0]
        raise LoadError(
            f"{(checkpoint or source)[-80:]!r} does not fit its config.json: {name[:80]!r} has the shape "
            f"{tuple(stored)} in the files and {tuple(configured)} by the configuration; correct one of them."
        )
    if missing := sorted(loading["missing_keys"]):
        more = f" and {len(missing) - 1:,} more" if len(missing) > 1 else ""
        fault = f"lacks {missing[0]!r}{more}, so it is not a trained {kind.title}; choose one that is."
        raise LoadError(f"{(checkpoint or source)[-80:]!r} {fault}")
    return model, dtype, sorted(loading["unexpected_keys"])


@contextmanager
def _folder_of(config: Any, checkpoint: Path) -> Iterator[str]:
    """Return a folder that transformers can read, with other weights, so that it renames tensors of older
    files itself.

    Raises:
        LoadError: no such file, or one without weights.
    """
    file = weights_file(checkpoint, checkpoint.name)
    with tempfile.TemporaryDirectory() as folder:
        config.save_pretrained(folder)
        place = Path(folder) / "model.safetensors"
        if file.suffix.lower() != ".safetensors":
            convert(file, place)
        else:
            _link(file, place)
        yield folder


def _link(file: Path, place: Path) -> None:
    try:
        place.symlink_to(file.resolve())
    except OSError:  # a system, or an account, without links
        shutil.copyfile(file, place)


def _rules(transformers: Any, source: str, how: Mapping[str, Any]) -> dict[str, Any]:
    """Return preprocessor_config.json as data; empty if there is none."""
    local = {"local_files_only": how["local_files_only"]}
    try:
        facts, _ = transformers.image_processing_utils.ImageProcessingMixin.get_image_processor_dict(
            source, **local
        )
    except OSError:
        return {}
    return facts


def _pictures(transformers: Any, config: Any, source: str, how: Mapping[str, Any]) -> InputForm:
    shape, preset = _reads(config, _rules(transformers, source, how))
    return InputForm(shape, preset)


def _form(kind: ModelKind, model: Any, length: int) -> InputForm:
    if kind.reads in TWO_INPUTS:
        return pair_form(model, length, hears=kind.reads == "sound and text")
    return form_for(model, length, _class_names(model.config) if kind.classes else ())


def _class_names(config: Any) -> tuple[str, ...]:
    """Return the names of the classes; () if they are only numbered."""
    named = tuple(class_name(config.id2label[number]) for number in sorted(config.id2label))
    return () if all(map(NUMBERED.match, named)) else named


def _reads(config: Any, rules: Mapping[str, Any]) -> tuple[tuple[int, ...], Preset]:
    """Return the shape of an input and the preset from the model's files."""
    size, crop = (
        _sides(rules.get("size")),
        _sides(rules.get("crop_size")) if rules.get("do_center_crop", True) else None,
    )
    seeing = getattr(config, "vision_config", config)  # of models that also read text
    height, width = _sides(getattr(seeing, "image_size", None)) or crop or size or (SIDE, SIDE)
    shape = (int(getattr(seeing, "num_channels", 3)), height, width)
    mean, std = rules.get("image_mean", (0.5,)), rules.get("image_std", (0.5,))
    if not rules.get("do_normalize", True):
        mean, std = (0.0,), (1.0,)
    normalisation = Normalisation(
        float(rules.get("rescale_factor", 1 / 255)), tuple(map(float, mean)), tuple(map(float, std))
    )
    resize, fit = _resizing(rules, min(height, width), crop is not None)
    method = METHODS.get(rules.get("resample", 2), "bicubic")
    return shape, Preset(normalisation, resize, fit, method, _class_names(config))  # type: ignore[arg-type]


def _resizing(rules: Mapping[str, Any], side: int, is_cropped: bool) -> tuple[int, str]:
    """Return the pixels of the shorter side before the crop, and how it is resized (see `Preset`)."""
    size = rules.get("size")
    shortest = size.get("shortest_edge") if isinstance(size, Mapping) else None
    if shortest and rules.get("crop_pct") and side < 384:  # as ConvNeXt's own rule does
        return math.floor(shortest / rules["crop_pct"]), "crop"
    if shortest:
        return int(shortest), "crop"
    return (max(_sides(size) or (side,)), "crop") if is_cropped and size else (side, "stretch")


def _sides(value: Any) -> tuple[int, int] | None:
    """Return height and width of what files write as 224, [224, 224], or {"height": 224, "width": 224}."""
    if isinstance(value, Mapping):
        value = [value["height"], value["width"]] if "height" in value else value.get("shortest_edge")
    if isinstance(value, int):
        return value, value
    return (int(value[0]), int(value[1])) if value else None
