"""The entry script: what needs no torch, then the page, once torch is imported."""

from pathlib import Path

import streamlit as st

from explorer.ui import arrival, server
from explorer.ui.browser import elements
from explorer.ui.drawing import layout
from explorer.ui.frame import menu


def draw() -> None:
    """Run the page once."""
    icon = Path(__file__).with_name("icon.svg").read_text(encoding="utf-8")
    st.set_page_config("Pruning Explorer", icon, layout="wide")
    layout.style()
    elements.put_up_shelf()
    offered = menu.pages()
    page = st.navigation(list(offered.values()))
    arrival.wait()
    from explorer.ui import whole_page  # with torch

    whole_page.draw(page, next((name for name, one in offered.items() if one == page), ""))


if __name__ == "__main__":
    draw()
elif __name__ == Path(__file__).stem:  # `streamlit run` imports this file for its server
    app = st.App(__file__, **server.configured_parts())
