import json
import os
from pathlib import Path

import pytest
import torch

import explorer
from explorer.errors import ExplorerError, UnknownNameError
from explorer.machine import environment as module
from explorer.machine.environment import environment, pick_device, quota_cores, usable_cores, usable_threads


def _files(root: Path, texts: dict[str, str]) -> None:
    for name, text in texts.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


@pytest.mark.parametrize(
    ("texts", "membership", "cores"),
    [
        ({"cpu.max": "max 100000\n"}, "0::/\n", None),
        ({"cpu.max": "150000 100000\n"}, "0::/\n", 1.5),
        (
            {"a/cpu.max": "400000 100000\n", "a/b/cpu.max": "max 100000\n"},
            "0::/a/b\n",
            4.0,
        ),  # a parent binds its children
        ({"a/cpu.max": "400000 100000\n", "a/b/cpu.max": "200000 100000\n"}, "0::/a/b\n", 2.0),
        ({"other/cpu.max": "100000 100000\n"}, "0::/a/b\n", None),  # the quota of somebody else
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, "1:cpu:/\n", None),
        ({"cpu/cpu.cfs_quota_us": "300000\n", "cpu/cpu.cfs_period_us": "100000\n"}, "1:cpu:/\n", 3.0),
        (
            {"cpu,cpuacct/box/cpu.cfs_quota_us": "50000\n", "cpu,cpuacct/box/cpu.cfs_period_us": "100000\n"},
            "4:cpu,cpuacct:/box\n3:memory:/elsewhere\n",
            0.5,
        ),
        ({"cpu.max": "nonsense"}, "0::/\n", None),
        ({}, "", None),
    ],
)
def test_quota_of_control_groups(tmp_path, texts, membership, cores):
    _files(tmp_path / "cgroup", texts)
    _files(tmp_path, {"membership": membership})
    assert quota_cores(tmp_path / "cgroup", tmp_path / "membership") == cores


def test_no_control_groups_means_no_quota(tmp_path):
    assert quota_cores(tmp_path / "none", tmp_path / "none either") is None


@pytest.mark.parametrize(
    ("quota", "threads"), [(None, 7), (100.0, 7), (4.0, 3), (2.9, 1), (1.0, 1), (0.5, 1)]
)
def test_one_core_is_left_to_others(monkeypatch, quota, threads):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(8)), raising=False)
    monkeypatch.setattr(module, "quota_cores", lambda: quota)
    assert usable_threads() == threads


def test_cores_here_are_within_the_machine():
    assert 1 <= usable_threads() <= usable_cores() <= (os.cpu_count() or 1)


def test_auto_prefers_cuda_and_never_takes_mps(monkeypatch):
    for cuda, device in ((True, "cuda"), (False, "cpu")):
        monkeypatch.setattr(module, "_available", lambda cuda=cuda: {"cpu": True, "cuda": cuda, "mps": True})
        assert pick_device("auto").type == device
        assert pick_device("mps").type == "mps"


def test_cpu_is_always_there():
    assert pick_device("cpu") == torch.device("cpu")


@pytest.mark.parametrize("name", ["cuda", "mps"])
def test_a_missing_device_says_what_to_use(monkeypatch, name):
    monkeypatch.setattr(module, "_available", lambda: {"cpu": True, "cuda": False, "mps": False})
    with pytest.raises(ExplorerError, match=f"'{name}' is not available .* use auto, cpu"):
        pick_device(name)


def test_an_unknown_device_lists_the_known():
    with pytest.raises(UnknownNameError, match=r"'tpu'\. Available: auto, cpu, cuda, mps"):
        pick_device("tpu")


def test_environment_is_plain_and_complete():
    facts = environment("cpu")
    assert json.loads(json.dumps(facts)) == facts
    assert set(facts) == {
        "device",
        "device_name",
        "threads",
        "cpu_count",
        "torch",
        "python",
        "explorer",
        "system",
    }
    assert facts["device"] == "cpu"
    assert facts["threads"] == torch.get_num_threads()
    assert facts["torch"] == torch.__version__
    assert facts["explorer"] == explorer.__version__
    assert facts["device_name"]
