"""The fader console as an element: facts once, findings while a scan runs, its state at each move."""

from collections.abc import Callable

from .. import elements
from .model import ConsoleData


def draw_facts(data: ConsoleData) -> None:
    """What no fader changes; drawn outside of the region that follows the faders."""
    elements.put("facts", data.facts())


def draw_findings(data: ConsoleData) -> None:
    """What a scan found."""
    elements.put("findings", data.findings())


def draw_console(data: ConsoleData, *, key: str, on_edit: Callable[[], None]) -> None:
    """Draw the console; `on_edit` is called before the next run, when session.event(key, "edit") holds the message."""
    elements.draw("console", data.state(), key=key, on_edit_change=on_edit)
