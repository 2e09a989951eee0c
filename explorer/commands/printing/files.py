"""Files that a verb writes."""

from ...errors import ExplorerError
from ...machine.whole_file import write_whole
from .output import note


def write(path: str, content: bytes) -> None:
    """Write a file.

    Raises:
        ExplorerError: it cannot be written.
    """
    try:
        write_whole(path, content)
    except OSError as error:
        raise ExplorerError(
            f"{path!r} cannot be written ({error.strerror}); choose another place."
        ) from error
    note(f"Wrote {path} ({len(content):,} bytes).")
