"""Notes and forbids each attempt of a process to reach another machine: a connection, a packet, a look-up.

Python offers no way to take an audit hook back, so a process that was watched once stays so.
"""

import ipaddress
import sys
from collections.abc import Callable
from pathlib import Path

SENT_TO = {"socket.connect": 1, "socket.sendto": 1, "socket.sendmsg": 1}  # event -> place of the address
LOOKED_UP = ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyname_ex", "socket.gethostbyaddr")
LOCAL_NAMES = ("localhost", "")
seen: list[str] = []  # attempts of the process that runs the tests


class OutwardError(OSError):
    """A process under test wanted to reach another machine."""


def is_outward(host: object) -> bool:
    """Whether a host is another machine; a name counts unless it is this machine's by definition."""
    if host is None:
        return False
    text = host.decode("latin-1") if isinstance(host, bytes) else str(host)
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return text.lower() not in LOCAL_NAMES
    return not (address.is_loopback or address.is_unspecified)


def host_of(event: str, arguments: tuple) -> object:
    """The host that an audit event is about, or None; a path is a socket of this machine."""
    if event in LOOKED_UP:
        return arguments[0]
    address = arguments[SENT_TO[event]] if event in SENT_TO else None
    return address[0] if isinstance(address, tuple) and address else None


def forbid(note: Callable[[str], object]) -> None:
    """From now on, attempts of this process are noted and fail."""

    def hook(event: str, arguments: tuple) -> None:
        if event.startswith("socket.") and is_outward(host := host_of(event, arguments)):
            note(f"{event} {host!r}")
            raise OutwardError(f"Tests reach no other machine, {event} asked for {host!r}.")

    sys.addaudithook(hook)


def write_to(path: str) -> None:
    """Forbid attempts, and add a line to a file for each."""

    def note(line: str) -> None:
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(f"{line}\n")

    forbid(note)
