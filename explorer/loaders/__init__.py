"""Plug-ins that turn a MODEL text into a Subject."""

from ..registry import LOADERS
from ..values import Subject

DEFAULT_MODEL = "shapes-resnet"


def split_spec(spec: str) -> tuple[str, str]:
    """Loader and name: "torchvision:resnet50", "FILE.py:factory"; without a prefix, a sample.

    >>> split_spec("shapes-resnet"), split_spec("torchvision:resnet50"), split_spec("nets/mine.py:build")
    (('sample', 'shapes-resnet'), ('torchvision', 'resnet50'), ('python_file', 'nets/mine.py:build'))
    """
    before, colon, after = spec.partition(":")
    if spec.endswith(".py") or ".py:" in spec:
        return "python_file", spec
    return (before, after) if colon else ("sample", spec)


def load(spec: str, *, checkpoint: str | None = None) -> Subject:
    """The model that a MODEL text names, in eval mode, with its task.

    Args:
        spec: a sample's name, or "loader:name", or "FILE.py:factory".
        checkpoint: a weights file that replaces the model's own.
    Raises:
        UnknownNameError: no such loader or model; the text lists what there is.
        LoadError: it could not be loaded.
    """
    loader, name = split_spec(spec)
    return LOADERS[loader](name, checkpoint=checkpoint)
