"""The names under which the server answers, so that no web page elsewhere can reach it through its own name.

The owner of another site can point its name at the address of this machine, and the browser would then let
that site read everything here (DNS rebinding). Such a request has the foreign name in its Host header. A
numeric address cannot be misused in this way.
"""

import ipaddress
import re
import socket
from collections.abc import Iterable
from dataclasses import dataclass

from ..errors import ExplorerError

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
EVERYWHERE = ("0.0.0.0", "::")
LONGEST = 253  # characters of a name, by the rules of DNS
_HOST = re.compile(r"(?:\[([0-9a-f:.]+)\]|([^\s:/@\[\]?#\\]+))(?::(\d{1,5}))?\Z", re.IGNORECASE | re.ASCII)
_NAME = re.compile(r"(?:\*\.)?(?:[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?\.)*[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?\Z")
_USUAL_PORTS = {"http": "80", "https": "443"}


@dataclass(frozen=True)
class AllowedHosts:
    """Which hosts a request may name.

    Args:
        names: lower-case names and addresses; "*.lab.example" allows every name that ends in ".lab.example".
        trusted: the names that a page may come from if a proxy asks under another name.
        addresses: every numeric address is allowed.
    """

    names: frozenset[str] = LOOPBACK
    trusted: frozenset[str] = frozenset()
    addresses: bool = False

    def allows(self, host: str) -> bool:
        """Whether a Host header, with or without a port, names this server.

        >>> AllowedHosts().allows("localhost:8501"), AllowedHosts().allows("evil.example:8501")
        (True, False)
        """
        name = host_name(host)
        return name is not None and (_is_among(name, self.names) or (self.addresses and _is_address(name)))

    def allows_origin(self, origin: str, host: str) -> bool:
        """Whether a page from this origin may ask: it comes from the requested host or a trusted one.

        >>> AllowedHosts().allows_origin("http://localhost:8501", "localhost:8501")
        True
        >>> AllowedHosts().allows_origin("http://localhost:3000", "localhost:8501")
        False
        """
        scheme, _, place = origin.partition("://")
        name, usual = host_name(place), _USUAL_PORTS.get(scheme.lower())
        if name is None or usual is None:
            return False
        is_own = (name, _port(place, usual)) == (host_name(host), _port(host, usual))
        return is_own or _is_among(name, self.trusted)


def allowed_hosts(host: str, trusted: Iterable[str] = ()) -> AllowedHosts:
    """Return the hosts that a server listening on `host` answers to.

    On 127.0.0.1 these are the names of this machine for itself. If others can reach it, they also include
    every numeric address, its own name, and the trusted ones.

    Raises:
        ExplorerError: a trusted host is not a plain name.
    """
    named = frozenset(map(checked_name, trusted))
    own = host.lower()
    if _is_loopback(own):
        return AllowedHosts(LOOPBACK | named | {own}, named)
    machine = socket.gethostname().lower()
    names = {machine, f"{machine}.local"} if own in EVERYWHERE else {own}
    return AllowedHosts(LOOPBACK | named | names, named, addresses=True)


def checked_name(given: str) -> str:
    """Return a trusted host in the form that is compared: lower-case, in the letters of DNS.

    >>> checked_name("Prune.Lab.Example"), checked_name("*.lab.example")
    ('prune.lab.example', '*.lab.example')

    Raises:
        ExplorerError: it is not a plain name.
    """
    name = given.strip().rstrip(".").lower()
    if not name.isascii():
        try:
            name = name.encode("idna").decode("ascii")
        except UnicodeError:
            name = ""
    if len(name) > LONGEST or not (_NAME.match(name) or _is_address(name)):
        raise ExplorerError(
            f"A trusted host must be a name such as prune.lab.example or *.lab.example, without http:// and "
            f"without a port, got {given[:60]!r}."
        )
    return name


def host_name(host: str) -> str | None:
    """Return the name in a Host header, lower-case, or None if it is not of that form."""
    found = _HOST.match(host)
    if found is None or (found[3] is not None and int(found[3]) > 65535):
        return None
    return (found[1] or found[2]).lower().removesuffix(".")


def _port(host: str, usual: str) -> str:
    found = _HOST.match(host)
    return (found[3] if found else None) or usual


def _is_among(name: str, names: frozenset[str]) -> bool:
    return name in names or any(name.endswith(own[1:]) for own in names if own.startswith("*."))


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _is_loopback(host: str) -> bool:
    return host == "localhost" or (_is_address(host) and ipaddress.ip_address(host).is_loopback)
