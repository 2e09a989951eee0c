"""A server killed in the middle of its work loses nothing; the long run is `python tests/load/kills.py`."""

import os
import subprocess
import sys

import pytest
import torch
from load.kills import Home, Results, damaged, main

from explorer.machine import paths
from explorer.machine.held_file import held

LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into /proc")


@LINUX
@pytest.mark.heavy
def test_a_killed_server_goes_on_with_equal_results_and_leaves_no_process():
    assert main(1, 0, []) == 0


def test_negative_control_other_results_damage_locks_and_orphans_are_seen(tmp_path):
    one = Results((1, 2), {"w": torch.zeros(2)})
    assert one.difference(Results((1, 2), {"w": torch.zeros(2)})) == ""
    assert "points" in one.difference(Results((1, 3), one.weights))
    assert "weights" in one.difference(Results((1, 2), {"w": torch.ones(2)}))
    home = Home(tmp_path / "cache", [])
    (home.folder / "half.json").write_text('{"a": ')
    assert [path.name for path in damaged(home.folder)] == ["half.json"]
    with held(home.folder / "x.lock"):
        assert home.stale_locks() == ["x.lock"]
    assert home.stale_locks() == []


@LINUX
def test_negative_control_a_process_that_is_left_is_seen(tmp_path):
    home = Home(tmp_path / "cache", [])
    environment = {**os.environ, paths.CACHE_VARIABLE: str(home.folder)}
    left = subprocess.Popen([sys.executable, "-c", "input()"], env=environment, stdin=subprocess.PIPE)
    try:
        while left.pid not in home.processes():  # until it has begun
            assert left.poll() is None
    finally:
        left.kill()
        left.communicate()
    assert home.processes() == []
