"""Data for the fader console besides its state: facts once per model, findings while a scan runs."""

from ...browser import elements
from .model import ConsoleData


def draw_facts(data: ConsoleData) -> None:
    """Draw what no fader changes; outside the region that follows the faders."""
    elements.put("facts", data.facts())


def draw_findings(data: ConsoleData) -> None:
    """Draw what a scan found."""
    elements.put("findings", data.findings())
