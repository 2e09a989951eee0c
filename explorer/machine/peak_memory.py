"""The most memory that a piece of work held at once, where the system can say so."""

import resource
import sys
from pathlib import Path

RESET, STATUS = Path("/proc/self/clear_refs"), Path("/proc/self/status")


class PeakMemory:
    """Begins when it is made. On Linux the system's mark is set back to now, for the whole process; elsewhere
    it cannot be.

    Args:
        own: the mark was set back, so what is read belongs to what was done since; else it is that of the
            process until now.
    """

    def __init__(self) -> None:
        try:
            RESET.write_text("5")
            self.own = True
        except OSError:
            self.own = False

    def bytes(self) -> int:
        """Largest resident memory since the beginning; without a mark of its own, since the process began."""
        return _mark() if self.own else peak_of_process()


def _mark() -> int:
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


def peak_of_process() -> int:
    """Largest resident memory since the process began."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
