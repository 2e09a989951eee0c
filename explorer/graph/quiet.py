"""Silences torch while it reads a model: it prints pages about its internals that mean nothing to users.

Errors are still raised, and become a sentence.
"""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch.export import _trace


def _nothing(*said: Any, **how: Any) -> None:
    """Replace `print`."""


@contextmanager
def without_log() -> Iterator[None]:
    """Silence torch's loggers and its own warnings."""
    names = [name for name in logging.root.manager.loggerDict if name.partition(".")[0] == "torch"]
    loggers = [logging.getLogger(name) for name in names]
    before = [logger.disabled for logger in loggers]
    for logger in loggers:
        logger.disabled = True
    vars(_trace)["print"] = _nothing  # it prints the graph up to the failing point
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"torch\.|contextlib|copyreg")
            yield
    finally:
        vars(_trace).pop("print", None)
        for logger, disabled in zip(loggers, before, strict=True):
            logger.disabled = disabled
