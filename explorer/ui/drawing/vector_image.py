"""Small drawings inside HTML. Streamlit takes SVG out of what it shows, but keeps images, so they are images.

An image does not know the page's theme: draw with colours that read on light and dark.
"""

import base64
import html

INK, SHADE = "#2f86c9", "#808080"  # each at least 3:1 against white and near-black


def vector_image(shapes: str, size: tuple[int, int], words: str = "") -> str:
    """Return an <img> of shapes in SVG.

    Args:
        shapes: trusted markup. size: width and height of its room in pixels.
        words: what it shows, for who cannot see it; empty if the text beside it says so.

    >>> vector_image("<path/>", (4, 2), "a & b").partition(" width")[2]
    '="4" height="2" alt="a &amp; b"/>'
    """
    width, height = size
    room = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    drawn = f'<svg xmlns="http://www.w3.org/2000/svg" {room}>{shapes}</svg>'
    source = base64.b64encode(drawn.encode()).decode()
    told = html.escape(words)
    return f'<img src="data:image/svg+xml;base64,{source}" width="{width}" height="{height}" alt="{told}"/>'
