"""Figure -> a web page of its own, or a piece of one, that needs no network and is readable on light, dark
and paper.
"""

import html
from functools import cache
from pathlib import Path

import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

CONFIG = {"displaylogo": False, "responsive": True}
LIBRARY = "plotly.min.js"  # the name by which pages ask for it in their own folder
FONT = "system-ui, sans-serif"


def page(figure: go.Figure, name: str, about: str = "") -> str:
    """Return a whole page, which reads the library from its own folder.

    Args:
        about: what the figure is about, for the title of the window.
    """
    head = (
        '<meta charset=utf-8><meta name=viewport content="width=device-width, '
        f'initial-scale=1"><title>{_title(figure, about)}'
    )
    head += f'</title><style>{style()}</style><script src="{LIBRARY}"></script>'
    return (
        "<!doctype html><html "
        f"lang=en><head>{head}</head><body>{piece(figure, name, library=False)}</body></html>"
    )


def piece(figure: go.Figure, name: str, *, library: bool) -> str:
    """Return a part of a page that has `style()`.

    Args:
        library: include the library; the first piece of a page needs it.
    """
    alone = go.Figure(figure).update_layout(title_x=0, title_xanchor="left", font_family=FONT)
    drawn = alone.to_html(full_html=False, include_plotlyjs=library, config=CONFIG, div_id=name)
    return f"<div class=figure>{drawn}</div>"


@cache
def style() -> str:
    """Return the page's colours, which the text of its figures takes."""
    return Path(__file__).with_name("standalone.css").read_text(encoding="utf-8")


def library() -> str:
    """Return the library's code, for the file LIBRARY."""
    return get_plotlyjs()


def _title(figure: go.Figure, about: str) -> str:
    return html.escape(", ".join(part for part in (about, figure.layout.title.text) if part))
