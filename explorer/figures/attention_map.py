"""Where one attention head looks in a text: one row for each token that looks, one column for each that is
looked at.
"""

from collections.abc import Sequence

import plotly.graph_objects as go
from torch import Tensor

from .style import figure, nothing, text, without_legend

SCALE = "Cividis"  # made to look the same to people with and without colour blindness (Nuñez et al. 2018)
SHOWN = 48  # tokens
MARKS = {"\n": "⏎", "\t": "⇥", " ": "·"}  # for what nobody sees


def attention_map(probabilities: Tensor | None, tokens: Sequence[str], head: int) -> go.Figure:
    """Draw the share of its attention that each token gives to each, of the first tokens of a text.

    Args:
        probabilities: (tokens, tokens), a row for each token that looks. tokens: as text.
    """
    drawn = figure(f"Where head {head} looks", "Token that is looked at", "Token that looks")
    if probabilities is None or not len(tokens):
        return nothing(drawn)
    words = [visible(token) for token in tokens[:SHOWN]]
    places = list(range(len(words)))
    ticks = {"tickvals": places, "ticktext": words, "tickfont": {"family": "monospace", "size": 10}}
    drawn.update_xaxes(**ticks, tickangle=-90, showgrid=False)
    drawn.update_yaxes(**ticks, autorange="reversed", showgrid=False)
    without_legend(drawn).update_layout(height=220 + 13 * max(12, len(words)))
    return drawn.add_trace(
        go.Heatmap(
            z=probabilities[: len(words), : len(words)].numpy(),
            customdata=[[[words[row], words[column]] for column in places] for row in places],
            colorscale=SCALE,
            zmin=0,
            colorbar={"title": {"text": "Share of its attention", "side": "right"}, "tickformat": ".0%"},
            hovertemplate="%{customdata[0]} (token %{y}) looks at %{customdata[1]} (token %{x}): "
            "%{z:.1%}<extra></extra>",
        )
    )


def visible(token: str) -> str:
    """Return a token as escaped text in which spaces and ends of lines are seen.

    >>> visible(" if"), visible("\\n"), visible("<b>"), visible("\\0")
    ('·if', '⏎', '&lt;b&gt;', '□')
    """
    seen = "".join(MARKS.get(letter, letter if letter.isprintable() else "□") for letter in token)
    return text(seen)
