"""Packages that are not always installed: imported when they are first needed, with a sentence if they are
missing.
"""

import importlib
import importlib.util
import sys
import threading
from collections.abc import Callable
from types import ModuleType
from typing import TypeVar

import torch

from ..errors import LoadError
from .collector import without_collector

T = TypeVar("T")

EXTRAS = {
    "torchvision": "zoo",
    "timm": "zoo",
    "transformers": "hf",
    "PIL.Image": "zoo",
    "onnx": "onnx",
    "onnxscript": "onnx",
    "onnxruntime": "onnx",
    "authlib": "auth",
    "optuna": "search",
    "optuna.storages.journal": "search",
    "distributed": "cluster",
    "distributed.comm": "cluster",
    "distributed.worker": "cluster",
    "dask.config": "cluster",
    "cryptography": "cluster",
    "pyarrow": "parquet",
    "pyarrow.parquet": "parquet",
}
PACKAGES = {"PIL.Image": "pillow", "authlib": "Authlib"}
# torchvision registers shapes for these while it is imported, even with a torch build that its compiled part
# does not fit
OPERATORS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)
_declared: list[torch.library.Library] = []  # a library that is garbage-collected takes its operators with it
_lock = threading.RLock()


def optional(name: str) -> ModuleType:
    """Import and return the package.

    Raises:
        LoadError: it is not installed, or cannot be imported with this torch; the message says what to
            install.
    """
    with _lock:
        try:
            with without_collector():
                return importlib.import_module(name)
        except ImportError as error:
            package, why = PACKAGES.get(name, name), " ".join(str(error).split())[:200]
            way = f"install it with: pip install 'pruning-explorer[{EXTRAS[name]}]'."
            raise LoadError(f"Package {package} cannot be imported ({why}); {way}") from error


def torchvision() -> ModuleType:
    """Return torchvision. If its compiled operators do not fit this torch build, they are declared, so that
    its models work.

    Raises:
        LoadError: it is not installed.
    """
    with _lock:
        try:
            return with_operators(lambda: optional("torchvision"))
        except RuntimeError as error:
            raise LoadError(
                f"Package torchvision does not fit torch {torch.__version__} ({str(error)[:200]})."
            ) from error


def with_operators(action: Callable[[], T]) -> T:
    """Run code that may import torchvision, such as a user's file. If its compiled operators do not fit this
    torch build, they are declared, and the code runs once more.
    """
    try:
        return action()
    except RuntimeError as error:
        if "operator torchvision::" not in str(error) or _declared:
            raise
        with _lock:
            _declare()
            _forget_halves()
    return action()


def _forget_halves() -> None:
    """Forget the parts of packages whose import failed, so that they are imported anew."""
    for name in list(sys.modules):
        if "." in name and name.partition(".")[0] not in sys.modules:
            del sys.modules[name]


def _declare() -> None:
    library = torch.library.Library("torchvision", "FRAGMENT")
    for operator in OPERATORS:
        if not hasattr(torch.ops.torchvision, operator.partition("(")[0]):
            library.define(operator)
    _declared.append(library)


def uses_torchvision(name: str) -> ModuleType:
    """Return a package that imports torchvision by itself if it is installed.

    Raises:
        LoadError: it is not installed.
    """
    with _lock:
        if "torchvision" not in sys.modules and importlib.util.find_spec("torchvision"):
            torchvision()
        return optional(name)
