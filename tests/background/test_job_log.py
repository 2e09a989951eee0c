"""Every job that has ended is one line of the log, however it ended; nobody can read a session off it."""

import logging
import subprocess
import sys

import pytest
import serving

from explorer.background.lane import Lane
from explorer.background.lanes import Lanes
from explorer.errors import ExplorerError
from explorer.values.progress import Step

SCAN = Lane("recovery curve")
SESSION = "0123456789abcdef"


def steps(forever=False):
    yield Step(1)
    while forever:
        yield Step(1)


def failing():
    yield Step(1)
    raise ExplorerError("This fails.")


@pytest.fixture
def lines(caplog):
    """The lines so far, as they are written."""
    with caplog.at_level(logging.INFO, logger="explorer.background.lanes"):
        yield lambda: [
            record.getMessage()
            for record in caplog.records
            if record.name == "explorer.background.lanes" and SESSION[:8] in record.getMessage()
        ]  # lanes of other tests may still end


@pytest.mark.parametrize(("make", "outcome"), [(steps, "finished"), (failing, "failed")])
def test_a_job_that_ends_is_one_line(lines, make, outcome):
    lanes = Lanes()
    lanes.submit(SESSION, SCAN, "key", make)
    lanes.wait(SESSION, SCAN, 10)
    lanes.shutdown()
    (line,) = lines()
    words = dict(word.split("=") for word in line.split())
    assert (words["lane"], words["session"], words["outcome"]) == ("recovery_curve", "01234567", outcome)
    assert float(words["busy_s"]) >= 0 and float(words["waited_s"]) >= 0


def test_a_job_that_another_replaces_or_the_end_stops_is_one_line_too(lines):
    lanes = Lanes()
    lanes.submit(SESSION, SCAN, "first", lambda: steps(forever=True))
    while lanes.state(SESSION, SCAN).value is None:
        pass
    lanes.submit(SESSION, SCAN, "second", lambda: steps(forever=True))
    while lanes.state(SESSION, SCAN).key != "second":
        pass
    lanes.shutdown()
    assert [line.split()[2] for line in lines()] == ["outcome=stopped"] * 2


@pytest.mark.parametrize(("show", "said"), [("job_log.show()", 1), ("None", 0)])
def test_lines_are_written_only_where_they_are_asked_for(show, said):
    program = (
        "from explorer.background import job_log; from explorer.background.jobs import Job; "
        f"{show}; job_log.note(Job('key', iter, session='0123456789', lane='scan'), 'finished')"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=serving.environment()
    )
    assert done.stderr.count("job lane=scan session=01234567 outcome=finished") == said
