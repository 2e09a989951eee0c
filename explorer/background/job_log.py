"""One line for each background job that has ended, for the operator of a server."""

import logging
import sys

from .jobs import Job

logger = logging.getLogger("explorer.background.lanes")
LINE = "%(asctime)s job %(message)s"


def show() -> None:
    """Write the lines to standard error; without this they are dropped, unless a logger is set up."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter(LINE))
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False


def note(job: Job, outcome: str) -> None:
    """Say how a job ended.

    Sessions are shortened, since whoever knows the whole name of one could ask in its place.

    Args:
        outcome: "finished", "failed" or "stopped".
    """
    logger.info(
        "lane=%s session=%s outcome=%s waited_s=%.2f busy_s=%.2f",
        job.lane.replace(" ", "_"),
        job.session[:8],
        outcome,
        job.waited_seconds,
        job.busy_seconds,
    )
