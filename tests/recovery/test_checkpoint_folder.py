"""What a recovery keeps on disk is whole, or as it was before."""

import resource
import signal

import pytest
import torch

from explorer.errors import ExplorerError
from explorer.recovery.checkpoints import Folder


def test_a_full_disk_leaves_no_half_checkpoint(tmp_path):
    folder = Folder("key", tmp_path)
    folder.write("a", {"x": torch.zeros(4)}, {})
    limits, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))  # as small a quota as a test can have
    try:
        with pytest.raises(ExplorerError, match="make room there"):
            folder.write("a", {"x": torch.zeros(4000)}, {})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert [path.name for path in folder.path.iterdir()] == ["a"]
    found = folder.read("a")
    assert found is not None and len(found[0]["x"]) == 4
