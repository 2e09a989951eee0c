"""Silences torch while it reads a model: it prints pages about its internals that mean nothing to users.

Errors are still raised, and become a sentence.
"""

import logging
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import fx

ORIGINS = "do_not_emit_stack_traces"  # setting of torch.fx


def _nothing(*said: Any, **how: Any) -> None:
    """Replace `print`."""


@contextmanager
def without_log() -> Iterator[None]:
    """Silence torch's loggers and its own warnings."""
    from torch.export import _trace  # a second of imports, which a server that starts has no need of

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


@contextmanager
def without_origins() -> Iterator[None]:
    """Let a traced graph be without the lines of code that its steps come from: nobody reads them here, and
    to look them up takes a part of the time. Torch can do without them from 2.12 on.
    """
    config = vars(fx.config)
    before = config.get(ORIGINS)
    if before is not None:
        config[ORIGINS] = True
    try:
        yield
    finally:
        if before is not None:
            config[ORIGINS] = before


@contextmanager
def without_fast_path() -> Iterator[None]:
    """Let transformer layers run their own code; the fused kernel hides the projections from a graph."""
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(before)


@contextmanager
def counted_apart() -> Iterator[None]:
    """Let what `torch.compile` builds meanwhile be built again later, since under a mode that counts it holds
    for that mode alone; `torch.cond` compiles, too.
    """
    try:
        yield
    finally:
        if "torch._dynamo" in sys.modules:
            torch._dynamo.reset()
