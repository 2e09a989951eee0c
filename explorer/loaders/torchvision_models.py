"""torchvision:NAME, from the optional package; its operators are declared where the build lacks them."""

import importlib
from types import ModuleType

import torch

from ..errors import LoadError, UnknownNameError
from ..registry import LOADERS
from ..values import Subject, subject_id
from .weights import load_weights

_declared: list[torch.library.Library] = []  # a library that is collected takes its operators with it


def import_torchvision() -> ModuleType:
    """torchvision, also beside a torch build that lacks its compiled operators.

    Raises:
        LoadError: the package is not installed.
    """
    if not _declared:
        library = torch.library.Library("torchvision", "FRAGMENT")
        if not hasattr(torch.ops.torchvision, "nms"):
            library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        if not hasattr(torch.ops.torchvision, "qnms"):
            library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _declared.append(library)
    try:
        return importlib.import_module("torchvision")
    except ImportError as error:
        raise LoadError("Package torchvision is not installed; install it with: pip install 'pruning-explorer[zoo]'.") from error


@LOADERS.register("torchvision")
def torchvision_model(name: str, *, checkpoint: str | None = None) -> Subject:
    """A classification model of torchvision with random weights, or those of a safetensors file."""
    models = import_torchvision().models
    known = models.list_models(module=models)
    if name not in known:
        raise UnknownNameError("torchvision classification model", name, known)
    options = {"init_weights": True, "aux_logits": False} if name in ("googlenet", "inception_v3") else {}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = models.get_model(name, weights=None, **options)
    if checkpoint:
        load_weights(model, checkpoint)
    model.eval()
    side = {"inception_v3": 299}.get(name, 224)
    return Subject(subject_id(model), f"torchvision:{name}", model, None, torch.randn(2, 3, side, side))
