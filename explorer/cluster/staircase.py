"""Latency on a cluster: on one worker, and only on the kind of device that was asked about."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from ..errors import ExplorerError
from ..measuring.latency import SpeedUp, TimingPlan
from ..studies.latency_staircase import Staircase, TimedWidth
from ..values.progress import Step, Work, reached
from .connection import Cluster
from .subject_source import SubjectSource
from .work_item import WorkItem


def staircase(
    cluster: Cluster,
    source: SubjectSource,
    group: str,
    widths: Sequence[int] | None,
    plan: TimingPlan,
    device_name: str,
) -> Work[Staircase]:
    """Time a group on a worker with this device; a latency says nothing about any other.

    Args:
        device_name: as environments name it.
    Raises:
        ExplorerError: no worker has that device, the group or a width is not possible, or the cluster fails.
    """
    workers = cluster.machines()
    able = [address for address, about in workers.items() if about["device_name"] == device_name]
    if not able:
        known = ", ".join(sorted({repr(about["device_name"]) for about in workers.values()}))
        raise ExplorerError(
            f"No worker has the device {device_name[:80]!r}, and a latency measured elsewhere would say "
            f"nothing about it; the workers have {known}."
        )
    asked = {
        "group": group,
        "widths": None if widths is None else list(widths),
        "timing": asdict(plan),
        "conditions": {"device": workers[able[0]]["device"]},
    }
    answer = cluster.ask(WorkItem("staircase", source, asked, keeps=False), workers=able)
    try:
        yield reached(0, 1, "timing on a worker")
        yield Step(staircase_of((yield from cluster.result(answer))))
    finally:
        cluster.let_go([answer])


def staircase_of(data: Mapping[str, Any]) -> Staircase:
    """Return the staircase of its JSON."""
    steps = tuple(
        TimedWidth(
            step["kept"],
            step["ratio"],
            step["latency_ms"],
            SpeedUp(**step["speed_up"]),
            step["is_edge"],
        )
        for step in data["steps"]
    )
    return Staircase(**{key: value for key, value in data.items() if key != "fast_ratios"} | {"steps": steps})
