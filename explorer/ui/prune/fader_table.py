"""The faders as a table: every part in one row; you can type, paste or fill down many ratios at once."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import streamlit as st

from ...errors import RecipeError
from ...values.granularity import CHANNEL, GRADED, WEIGHT
from ...values.recipe import Recipe, check_ratio
from .. import session
from ..live import regions
from .console.model import Bank, Strip
from .fader_panel import shown_banks

KEY = "part table"
HELP = "Type or paste many ratios at once; drag a cell's corner to fill down."
COLUMNS = {
    "part": st.column_config.TextColumn("Part", disabled=True),
    "bank": st.column_config.TextColumn("Bank", disabled=True, width=90),
    "removed": st.column_config.NumberColumn(
        "Removed, %", min_value=0.0, max_value=99.99, step=0.01, width=100
    ),
    "units": st.column_config.NumberColumn("Units", format="localized", disabled=True, width=80),
    "params": st.column_config.NumberColumn("Parameters", format="localized", disabled=True, width=100),
    "note": st.column_config.TextColumn("Note", disabled=True, width="large"),
}


def draw() -> None:
    """Draw a switch, and the table under it."""
    if st.toggle("Edit as a table", key="table shown", help=HELP):
        regions.watched("table", _draw, facet=session.stamp)


def _draw() -> None:
    from ... import tables  # with pandas, which a page without a table does not need

    # a table whose values were set from elsewhere needs a new key, or its old edits would be applied again
    key = f"{KEY} {session.stamp()}"
    st.data_editor(
        tables.faders(_rows()),
        key=key,
        hide_index=True,
        column_config=COLUMNS,
        num_rows="fixed",
        on_change=lambda: _edited(key),
    )


def _rows() -> Iterator[dict[str, Any]]:
    for bank in shown_banks():
        for strip in bank.strips:
            note = f"fixed: {strip.frozen}" if strip.frozen else strip.reason or ""
            yield {
                "part": strip.id,
                "bank": bank.title,
                "removed": strip.ratio * 100,
                "units": strip.units,
                "params": strip.params,
                "note": note,
            }


def _edited(key: str) -> None:
    session.attempt(_take, session.shown(key))
    regions.hurry()
    st.rerun()


def _take(state: Mapping[str, Any]) -> None:
    recipe = edited(session.recipe(), shown_banks(), state["edited_rows"])
    session.set_recipe(recipe, f"{len(state['edited_rows'])} in the table")


def edited(recipe: Recipe, banks: tuple[Bank, ...], rows: Mapping[Any, Mapping[str, Any]]) -> Recipe:
    """Return the recipe after edits of rows, numbered as they are shown: {row: {"removed": per cent or
    None}}.

    Raises:
        RecipeError: a part is fixed or is a switch with another ratio, or the number is not a ratio.
    """
    order = [(bank.name, strip) for bank in banks for strip in bank.strips]
    ratios = {bank: dict(recipe.ratios(bank)) for bank in GRADED}
    for row, cells in rows.items():
        bank, strip = order[int(row)]
        ratios[bank][strip.id] = _ratio(strip, cells.get("removed"))
    return replace(recipe, channels=ratios[CHANNEL], weights=ratios[WEIGHT])


def _ratio(strip: Strip, per_cent: Any) -> float:
    ratio = check_ratio(strip.id, (per_cent or 0.0) / 100)
    if ratio and strip.frozen:
        raise RecipeError(f"{strip.id!r} cannot be pruned: {strip.frozen}. Leave it at 0.")
    if ratio and strip.switch is not None and abs(ratio - strip.switch) > 1e-4:
        raise RecipeError(f"{strip.id!r} is a switch: 0 or {strip.switch * 100:g} %, got {ratio * 100:g} %.")
    return ratio
