"""Behaviour -> which classes are confused: before, after, or the difference."""

from collections.abc import Mapping
from typing import Literal

import numpy as np
import plotly.graph_objects as go

from ..studies.behaviour import Behaviour
from .cell_words import cell_words
from .class_accuracy import shown_classes
from .style import figure, nothing, text

Which = Literal["before", "after", "difference"]
SHOWN = 30  # number of classes; if there are more, those that changed most
WRITTEN = 14  # number of classes up to which the cells show their numbers
SHARES = "Cividis"
PALE = 0.3  # of the largest difference: cells below it show their number only on hover
NO_CHANGE = [0.5, "rgba(128, 128, 128, 0.1)"]  # the page's own colour shows through
# better, none, worse; opaque wherever a number is written
CHANGES = [
    [0, "#6f4cb0"],
    [0.5 - PALE / 2, "#9d86cc"],
    NO_CHANGE,
    [0.5 + PALE / 2, "#e8935a"],
    [1, "#d55e00"],
]
TITLES = {
    "before": "What the dense model predicts for each class",
    "after": "What the pruned model predicts for each class",
    "difference": "Which confusions pruning adds, and which it removes",
}


def confusion(behaviour: Behaviour | None, which: Which = "difference") -> go.Figure:
    """Draw true classes down and predictions across; cells count samples, colours are shares of the true
    class.
    """
    height = height_of(len(behaviour.classes) if behaviour else 0)
    drawn = figure(TITLES[which], "Predicted class", "True class", height=height)
    # pale cells are transparent, and grid lines would show through them
    drawn.update_yaxes(autorange="reversed", type="category", showgrid=False).update_xaxes(
        type="category", showgrid=False
    )
    drawn.update_layout(margin_t=70)
    if behaviour is None or not behaviour.classes:
        return nothing(drawn)
    numbers = [found.number for found in shown_classes(behaviour, SHOWN)]
    if len(numbers) < len(behaviour.classes):
        hidden = f"the {len(numbers)} of {len(behaviour.classes):,} classes that changed most"
        drawn.update_layout(title_subtitle_text=hidden)
    samples = {found.number: found.samples for found in behaviour.classes}
    counts = _counts(behaviour, which, numbers)
    shares = 100 * counts / np.array([[samples[number]] for number in numbers])
    names = [text(behaviour.name(number)) for number in numbers]
    cells = _cells(shares, counts, names, which)
    drawn.add_trace(cells)
    if cells.text is not None:
        scale = [step for step in CHANGES if step is not NO_CHANGE] if which == "difference" else SHARES
        drawn.add_trace(cell_words(cells, scale, (cells.zmin, cells.zmax)))
    return drawn


def height_of(classes: int) -> int:
    """Return the height in pixels with so many classes."""
    return max(420, min(900, 34 * min(SHOWN, classes) + 220))


def _counts(behaviour: Behaviour, which: Which, numbers: list[int]) -> np.ndarray:
    """Return the (true, predicted) counts of the chosen classes."""
    before, after = (_table(side.confusion, numbers) for side in (behaviour.before, behaviour.after))
    return {"before": before, "after": after, "difference": after - before}[which]


def _table(confusion: tuple[tuple[int, int, int], ...], numbers: list[int]) -> np.ndarray:
    place = {number: index for index, number in enumerate(numbers)}
    table = np.zeros((len(numbers), len(numbers)), dtype=np.int32)
    for true, predicted, count in confusion:
        if true in place and predicted in place:
            table[place[true], place[predicted]] = count
    return table


def _cells(shares: np.ndarray, counts: np.ndarray, names: list[str], which: Which) -> go.Heatmap:
    change = which == "difference"
    top = max(1.0, float(np.abs(shares).max())) if change else 100.0
    scale: Mapping[str, object] = (
        {"colorscale": CHANGES, "zmin": -top} if change else {"colorscale": SHARES, "zmin": 0}
    )
    words = (
        "%{customdata[0]:+} samples, %{customdata[1]:+.1f} points"
        if change
        else "%{customdata[0]:,} samples, %{customdata[1]:.1f} %"
    )
    # one colour for worse: a confusion that comes more often, or a right answer that comes less often
    worse = np.where(np.eye(len(names), dtype=bool), -shares, shares) if change else shares
    # pale cells of a difference show the page's colour, on which no text colour is safe
    strong = np.abs(shares) >= (PALE * top if change else 0)

    def words_of(count):
        return f"{count:+}" if change else str(count)

    written = [
        [words_of(count) if count and bold else "" for count, bold in zip(*row, strict=True)]
        for row in zip(counts.tolist(), strong.tolist(), strict=True)
    ]
    return go.Heatmap(
        z=worse.astype(np.float32),
        x=names,
        y=names,
        customdata=np.stack([counts, shares], axis=-1),
        zmax=top,
        **scale,
        xgap=1,
        ygap=1,
        text=written if len(names) <= WRITTEN else None,
        colorbar={
            "title": {
                "text": "Points of the class, worse up" if change else "% of the class",
                "side": "right",
            }
        },
        hovertemplate=f"%{{y}} taken for %{{x}}: {words} of the class<extra></extra>",
    )
