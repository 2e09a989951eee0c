"""The entry script: navigation over the pages, and the sidebar that all of them share."""

from pathlib import Path

import streamlit as st

from explorer.errors import ExplorerError

from ..machine import paths
from . import session
from .browser import elements
from .drawing import layout
from .live import ticker
from .shared import settings
from .sidebar import sidebar

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
}
OTHER_ICON = ":material/article:"

st.set_page_config(
    "Pruning Explorer", Path(__file__).with_name("icon.svg").read_text(encoding="utf-8"), layout="wide"
)
layout.style()

order = {name: place for place, name in enumerate(ICONS)}
found = sorted(
    paths.pages().resolve().glob("[!_]*.py"), key=lambda path: (order.get(path.stem, len(order)), path.stem)
)
pages = [
    st.Page(
        path,
        title=path.stem.replace("_", " ").capitalize(),
        icon=ICONS.get(path.stem, OTHER_ICON),
        default=order.get(path.stem) == 0,
    )
    for path in found
    if path.stem not in settings.current().hidden_pages
]
page = st.navigation(pages)
try:
    ticker.begin()
    elements.put_up_shelf()
    sidebar.draw()
    page.run()
    ticker.follow()
    session.write_url()
except ExplorerError as error:
    layout.draw_notice(str(error))
