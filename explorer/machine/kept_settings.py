"""Settings of the whole process that foreign code may change: they are afterwards as they were before."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch


@contextmanager
def kept_settings() -> Iterator[None]:
    """Put back torch's default type and device, its gradients and threads, the folder, and the paths of
    imports; paths that were added stay.
    """
    dtype, device = torch.get_default_dtype(), torch.get_default_device()
    is_grad, threads = torch.is_grad_enabled(), torch.get_num_threads()
    folder, paths = Path.cwd(), list(sys.path)
    try:
        yield
    finally:
        torch.set_default_dtype(dtype)
        if torch.get_default_device() != device:
            torch.set_default_device(device)
        torch.set_grad_enabled(is_grad)
        if torch.get_num_threads() != threads:
            torch.set_num_threads(threads)
        os.chdir(folder)
        sys.path[:] = [*(path for path in sys.path if path not in paths), *paths]
