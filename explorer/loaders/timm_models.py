"""Models of timm."""

import math
from typing import Any

from torch import nn

from ..errors import UnknownNameError
from ..machine.optional_packages import uses_torchvision
from ..registry import LOADERS
from ..values.subject import Normalisation, Preset, Subject
from .foreign_model import InputForm, built, subject_of, weights_of
from .heads import class_sentence, classes_of
from .weights import load_weights

INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "lanczos")


@LOADERS.register("timm", rank=3)
def timm_model(name: str, *, checkpoint: str | None = None) -> Subject:
    """A model of timm, such as timm:resnet50 or timm:convnext_tiny.fb_in1k; weights come from --checkpoint
    alone.

    Args:
        name: with or without the tag of its published weights, which says how pictures are prepared for them.
        checkpoint: a safetensors file.
    Raises:
        UnknownNameError: timm has no such model.
        LoadError: the package is missing, the model too large, or the weights do not fit.
    """
    timm = uses_torchvision("timm")
    architecture = name.partition(".")[0]
    if architecture not in timm.list_models() or (
        architecture != name and name not in timm.list_pretrained(f"{architecture}.*")
    ):
        raise UnknownNameError("timm model", name, _near(timm, architecture))
    classes = classes_of(lambda: timm.create_model(name, pretrained=False), checkpoint)
    options = {} if classes is None else {"num_classes": classes}
    model = built(lambda: timm.create_model(name, pretrained=False, **options), name)
    remark = load_weights(model, checkpoint) if checkpoint else ""
    config = timm.data.resolve_model_data_config(model)
    return subject_of(
        model,
        f"timm:{name}",
        InputForm(tuple(config["input_size"]), _preset(timm, model, config)),
        f"{name} of timm, {weights_of(checkpoint, remark)}{class_sentence(classes)}.",
    )


def _near(timm: Any, architecture: str) -> list[str]:
    """Return names to suggest: the tags of the architecture, or else names that begin alike, or else all."""
    if architecture in timm.list_models():
        return [architecture, *timm.list_pretrained(f"{architecture}.*")]
    return timm.list_models(f"{architecture[:6]}*") or timm.list_models()


def _preset(timm: Any, model: nn.Module, config: dict[str, Any]) -> Preset:
    height, width = config["input_size"][1:]
    normalisation = Normalisation(1 / 255, tuple(config["mean"]), tuple(config["std"]))
    resize = math.floor(min(height, width) / config["crop_pct"])  # timm rounds down
    fit = "stretch" if config["crop_mode"] == "squash" else "crop"
    interpolation = config["interpolation"] if config["interpolation"] in INTERPOLATIONS else "bicubic"
    return Preset(normalisation, resize, fit, interpolation, _class_names(timm, model))  # type: ignore[arg-type]


def _class_names(timm: Any, model: nn.Module) -> tuple[str, ...]:
    """Return the first word of each ImageNet label, if the model has its thousand classes and was not trained
    on others.
    """
    if getattr(model, "num_classes", None) != 1000:
        return ()
    info = timm.data.ImageNetInfo()
    return tuple(info.index_to_description(number).partition(",")[0] for number in range(1000))
