"""Where something was measured: device, threads, versions. A latency means little without them."""

import os
import platform
from pathlib import Path
from typing import Any

import torch

from ..errors import ExplorerError, UnknownNameError
from .version import __version__

CGROUP = Path("/sys/fs/cgroup")
DEVICES = ("auto", "cpu", "cuda", "mps")


def _available() -> dict[str, bool]:
    return {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}


def pick_device(name: str = "auto") -> torch.device:
    """Return the device of that name; "auto" is cuda if there is one, otherwise cpu.

    "mps" is used only on request, since nothing here was tested on it.

    Raises:
        UnknownNameError: not one of auto, cpu, cuda, mps.
        ExplorerError: this machine, or this build of torch, does not have it.
    """
    available = _available()
    if name == "auto":
        return torch.device("cuda" if available["cuda"] else "cpu")
    if name not in available:
        raise UnknownNameError("device", name, DEVICES)
    if not available[name]:
        usable = ", ".join(["auto", *(device for device, there in available.items() if there)])
        raise ExplorerError(
            f"Device {name!r} is not available to torch {torch.__version__} on this machine; use {usable}."
        )
    return torch.device(name)


def _quota(folder: Path) -> float | None:
    """Return the cores that one cgroup folder grants (v2: cpu.max, v1: cpu.cfs_*), or None if it sets no
    limit.
    """
    try:
        if (folder / "cpu.max").exists():
            quota, period = (folder / "cpu.max").read_text().split()
        else:
            quota, period = (
                (folder / f"cpu.cfs_{part}_us").read_text().strip() for part in ("quota", "period")
            )
        return None if quota in ("max", "-1") else int(quota) / int(period)
    except (OSError, ValueError):  # no such file, or not readable in this sandbox: no known limit
        return None


def quota_cores(root: Path = CGROUP, membership: Path = Path("/proc/self/cgroup")) -> float | None:
    """Return the smallest processor quota of this process's control groups, in cores; None if there is none.

    A quota of a parent limits its children, so every folder up to the root is read.
    """
    try:
        entries = [line.split(":", 2) for line in membership.read_text().splitlines()]
    except OSError:
        return None
    folders = [root, root / "cpu"]
    for _, controllers, path in (entry for entry in entries if len(entry) == 3):
        if controllers in ("", "cpu", "cpu,cpuacct", "cpuacct,cpu"):
            base, own = root / controllers, Path(path.lstrip("/"))
            folders += [base / part for part in (own, *own.parents)]
    quotas = [quota for folder in folders if (quota := _quota(folder)) is not None]
    return min(quotas, default=None)


def usable_cores() -> int:
    """Return the cores that this process may use: its affinity, and no more than its quota; at least 1."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = quota_cores()
    return max(1, cores if quota is None else min(cores, int(quota)))


def usable_threads() -> int:
    """Return the number of threads for torch: one core is left for the page and other programs; at least 1.

    With another busy program, using all cores was 20 times slower than using all but one.
    """
    return max(1, usable_cores() - 1)


def _processor_name() -> str:
    """Return the processor's name from the system; Python's own answer is empty on most Linux machines."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    named = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor() or platform.machine()


def environment(device: str | torch.device = "cpu") -> dict[str, Any]:
    """Return what a Report says about where it was measured; plain values for JSON.

    Returns: device (kind), device_name, threads (that torch uses now), cpu_count, torch, python, explorer,
        system.
    """

    device = torch.device(device)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else _processor_name()
    return {
        "device": device.type,
        "device_name": name,
        "threads": torch.get_num_threads(),
        "cpu_count": os.cpu_count() or 1,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "explorer": __version__,
        "system": f"{platform.system()} {platform.machine()}",
    }
