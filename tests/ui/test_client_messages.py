"""One client cannot take away what all sessions share."""

import time
from collections.abc import Iterator

import pytest
import serving
import streamlit as st
from protocol import Tab
from streamlit.proto.BackMsg_pb2 import BackendOperationRequest, BackMsg

from explorer.ui.client_messages import OPERATION, USED, USED_OPERATIONS, unused
from explorer.ui.shared import models

THREADS_S = 30.0  # in which a thread that waits for work ends; those of a worker thrown away stay
KINDS = [field.name for field in BackMsg.DESCRIPTOR.fields]
OPERATIONS = [field.name for field in BackendOperationRequest.DESCRIPTOR.oneofs_by_name["payload"].fields]


def message(kind: str, operation: str | None = None) -> BackMsg:
    sent = BackMsg()
    field = BackMsg.DESCRIPTOR.fields_by_name[kind]
    if operation is not None:
        getattr(sent.backend_operation_request, operation).SetInParent()
    elif field.message_type is not None:
        getattr(sent, kind).SetInParent()
    else:
        setattr(sent, kind, True)
    assert sent.WhichOneof("type") == kind
    return sent


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != OPERATION])
def test_only_what_a_page_sends_passes(kind):
    assert unused(message(kind).SerializeToString()) == (None if kind in USED else kind)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_only_operations_of_a_page_pass(operation):
    found = unused(message(OPERATION, operation).SerializeToString())
    assert found == (None if operation in USED_OPERATIONS else operation)


def test_the_kinds_are_those_of_this_streamlit():
    assert set(KINDS) > USED and set(OPERATIONS) > USED_OPERATIONS
    assert {"clear_cache", "load_git_info", "set_run_on_save"} <= set(KINDS) - USED
    assert unused(b"no message") is None and unused(b"") is None
    assert (
        unused(BackMsg(backend_operation_request=BackendOperationRequest()).SerializeToString()) == OPERATION
    )


def test_the_worker_is_no_resource_of_streamlit():
    worker = models.lanes()
    st.cache_resource.clear()
    st.cache_data.clear()
    assert models.lanes() is worker


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[serving.Server]:
    with serving.running(tmp_path_factory.mktemp("shared"), "digits-mlp") as found:
        yield found


def computed(server: serving.Server) -> int:
    """How often Streamlit's caches had to compute something."""
    lines = server.ask("GET", "/_stcore/metrics").body.decode().splitlines()
    return sum(
        int(line.split()[-1])
        for line in lines
        if line.startswith("cache_lookups_total") and 'result="miss"' in line
    )


def test_a_browser_that_asks_to_clear_all_caches_changes_nothing_for_others(server):
    with Tab(server) as tab, Tab(server) as stranger:
        tab.open("explore")
        stranger.open("explore")
        before, threads = computed(server), server.threads()
        assert before > 0
        for kind in ("load_git_info", "set_run_on_save", "debug_shutdown_runtime"):
            stranger.send(message(kind))
        for _ in range(3):
            stranger.send(message("clear_cache"))
            tab.open("explore")
        assert computed(server) == before
        until = time.monotonic() + THREADS_S
        while server.threads() > threads and time.monotonic() < until:
            time.sleep(0.5)
        assert server.threads() <= threads
    assert server.log.read_text(encoding="utf-8").count("A browser sent 'clear_cache'") == 1
