"""The page below a base path, as behind a proxy: its addresses, its health, and its end."""

import signal

import pytest
import serving

from explorer.errors import ExplorerError
from explorer.machine.health import answers
from explorer.ui.server import plain_path


@pytest.mark.parametrize("given", ["lab/pruning", "/lab/pruning", "lab/pruning/", "/lab/pruning/"])
def test_slashes_around_a_base_path_do_not_matter(given):
    assert plain_path(given) == "lab/pruning"


@pytest.mark.parametrize("given", ["a b", "a//b", "../up", "a/..", "a?b", "a#b", "<script>", "https://x"])
def test_a_base_path_that_is_no_plain_path_is_refused(given):
    with pytest.raises(ExplorerError, match="such as lab/pruning"):
        plain_path(given)


def test_every_address_is_below_the_base_path_and_the_server_ends_when_it_is_asked_to(tmp_path):
    with serving.running(tmp_path, "digits-mlp", base_path="/lab/pruning/", until="/lab/pruning") as server:
        assert answers(server.port, "lab/pruning") and not answers(server.port)
        for path in ("/", "/structure", "/metrics"):
            assert server.ask("GET", f"/lab/pruning{path}").status == 200, path
        assert server.ask("GET", "/structure").status == 404
        # the first page says where the server is, so a deep link does not ask below its own address
        assert b"BACKEND_BASE_URL" in server.ask("GET", "/lab/pruning/structure").body
        assert server.upgrade("/lab/pruning/_stcore/stream", origin=server.url).status == 101
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(20) in (0, -signal.SIGTERM)
        assert "Traceback" not in server.log.read_text(encoding="utf-8")
