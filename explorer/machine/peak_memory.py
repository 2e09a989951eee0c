"""Measures the peak memory of a piece of work, if the system reports it."""

import resource
import sys
from pathlib import Path

RESET, STATUS = Path("/proc/self/clear_refs"), Path("/proc/self/status")


class PeakMemory:
    """Starts measuring when it is created. On Linux the system's peak is reset, for the whole process;
    elsewhere that is not possible.

    Args:
        own: the peak was reset, so it covers only the work since then; otherwise it is that of the process so
            far.
    """

    def __init__(self) -> None:
        try:
            RESET.write_text("5")
            self.own = True
        except OSError:
            self.own = False

    def bytes(self) -> int:
        """Return the largest resident memory since the beginning, or since the process began if the peak was
        not reset.
        """
        return _mark() if self.own else peak_of_process()


def _mark() -> int:
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


def peak_of_process() -> int:
    """Return the largest resident memory since the process began."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
