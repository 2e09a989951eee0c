"""Pictures side by side as one piece of HTML, embedded in the page; names are foreign text and escaped."""

import html
from collections.abc import Callable, Iterable, Sequence

from torch import Tensor

from ...studies.behaviour import Flip
from .png import data_uri, pixels_of

STYLE = """<style>
.gallery { display: grid; grid-template-columns: repeat(auto-fill, minmax(var(--tile, 8.5rem), 1fr));
  gap: 0.75rem; }
.gallery figure { margin: 0; min-width: 0; font-size: 0.78rem; line-height: 1.4; }
.gallery .frame { position: relative; width: var(--picture, 6rem); aspect-ratio: var(--aspect, 1);
  background: #8883; border-radius: 4px; }
.gallery .frame img { width: 100%; height: 100%; object-fit: contain;
  image-rendering: pixelated; border-radius: 4px; }
.gallery .crossed::after { content: ""; position: absolute; inset: 0; border-radius: 4px;
  outline: 2px solid #d55e00;
  background: linear-gradient(to top right, #0000 48%, #d55e00 48% 52%, #0000 52%),
    linear-gradient(to bottom right, #0000 48%, #d55e00 48% 52%, #0000 52%); }
.gallery b, .gallery span { display: block; overflow-wrap: anywhere; }
</style>"""


def tile(picture: Tensor | None, lines: Iterable[str], *, crossed: bool = False, title: str = "") -> str:
    """Return one picture with lines of escaped text under it, the first one bold.

    Args:
        picture: uint8 pixels, (height, width) or (height, width, 3); None leaves it out.
    """
    first, *rest = (html.escape(line) for line in lines)
    words = f"<b>{first}</b>" + "".join(f"<span>{line}</span>" for line in rest)
    if picture is None:
        return f"<figure>{words}</figure>"
    frame = f'<div class="frame{" crossed" if crossed else ""}" title="{html.escape(title)}">'
    return (
        f'<figure>{frame}<img alt="{html.escape(title or first)}" '
        f'src="{data_uri(picture)}"></div>{words}</figure>'
    )


def gallery(
    tiles: Iterable[str], *, tile_rem: float = 8.5, picture_rem: float = 6.0, aspect: float = 1.0
) -> str:
    """Return tiles that wrap.

    Args:
        aspect: width of a picture as a multiple of its height.
    """
    return (
        f'{STYLE}<div class="gallery" style="--tile: {tile_rem}rem; --picture: '
        f'{picture_rem}rem; --aspect: {aspect:g}">{"".join(tiles)}</div>'
    )


def flips(
    flips: Sequence[Flip],
    samples: Sequence[Tensor | str] | None,
    scale: float | None,
    name: Callable[[int], str],
) -> str:
    """Return samples with their true class, and the predictions of both models.

    Args:
        samples: as they are stored, one per flip; None if they cannot be shown.
        scale: from stored values to 0..1; None: samples are pixels already, or texts.
    """
    tiles = []
    for flip, sample in zip(flips, samples or [""] * len(flips), strict=True):
        words = _words(flip, name)
        if isinstance(sample, Tensor):
            tiles.append(tile(sample if scale is None else pixels_of(sample, scale), words))
        else:
            tiles.append(tile(None, (*words, sample) if sample else words))
    return gallery(tiles)


def _words(flip: Flip, name: Callable[[int], str]) -> tuple[str, ...]:
    return (
        name(flip.target),
        f"before: {name(flip.before)}, {flip.confidence_before * 100:.0f} %",
        f"now: {name(flip.after)}, {flip.confidence_after * 100:.0f} %",
        f"sample {flip.sample:,}",
    )
