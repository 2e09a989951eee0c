"""What all figures share: colours that are readable on light and dark and without telling red from green,
titled axes, empty figures.

Colours of text are left to the page, which knows its theme.
"""

import html
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

# after Okabe and Ito (2008), "Color Universal Design", each at least 3:1 against white and against near-black
KEPT, REMOVED, AFTER, DENSE, STALE = "#2f86c9", "#d55e00", "#009e73", "#808080", "#9a9a9a"
GRID = "rgba(128, 128, 128, 0.25)"
CLEAR = "rgba(0, 0, 0, 0)"
NOTHING = "Nothing to show yet"


@dataclass(frozen=True)
class Mark:
    """How the points of a trace are drawn, in Plotly's terms."""

    colour: str
    symbol: str
    size: int = 9
    mode: str = "markers"
    dash: str = "solid"


def text(foreign: object) -> str:
    """Escape foreign text such as a layer's name; Plotly would read < and & as markup, and %{ as a
    placeholder.
    """
    return html.escape(str(foreign), quote=False).replace("%{", "% {")


def figure(title: str, x: str, y: str, **layout: Any) -> go.Figure:
    """Return an empty figure with a title and two titled axes."""
    axis = {"gridcolor": GRID, "zeroline": False, "automargin": True}
    heading = {
        "text": title,
        "yref": "container",
        "y": 1,
        "yanchor": "top",
        "pad": {"t": 12, "l": 0},
    }  # above the legend
    drawn = go.Figure(
        layout={"template": "none", "title": heading, "paper_bgcolor": CLEAR, "plot_bgcolor": CLEAR}
    )
    drawn.update_xaxes(title_text=x, **axis)
    drawn.update_yaxes(title_text=y, title_standoff=12, **axis)
    drawn.update_layout(
        modebar={"bgcolor": CLEAR, "color": DENSE, "activecolor": KEPT}
    )  # otherwise a dark bar on a light page
    return drawn.update_layout(
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom"},
        margin={"t": 80, "r": 20, "b": 56},
        **layout,
    )


def nothing(figure: go.Figure, why: str = NOTHING) -> go.Figure:
    """Show a sentence in place of data, and no numbers on the axes, which would mean nothing."""
    figure.update_xaxes(showticklabels=False, showgrid=False).update_yaxes(
        showticklabels=False, showgrid=False
    )
    return figure.add_annotation(text=why, x=0.5, y=0.5, xref="paper", yref="paper", showarrow=False)


def subtitled(figure: go.Figure, words: str) -> go.Figure:
    """Add a line below the title, with room for it above a legend."""
    return figure.update_layout(title_subtitle_text=words, margin={"t": 100})


def without_legend(figure: go.Figure) -> go.Figure:
    """Remove the space for a legend between title and data."""
    return figure.update_layout(showlegend=False, margin={"t": 52})


def log_ticks(values: Iterable[float | None]) -> dict[str, Any]:
    """Return ticks of a logarithmic axis at 1, 2 and 5 of each decade that is reached, written out.

    >>> log_ticks([0.06, 1.5])["ticktext"]
    ['0.05', '0.1', '0.2', '0.5', '1', '2']
    """
    found = [value for value in values if value is not None and 0 < value < math.inf] or [1.0]
    low, high = math.floor(math.log10(min(found))), math.ceil(math.log10(max(found)))
    steps = [step * 10.0**decade for decade in range(low, high + 1) for step in (1, 2, 5)]
    first = max((i for i, step in enumerate(steps) if step <= min(found)), default=0)
    last = min((i for i, step in enumerate(steps) if step >= max(found)), default=len(steps) - 1)
    shown = steps[first : last + 1]
    return {"tickvals": shown, "ticktext": [f"{step:.6g}" for step in shown]}


def tall(rows: float) -> int:
    """Return the height in pixels for this many rows of bars."""
    return max(320, round(150 + 24 * rows))
