"""What torch writes of its own troubles while it reads a model: pages of its internals, which say nothing to
users.

What went wrong is raised, too, and becomes a sentence.
"""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch.export import _trace


def _nothing(*said: Any, **how: Any) -> None:
    """In place of `print`."""


@contextmanager
def without_log() -> Iterator[None]:
    """Torch's loggers say nothing meanwhile, and warnings of its own are not shown."""
    names = [name for name in logging.root.manager.loggerDict if name.partition(".")[0] == "torch"]
    loggers = [logging.getLogger(name) for name in names]
    before = [logger.disabled for logger in loggers]
    for logger in loggers:
        logger.disabled = True
    vars(_trace)["print"] = _nothing  # it prints the graph as far as it came
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"torch\.|contextlib|copyreg")
            yield
    finally:
        vars(_trace).pop("print", None)
        for logger, disabled in zip(loggers, before, strict=True):
            logger.disabled = disabled
