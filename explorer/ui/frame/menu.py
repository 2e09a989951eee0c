"""The pages of this program in the menu."""

from typing import Any

import streamlit as st

from ...machine import paths
from ..shared import settings

# page -> its icon, in the order of the menu; pages that are not named here follow
ICONS = {
    "prune": ":material/tune:",
    "learn": ":material/school:",
    "explore": ":material/query_stats:",
    "channels": ":material/view_column:",
    "criteria": ":material/balance:",
    "structure": ":material/account_tree:",
    "behaviour": ":material/rule:",
    "recover": ":material/healing:",
    "compare": ":material/compare_arrows:",
    "guide": ":material/menu_book:",
}
OTHER_ICON = ":material/article:"


def pages() -> dict[str, Any]:
    """Return the pages that this server offers by name, in their order."""
    order = {name: place for place, name in enumerate(ICONS)}
    files = [
        path
        for path in paths.pages().resolve().glob("[!_]*.py")
        if path.stem not in settings.current().hidden_pages
    ]
    return {
        path.stem: st.Page(
            path,
            title=path.stem.replace("_", " ").capitalize(),
            icon=ICONS.get(path.stem, OTHER_ICON),
            default=order.get(path.stem) == 0,
        )
        for path in sorted(files, key=lambda path: (order.get(path.stem, len(order)), path.stem))
    }
