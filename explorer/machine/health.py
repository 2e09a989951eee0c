"""Does the page answer? For a container's health check: `python -m explorer.machine.health PORT`."""

import os
import sys
from http.client import HTTPConnection, HTTPException

BASE_PATH = "PRUNING_EXPLORER_BASE_PATH"  # as it was given to --base-path
SECONDS = 4.0


def answers(port: int, base_path: str = "") -> bool:
    """A server on this machine's port says that it is well."""
    base = "".join(f"/{name}" for name in base_path.split("/") if name)
    connection = HTTPConnection("127.0.0.1", port, timeout=SECONDS)
    try:
        connection.request("GET", f"{base}/_stcore/health")
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(0 if answers(int(sys.argv[1]), os.environ.get(BASE_PATH, "")) else 1)
