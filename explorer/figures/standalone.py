"""Figure -> a web page of its own, or a piece of one, that needs no network."""

import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

CONFIG = {"displaylogo": False, "responsive": True}
LIBRARY = "plotly.min.js"  # the name by which pages ask for it in their own folder


def page(figure: go.Figure, name: str) -> str:
    """A whole page; it reads the library from its own folder."""
    return figure.to_html(full_html=True, include_plotlyjs="directory", config=CONFIG, div_id=name)


def piece(figure: go.Figure, name: str, *, library: bool) -> str:
    """Part of a page.

    Args:
        library: with the library inside; the first piece of a page needs it.
    """
    return figure.to_html(full_html=False, include_plotlyjs=library, config=CONFIG, div_id=name)


def library() -> str:
    """The library's code, for the file LIBRARY."""
    return get_plotlyjs()
