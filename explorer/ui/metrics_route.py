"""What a monitoring system reads about the running server, in Prometheus' text format, under /metrics."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from ..machine import allocator, cache
from . import housekeeping
from .shared import models

FORMAT = "text/plain; version=0.0.4; charset=utf-8"
PREFIX = "explorer_"


@dataclass(frozen=True)
class ServerNumber:
    """One name with its samples.

    Args:
        name: without the prefix that all have.
        help: one line for people.
        kind: gauge or counter.
        samples: labels -> value; one without labels has the empty mapping's items, ().
    """

    name: str
    help: str
    kind: str
    samples: Mapping[tuple[tuple[str, str], ...], float]


async def answer(request: Request) -> Response:
    """Answer with the current metrics."""
    return PlainTextResponse(text(metrics()), media_type=FORMAT, headers={"cache-control": "no-store"})


def metrics() -> list[ServerNumber]:
    """Return the current metrics."""
    visits, queue = housekeeping.visits(), models.lanes().queue
    held: dict[tuple[tuple[str, str], ...], float] = {
        (("cache", found.name),): float(found.bytes) for found in cache.holdings()
    }
    return [
        ServerNumber("sessions_open", "Browser tabs that are connected.", "gauge", {(): visits.open}),
        ServerNumber(
            "sessions_kept",
            "Sessions that are open or were closed lately.",
            "gauge",
            {(): visits.kept},
        ),
        ServerNumber("jobs_waiting", "Background jobs that have not begun.", "gauge", {(): queue.waiting}),
        ServerNumber(
            "jobs_running", "Background jobs that have begun and not ended.", "gauge", {(): queue.running}
        ),
        ServerNumber(
            "job_longest_wait_seconds",
            "How long the job that waits longest has waited.",
            "gauge",
            {(): queue.longest_wait_seconds},
        ),
        ServerNumber(
            "jobs_begun_total",
            "Background jobs that have begun since the start.",
            "counter",
            {(): queue.begun},
        ),
        ServerNumber(
            "job_wait_seconds_total",
            "How long all of these waited together.",
            "counter",
            {(): queue.waited_seconds},
        ),
        ServerNumber(
            "memory_bytes", "Memory of the process.", "gauge", {(): allocator.resident_bytes() or 0}
        ),
        ServerNumber("cache_bytes", "Memory of the caches.", "gauge", held),
    ]


def text(numbers: Iterable[ServerNumber]) -> str:
    """Return metrics in Prometheus' format.

    >>> print(text([ServerNumber("lamps", "Lamps that are on.", "gauge", {(("room", "attic"),): 2})]), end="")
    # HELP explorer_lamps Lamps that are on.
    # TYPE explorer_lamps gauge
    explorer_lamps{room="attic"} 2
    """
    return "".join(f"{line}\n" for metric in numbers for line in _lines(metric))


def _lines(metric: ServerNumber) -> Iterable[str]:
    name = PREFIX + metric.name
    yield f"# HELP {name} {metric.help}"
    yield f"# TYPE {name} {metric.kind}"
    for labels, value in metric.samples.items():
        told = ",".join(f'{key}="{_escaped(label)}"' for key, label in labels)
        yield f"{name}{{{told}}} {value:.15g}" if told else f"{name} {value:.15g}"


def _escaped(label: str) -> str:
    return label.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
