"""The entry script: navigation over the pages, and the sidebar that all of them share."""

from pathlib import Path

import streamlit as st

from explorer import paths
from explorer.errors import ExplorerError
from explorer.ui import elements, layout, session, sidebar, watched

DEFAULT_PAGE = "prune"
ICONS = {"prune": ":material/tune:"}
OTHER_ICON = ":material/article:"

st.set_page_config("Pruning Explorer", Path(__file__).with_name("icon.svg").read_text(encoding="utf-8"), layout="wide")
layout.style()

found = sorted(paths.pages().resolve().glob("[!_]*.py"), key=lambda path: (path.stem != DEFAULT_PAGE, path.stem))
pages = [
    st.Page(
        path,
        title=path.stem.replace("_", " ").capitalize(),
        icon=ICONS.get(path.stem, OTHER_ICON),
        default=path.stem == DEFAULT_PAGE,
    )
    for path in found
]
page = st.navigation(pages)
try:
    watched.begin()
    elements.put_up_shelf()
    sidebar.draw()
    page.run()
    watched.follow()
    session.write_url()
except ExplorerError as error:
    layout.draw_notice(str(error))
