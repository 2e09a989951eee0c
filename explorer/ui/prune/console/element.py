"""The fader console as an element: facts once, findings while a scan runs, its state at each move."""

from collections.abc import Callable, Hashable
from typing import Any

from ... import session
from ...browser import elements
from ...live.pushed import LiveValue, pushed
from .model import ConsoleData


def draw_facts(data: ConsoleData) -> None:
    """What no fader changes; drawn outside of the region that follows the faders."""
    elements.put("facts", data.facts())


def draw_findings(data: ConsoleData) -> None:
    """What a scan found."""
    elements.put("findings", data.findings())


def draw_console(
    state: Callable[[], dict[str, Any]],
    on_edit: Callable[[], None],
    *,
    key: str,
    facet: Callable[[], Hashable],
    then: Callable[[], None],
) -> None:
    """Draw the console, and tell it when its state changes.

    Args:
        state: `ConsoleData.state` of now.
        on_edit: called before the next run, when session.event(key, "edit") holds the message.
        facet, then: as of `pushed`.
    """
    pushed(
        "console",
        "console",
        LiveValue(state, facet, (session.LIVE_LANE,)),
        key=key,
        then=then,
        on_edit_change=on_edit,
    )
