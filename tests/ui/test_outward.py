"""Nothing leaves the machine: how attempts are seen, and that the server makes none."""

import socket
import subprocess
import sys

import outward
import pytest
import serving

REFUSED = """
import sys; sys.path.insert(0, {tests!r})
import outward; outward.forbid(lambda line: print(line, flush=True))
{before}
from streamlit.web.server.server_util import is_url_from_allowed_origins
assert not is_url_from_allowed_origins("http://evil.example")
"""
STAY = "from explorer.ui.offline import stay_offline; stay_offline()"


def attempts(before: str) -> list[str]:
    """What a process asks other machines for when Streamlit refuses an Origin."""
    program = REFUSED.format(tests=str(serving.ROOT / "tests"), before=before)
    command = [sys.executable, "-c", program]
    return subprocess.run(
        command, capture_output=True, text=True, check=True, env=serving.environment()
    ).stdout.splitlines()


def test_streamlit_asks_nobody_for_the_address_of_this_machine():
    assert attempts(STAY) == []
    found = attempts("")  # the negative control: left alone it asks two hosts
    assert any("8.8.8.8" in line for line in found) and any("checkip" in line for line in found)


@pytest.mark.parametrize(
    "reach",
    [
        lambda: socket.create_connection(("192.0.2.1", 80), timeout=0.1),
        lambda: socket.getaddrinfo("name.example", 80),
        lambda: socket.gethostbyname("name.example"),
        lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).connect(("8.8.8.8", 1)),
        lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"", ("192.0.2.1", 53)),
    ],
    ids=["connect", "getaddrinfo", "gethostbyname", "datagram", "sendto"],
)
def test_every_attempt_is_seen_and_fails(reach):
    before = len(outward.seen)
    with pytest.raises(outward.OutwardError):
        reach()
    assert len(outward.seen) == before + 1
    del outward.seen[before:]  # meant here


def test_this_machine_may_be_reached():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        with socket.create_connection(listening.getsockname()):
            pass
    socket.getaddrinfo("localhost", 80)
    assert [outward.is_outward(host) for host in (None, "::1", "127.8.9.1", "0.0.0.0", b"localhost")] == [
        False
    ] * 5
    assert [
        outward.is_outward(host) for host in ("::ffff:8.8.8.8", "10.0.0.1", b"example.org", "fe80::1%eth0")
    ] == [True] * 4


def test_a_server_that_is_asked_for_all_it_has_reaches_nobody(tmp_path):
    with serving.running(tmp_path, "digits-mlp", host="0.0.0.0") as server:
        for origin in ("http://evil.example", "null", f"http://localhost:{server.port}", server.url):
            server.upgrade(origin=origin)
        for path in ("/", "/prune", "/_stcore/health", "/_stcore/host-config", "/_stcore/metrics"):
            server.ask("GET", path)
        assert server.upgrade(origin=server.url).status == 101
        assert server.outward() == []
