"""Classification models of torchvision."""

from dataclasses import replace
from types import ModuleType
from typing import Any

from torch import nn

from ..errors import UnknownNameError
from ..machine.optional_packages import torchvision
from ..registry import LOADERS
from ..values.subject import Normalisation, Preset, Subject
from .foreign_model import InputForm, built, subject_of, weights_of
from .heads import class_sentence, classes_of
from .weights import load_weights

# their published weights also contain heads that only training uses, and expect inputs in another program's
# scale
WITH_HEADS = {"googlenet": ("aux1", "aux2"), "inception_v3": ("AuxLogits",)}


@LOADERS.register("torchvision", rank=2)
def torchvision_model(name: str, *, checkpoint: str | None = None) -> Subject:
    """A classification model of torchvision, such as torchvision:resnet50; weights come from --checkpoint
    alone.

    Args:
        checkpoint: a safetensors file; torchvision's published weights fit once they are converted.
    Raises:
        UnknownNameError: torchvision has no such model.
        LoadError: the package is missing, the model too large, or the weights do not fit.
    """
    models = torchvision().models
    known = models.list_models(module=models)
    if name not in known:
        raise UnknownNameError("torchvision classification model", name, known)
    options: dict[str, Any] = {"init_weights": True, "aux_logits": False} if name in WITH_HEADS else {}
    if checkpoint and name in WITH_HEADS:
        options |= {"aux_logits": True, "transform_input": True}
    classes = classes_of(lambda: models.get_model(name, weights=None, **options), checkpoint)
    options |= {} if classes is None else {"num_classes": classes}
    model = built(lambda: models.get_model(name, weights=None, **options), name)
    remark = load_weights(model, checkpoint) if checkpoint else ""
    if checkpoint:
        _drop_heads(model, WITH_HEADS.get(name, ()))
    shape, preset = _reads(models, name)
    if classes is not None:
        preset = replace(preset, class_names=())
    about = f"{name} of torchvision, {weights_of(checkpoint, remark)}{class_sentence(classes)}."
    return subject_of(model, f"torchvision:{name}", InputForm(shape, preset), about)


def _drop_heads(model: nn.Module, heads: tuple[str, ...]) -> None:
    for head in heads:
        setattr(model, head, None)
        model.aux_logits = False  # type: ignore[assignment]


def _reads(models: ModuleType, name: str) -> tuple[tuple[int, ...], Preset]:
    """Return the shape of an input and the preset, from torchvision's data about the weights with the
    smallest input.
    """
    listed = list(models.get_model_weights(name))
    weights = min(listed, key=lambda entry: entry.transforms().crop_size[0])
    rule, (side,) = weights.transforms(), weights.transforms().crop_size
    normalisation = Normalisation(1 / 255, tuple(rule.mean), tuple(rule.std))
    names = tuple(weights.meta["categories"])
    return (3, side, side), Preset(
        normalisation, rule.resize_size[0], "crop", rule.interpolation.value, names
    )
