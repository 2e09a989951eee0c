"""A click in the menu is not lost to a run of the page that was left, which was about to begin again."""

import time

import serving
from protocol import Tab
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

# a run that begins again waits, and each run waits before it knows its page, as on a machine under heavy load
SLOW = """
import time
from streamlit.runtime.pages_manager import PagesManager
from streamlit.runtime.scriptrunner import script_runner
begins, resolves = script_runner.ScriptRunner._install_event_loop, PagesManager.set_pages_and_resolve
def again(self):
    begins(self)
    self.times = getattr(self, "times", 0) + 1
    if self.times > 2:
        time.sleep(0.4)
def later(self, *given, **named):
    time.sleep(0.8)
    return resolves(self, *given, **named)
script_runner.ScriptRunner._install_event_loop = again
PagesManager.set_pages_and_resolve = later
"""
UNMENDED = "\nfrom explorer.ui import stopped_runs; stopped_runs._unless_stopped = stopped_runs._choose"
ROUNDS = 3


class Follower(Tab):
    """A tab that knows which page the last whole run drew."""

    def _take(self, message: ForwardMsg) -> None:
        if message.WhichOneof("type") == "navigation":
            self.drawn = [*getattr(self, "drawn", []), message.navigation.page_script_hash]
        super()._take(message)


def lost(server) -> int:
    """How many clicks in the menu end on the page that was left."""
    with Follower(server, "model=digits-cnn") as tab:
        recover, prune = (tab.open(name).drawn[-1] for name in ("recover", "prune"))
        count = 0
        for turn in range(ROUNDS):
            tab.page = prune
            tab.move(channels={"conv1": 0.25 + 0.125 * turn})
            time.sleep(0.15)
            tab.drawn, click = [], tab.request()
            click.rerun_script.page_script_hash = recover
            tab.send(click)
            tab.until(lambda: tab.drawn)
            count += tab.drawn[-1] != recover
            tab.open("prune")
        assert recover != prune
        return count


def test_no_click_is_lost_while_the_page_before_begins_again(tmp_path):
    with serving.running(tmp_path, "digits-cnn", before=SLOW) as server:
        assert lost(server) == 0


def test_without_the_mend_clicks_are_lost(tmp_path):
    """The negative control."""
    with serving.running(tmp_path, "digits-cnn", before=SLOW + UNMENDED) as server:
        assert lost(server) > 0
