"""The entry script: navigation over the pages, and the sidebar that all of them share."""

from pathlib import Path
from typing import Any

import streamlit as st

from explorer.errors import ExplorerError
from explorer.machine import paths
from explorer.ui import housekeeping, server
from explorer.ui.browser import elements
from explorer.ui.drawing import layout
from explorer.ui.live import ticker
from explorer.ui.shared import settings
from explorer.ui.sidebar import sidebar

# page -> its icon, in the order of the menu; pages that are not named here follow
ICONS = {
    "prune": ":material/tune:",
    "explore": ":material/query_stats:",
    "channels": ":material/view_column:",
    "criteria": ":material/balance:",
    "structure": ":material/account_tree:",
    "behaviour": ":material/rule:",
    "recover": ":material/healing:",
    "compare": ":material/compare_arrows:",
    "learn": ":material/school:",
    "guide": ":material/menu_book:",
}
OTHER_ICON = ":material/article:"


def draw() -> None:
    """Run the page once."""
    icon = Path(__file__).with_name("icon.svg").read_text(encoding="utf-8")
    st.set_page_config("Pruning Explorer", icon, layout="wide")
    layout.style()
    page = st.navigation(menu())
    housekeeping.greet()
    try:
        with ticker.followed():
            _draw_page(page)
    except ExplorerError as error:  # there is no model at all
        layout.draw_notice(str(error))


def _draw_page(page: Any) -> None:
    try:
        elements.put_up_shelf()
        sidebar.draw()
        page.run()
    except ExplorerError as error:
        layout.draw_notice(str(error))


def menu() -> list:
    """Return the pages that this server offers, in their order."""
    order = {name: place for place, name in enumerate(ICONS)}
    found = [
        path
        for path in paths.pages().resolve().glob("[!_]*.py")
        if path.stem not in settings.current().hidden_pages
    ]
    return [
        st.Page(
            path,
            title=path.stem.replace("_", " ").capitalize(),
            icon=ICONS.get(path.stem, OTHER_ICON),
            default=order.get(path.stem) == 0,
        )
        for path in sorted(found, key=lambda path: (order.get(path.stem, len(order)), path.stem))
    ]


if __name__ == "__main__":
    draw()
elif __name__ == Path(__file__).stem:  # `streamlit run` imports this file for its server
    app = st.App(__file__, **server.configured_parts())
