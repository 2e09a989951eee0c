"""Which names and which origins a server answers to."""

import socket

import pytest

from explorer.errors import ExplorerError
from explorer.ui.allowed_hosts import LONGEST, allowed_hosts, checked_name, host_name

OWN = ("localhost", "LOCALHOST:8501", "127.0.0.1", "127.0.0.1:80", "[::1]:8501", "localhost.")
FOREIGN = (
    "evil.example",
    "evil.example:8501",
    "localhost.evil.example",
    "evil.localhost",
    "127.0.0.1.evil.example",
    "evillocalhost",
    "2130706433",  # 127.0.0.1 as one number: a name for all but the most lenient
    "0x7f.1",
    "[::1].evil.example",
    "user@localhost",
    "localhost@evil.example",
    "localhost/evil.example",
    "localhost, evil.example",
    "localhost evil.example",
    "localhost:99999",
    "localhost:port",
    "localhost:",
    "[localhost]",
    "\u0142ocalhost",
    "",
    ":8501",
    "*",
    "*.localhost",
)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.0.0.53"])
def test_on_loopback_only_this_machines_names_for_itself_are_allowed(host):
    allowed = allowed_hosts(host)
    assert all(map(allowed.allows, OWN))
    assert [
        name
        for name in (*FOREIGN, "192.0.2.1", "[2001:db8::1]", socket.gethostname())
        if allowed.allows(name)
    ] == []


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7"])
def test_where_others_reach_it_addresses_in_digits_are_allowed_and_foreign_names_are_not(host):
    allowed = allowed_hosts(host)
    assert all(map(allowed.allows, [*OWN, "192.0.2.7:8501", "[2001:db8::1]:8501", "10.0.0.9"]))
    assert [name for name in FOREIGN if allowed.allows(name)] == []


def test_everywhere_includes_the_machines_own_name():
    name = socket.gethostname()
    assert allowed_hosts("0.0.0.0").allows(f"{name}:8501") and allowed_hosts("::").allows(f"{name}.local")
    assert allowed_hosts("prune.lab.example").allows("prune.lab.example")


def test_a_trusted_name_is_allowed_in_every_case_and_a_pattern_only_below_its_domain():
    allowed = allowed_hosts("127.0.0.1", ["Prune.Lab.Example", "*.school.example", "m\u00fcnchen.example"])
    for name in (
        "prune.lab.example:443",
        "PRUNE.lab.example",
        "a.b.school.example",
        "xn--mnchen-3ya.example",
    ):
        assert allowed.allows(name), name
    for name in (
        "lab.example",
        "x.prune.lab.example",
        "school.example",
        "evilschool.example",
        "prune.lab.example.evil.example",
    ):
        assert not allowed.allows(name), name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "*",
        "*.",
        "http://prune.lab.example",
        "prune.lab.example:443",
        "a/b",
        "a b",
        "-a.example",
        "a..b",
        "a" * (LONGEST + 1),
        "\u0142" * 300,
        "*.*.example",
    ],
)
def test_a_trusted_name_that_is_none_is_refused_in_one_sentence(name):
    with pytest.raises(ExplorerError, match="A trusted host must be a name such as") as caught:
        allowed_hosts("127.0.0.1", [name])
    assert len(str(caught.value)) < 250


def test_a_trusted_address_is_a_name_too():
    assert checked_name("192.0.2.1") == "192.0.2.1" and checked_name("2001:db8::1") == "2001:db8::1"


@pytest.mark.parametrize(
    "origin, host, is_allowed",
    [
        ("http://localhost:8501", "localhost:8501", True),
        ("HTTP://LocalHost:8501", "localhost:8501", True),
        ("https://localhost", "localhost", True),
        ("https://localhost", "localhost:443", True),
        ("http://localhost", "localhost:80", True),
        ("https://localhost", "localhost:80", False),
        ("http://localhost:3000", "localhost:8501", False),  # another program of this machine
        ("http://127.0.0.1:8501", "localhost:8501", False),
        ("http://evil.example:8501", "localhost:8501", False),
        ("https://prune.lab.example", "127.0.0.1:8501", True),  # through a proxy that asks by itself
        ("https://evil.example", "prune.lab.example", False),
        ("null", "localhost:8501", False),
        ("", "localhost:8501", False),
        ("file://", "localhost:8501", False),
        ("localhost:8501", "localhost:8501", False),
        ("chrome-extension://localhost:8501", "localhost:8501", False),
        ("http://user@localhost:8501", "localhost:8501", False),
    ],
)
def test_a_page_may_ask_the_host_that_it_comes_from(origin, host, is_allowed):
    assert allowed_hosts("127.0.0.1", ["prune.lab.example"]).allows_origin(origin, host) is is_allowed


def test_a_name_is_read_from_a_host_header():
    assert host_name("[::1]:8501") == "::1" and host_name("A.b:1") == "a.b" and host_name("a b") is None
