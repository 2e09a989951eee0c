"""What the models of the list are: what each is, how large, and how much work a sample takes."""

import json
from collections.abc import Iterable
from functools import cache
from typing import Any

from ...loaders.sample_files import card_path
from ..drawing.layout import plain
from ..drawing.measurement_cards import short

LONGEST_CARD = 1_000_000  # bytes
UNKNOWN = "what you named at the start"


def listed(names: Iterable[str]) -> str:
    """Return the models as Markdown, a line for each."""
    return "\n".join(f"- **{plain(name)}**: {_about(name)}" for name in names)


@cache
def _about(name: str) -> str:
    card = _card(name)
    description, params, macs = (card.get(key) for key in ("description", "params", "macs"))
    if not isinstance(params, int) or not isinstance(macs, int):
        return UNKNOWN
    return f"{plain(str(description))} {short(params)} parameters, {short(macs)} multiply-adds a sample."


def _card(name: str) -> dict[str, Any]:
    """Return the card of a sample model, or nothing if it is another model."""
    path = card_path(name)
    if name != path.stem or not path.is_file() or path.stat().st_size > LONGEST_CARD:
        return {}
    found = json.loads(path.read_text(encoding="utf-8"))
    return found if isinstance(found, dict) else {}
