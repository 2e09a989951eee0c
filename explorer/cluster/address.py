"""What --cluster names: processes of this machine, or a scheduler that somebody has started."""

import ipaddress
import re
from dataclasses import dataclass
from typing import Literal

from ..errors import ExplorerError

FORM = re.compile(r"(tcp|tls)://(\[[0-9a-fA-F:]+\]|[\w.-]+):(\d{1,5})", re.ASCII)
MOST_LOCAL = 1024
OPEN_WARNING = (
    "The connection to {address} is neither encrypted nor protected: whoever reaches that scheduler can read "
    "what is sent and run code on its workers. Use tls:// outside of a network that you trust."
)


@dataclass(frozen=True)
class ClusterAddress:
    """Where the workers are.

    Args:
        kind: "local" for processes that this program starts and ends.
        workers: of a local cluster; None = one for each core.
        text: of the scheduler's address.
        ca, certificate, key: files in PEM form, for tls; "" = as Dask's own configuration says.

    >>> ClusterAddress.of("local:2").workers, ClusterAddress.of("tcp://10.0.0.7:8786").is_open
    (2, True)
    """

    kind: Literal["local", "tcp", "tls"]
    workers: int | None = None
    text: str = ""
    ca: str = ""
    certificate: str = ""
    key: str = ""

    @classmethod
    def of(cls, text: str, *, ca: str = "", certificate: str = "", key: str = "") -> "ClusterAddress":
        """Parse `local`, `local:N`, `tcp://HOST:PORT` or `tls://HOST:PORT`.

        Raises:
            ExplorerError: it is none of them, or files are given without tls.
        """
        name, colon, count = text.partition(":")
        if (ca or certificate or key) and name != "tls":
            raise ExplorerError(f"Certificates are for tls://HOST:PORT, and the cluster is {text[:80]!r}.")
        if name == "local" and (not colon or (count.isascii() and count.isdigit())):
            workers = int(count) if count else None
            if workers is not None and not 1 <= workers <= MOST_LOCAL:
                raise ExplorerError(f"A local cluster has 1 to {MOST_LOCAL} workers, got {count[:80]}.")
            return cls("local", workers)
        form = FORM.fullmatch(text)
        if form is None or not 1 <= int(form[3]) <= 65535:
            raise ExplorerError(
                f"--cluster takes local, local:N, tcp://HOST:PORT or tls://HOST:PORT, got {text[:80]!r}."
            )
        return cls("tls" if form[1] == "tls" else "tcp", None, text, ca, certificate, key)

    @property
    def host(self) -> str:
        """Return the scheduler's host; "" for a local cluster."""
        form = FORM.fullmatch(self.text)
        return form[2].strip("[]") if form else ""

    @property
    def is_open(self) -> bool:
        """Whether what is sent leaves this machine unprotected."""
        if self.kind != "tcp" or self.host == "localhost":
            return False
        try:
            return not ipaddress.ip_address(self.host).is_loopback
        except ValueError:  # a name
            return True

    @property
    def warning(self) -> str | None:
        """Return a sentence for the user, or None."""
        return OPEN_WARNING.format(address=self.text) if self.is_open else None

    def __str__(self) -> str:
        return self.text or (f"local:{self.workers}" if self.workers else "local")
