"""The entry script: navigation over the pages, and the sidebar that all of them share."""

from pathlib import Path
from typing import Any

import streamlit as st

from explorer.errors import ExplorerError
from explorer.machine import paths
from explorer.ui import housekeeping, server, session
from explorer.ui.browser import elements
from explorer.ui.drawing import layout
from explorer.ui.frame import attendance, page_head, signing_in
from explorer.ui.live import ticker
from explorer.ui.shared import settings
from explorer.ui.sidebar import sidebar

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


def draw() -> None:
    """Run the page once."""
    icon = Path(__file__).with_name("icon.svg").read_text(encoding="utf-8")
    st.set_page_config("Pruning Explorer", icon, layout="wide")
    layout.style()
    offered = menu()
    page = st.navigation(list(offered.values()))
    name = next((name for name, one in offered.items() if one == page), "")
    housekeeping.greet()
    if not session.is_signed_in():
        signing_in.draw()
        return
    try:
        with ticker.followed():
            _draw_page(page, name)
    except ExplorerError as error:  # there is no model at all
        layout.draw_notice(str(error))


def _draw_page(page: Any, name: str) -> None:
    try:
        elements.put_up_shelf()
        st.set_page_config(f"{page.title} - {session.model_name()}")
        sidebar.draw(with_graph=name not in page_head.OF_NO_MODEL)
        with st.sidebar:
            signing_in.draw_way_out()
        page_head.draw(name, page.title)
        attendance.note(page.title)
        page.run()
    except ExplorerError as error:
        layout.draw_notice(str(error))


def menu() -> dict[str, Any]:
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


if __name__ == "__main__":
    draw()
elif __name__ == Path(__file__).stem:  # `streamlit run` imports this file for its server
    app = st.App(__file__, **server.configured_parts())
