"""What a monitoring system reads: Prometheus' text format, under the server's own names only."""

import re

import pytest
from protocol import Tab

SAMPLE = re.compile(r'(explorer_[a-z_]+)(?:\{[a-z_]+="(?:[^"\\\n]|\\.)*"\})? (\S+)')
KINDS = {
    "sessions_open": "gauge",
    "sessions_kept": "gauge",
    "jobs_waiting": "gauge",
    "jobs_running": "gauge",
    "job_longest_wait_seconds": "gauge",
    "jobs_begun_total": "counter",
    "job_wait_seconds_total": "counter",
    "memory_bytes": "gauge",
    "cache_bytes": "gauge",
}


def read(text: str) -> tuple[dict[str, str], dict[str, list[float]]]:
    """Kinds and values by name, as a monitoring system reads them.

    Raises:
        ValueError: a line is none of the format, or a sample comes before its kind.
    """
    kinds, values = dict[str, str](), dict[str, list[float]]()
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            kinds[name] = kind
        elif not re.fullmatch(r"# HELP explorer_[a-z_]+ .+", line):
            sample = SAMPLE.fullmatch(line)
            if sample is None or sample[1] not in kinds:
                raise ValueError(line)
            values.setdefault(sample[1], []).append(float(sample[2]))
    return kinds, values


def test_all_numbers_are_there_in_the_format(server):
    with Tab(server, "model=digits-mlp") as tab:
        tab.open().first_number(0)
        answer = server.ask("GET", "/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    kinds, values = read(answer.body.decode())
    assert kinds == {f"explorer_{name}": kind for name, kind in KINDS.items()}
    assert all(number >= 0 for numbers in values.values() for number in numbers)
    assert values["explorer_sessions_open"][0] >= 1 and values["explorer_jobs_begun_total"][0] >= 1
    assert values["explorer_memory_bytes"][0] > 10**8 and len(values["explorer_cache_bytes"]) > 5


@pytest.mark.parametrize("line", ["explorer_a 1", "# TYPE explorer_a gauge\nexplorer_a{b=c} 1", "text"])
def test_negative_control_what_is_not_of_the_format_is_seen(line):
    with pytest.raises(ValueError):
        read(line)


def test_health_and_numbers_answer_under_the_own_name_only(server):
    for path in ("/_stcore/health", "/metrics"):
        assert server.ask("GET", path).status == 200
        assert server.ask("GET", path, host="evil.example").status == 421
    assert server.ask("GET", "/_stcore/health").body == b"ok"
