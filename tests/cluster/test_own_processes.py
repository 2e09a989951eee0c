"""What a cluster of this machine starts is for its user alone, and says nothing that nobody asked for."""

import contextlib
import socket
import urllib.error
import urllib.request
import warnings

import pytest

from explorer.cluster import workplace
from explorer.cluster.address import ClusterAddress
from explorer.cluster.workplace import Workplace

USUAL_PORT = 8787  # of Dask's dashboard


def test_a_second_cluster_of_a_machine_warns_of_no_port_and_shows_nothing(monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr(workplace, "usable_cores", lambda: 0)  # a scheduler without workers, in a moment
    with socket.socket() as first:
        first.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with contextlib.suppress(OSError):  # taken already
            first.bind(("127.0.0.1", USUAL_PORT))
            first.listen()
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always", UserWarning)
            place = Workplace(ClusterAddress.of("local"))
            client = place.client(5.0)
    try:
        assert [str(one.message) for one in warned if issubclass(one.category, UserWarning)] == []
        port = client.cluster.scheduler.http_server.port
        assert port != USUAL_PORT
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5)
    finally:
        client.close()
        place.close()
