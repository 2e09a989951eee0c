"""What is done on a page that was just left never empties the page that is open."""

import pytest
import serving
from protocol import Tab
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from explorer.ui.left_page import LONGEST, OpenPage

PATIENCE = 120_000  # ms, for a machine with neighbours
HOLD_MS = 1_500  # longer than a press of a key takes until it is sent


def rerun(page: str, fragment: str = "") -> bytes:
    message = BackMsg()
    message.rerun_script.page_script_hash, message.rerun_script.fragment_id = page, fragment
    return message.SerializeToString()


def navigation(page: str) -> bytes:
    message = ForwardMsg()
    message.navigation.page_script_hash = page
    return message.SerializeToString()


def test_a_fragment_of_a_page_that_was_left_is_dropped():
    page = OpenPage()
    page.sent(navigation("prune"))
    assert not page.is_left(rerun("prune", "console"))
    assert not page.is_left(rerun("recover"))
    assert page.is_left(rerun("prune", "console")) and not page.is_left(rerun("recover", "console"))


def test_where_the_server_leads_to_another_page_its_fragments_pass():
    page = OpenPage()
    page.is_left(rerun("prune"))
    page.sent(navigation("learn"))
    assert not page.is_left(rerun("learn", "ticker")) and page.is_left(rerun("prune", "ticker"))


def test_a_page_that_is_asked_for_by_its_address_is_known_once_it_is_sent():
    page = OpenPage()
    assert not page.is_left(rerun("prune", "ticker"))
    page.is_left(rerun(""))
    assert not page.is_left(rerun("prune", "ticker"))
    page.sent(navigation("recover"))
    assert page.is_left(rerun("prune", "ticker"))


@pytest.mark.parametrize("data", [b"", b"\xff\xff", BackMsg(stop_script=True).SerializeToString()])
def test_other_messages_pass(data):
    page = OpenPage()
    page.sent(navigation("recover"))
    page.sent(data)
    page.sent(b"\xff" * (LONGEST + 1))
    assert not page.is_left(data) and page.is_left(rerun("prune", "ticker"))


class Runs(Tab):
    """A tab that writes down for which page each run begins."""

    def _take(self, message: ForwardMsg) -> None:
        if message.WhichOneof("type") == "navigation":
            self.opened = message.navigation.page_script_hash
        if message.WhichOneof("type") == "new_session":
            self.begun = [*getattr(self, "begun", []), message.new_session.page_script_hash]
        super()._take(message)


def test_no_run_begins_for_a_page_that_was_left(tmp_path):
    with serving.running(tmp_path, "digits-cnn") as server, Runs(server, "model=digits-cnn") as tab:
        recover = tab.open("recover").opened
        left = tab.open("prune").opened
        tab.begun, asked = [], tab.request()
        asked.rerun_script.page_script_hash = recover
        late, own = (tab.request(sent=(tab.elements["ticker"], "tick", "all")) for _ in range(2))
        late.rerun_script.page_script_hash, own.rerun_script.page_script_hash = left, recover
        before = tab.runs
        tab.send(asked)
        tab.send(late)
        tab.until(lambda: tab.runs > before)
        tab.send(own)
        tab.until(lambda: tab.runs > before + 1)
        assert len(tab.begun) > 1 and set(tab.begun) == {recover} != {left}


@pytest.mark.browser
def test_a_fader_that_is_sent_after_a_click_in_the_menu_finds_its_way_to_the_new_page(page, served):
    """The messages of the server are held back, as on a slow machine."""
    held, waiting = [], []

    def follow(way) -> None:
        server = way.connect_to_server()
        server.on_message(lambda message: waiting.append((way, message)) if held else way.send(message))

    page.route_web_socket("**/_stcore/stream", follow)
    page.goto(f"{served}/?model=digits-cnn")
    fader = page.locator(".track[role=slider]:not([aria-disabled=true])").first
    fader.wait_for(timeout=PATIENCE)
    page.get_by_text("Final: measured").first.wait_for(timeout=PATIENCE)
    loaded = page.evaluate("performance.timeOrigin")
    held.append(True)
    page.locator("[data-testid=stSidebarNavLink]", has_text="Recover").click()
    fader.press("PageUp")
    page.wait_for_timeout(HOLD_MS)
    held.clear()
    for way, message in waiting:
        way.send(message)
    page.get_by_role("heading", name="Recover", exact=True).wait_for(timeout=PATIENCE)
    page.get_by_text("Accuracy at several strengths").wait_for(timeout=PATIENCE)
    assert page.evaluate("performance.timeOrigin") == loaded  # it was not loaded again
