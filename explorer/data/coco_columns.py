"""What a file in COCO's form says of pictures and boxes, as columns: a million rows take little memory so.

A mistake is found where it is, but said only once the whole file was read, since it may be no JSON further
down, and a list may come again.
"""

from array import array
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np

from ..errors import LoadError
from .boxed_pictures import inside

IDS, NUMBERS = (int, str), (int, float)
FARTHEST = 10**6  # pixels
SLACK = 1.0  # pixels that a box may reach outside its picture, by rounding
UNKNOWN = object()  # in place of an id that can be none
NO_AREA = (0.0, 0.0, 0.0, 0.0)
Rows = Sequence[Mapping[str, Any]]


class PictureColumns:
    """Ids, names and sizes of the pictures, up to the first wrong row, which is kept in `wrong`."""

    def __init__(self) -> None:
        self.ids: list[Any] = []
        self.names: list[Any] = []
        self.widths, self.heights = array("i"), array("i")
        self.wrong: Mapping[str, Any] | None = None

    @property
    def sizes(self) -> np.ndarray:
        """Return (pictures, 2) int64: width and height in pixels."""
        return np.stack([np.array(sides, dtype=np.int64) for sides in (self.widths, self.heights)], axis=1)

    def add(self, rows: Rows) -> None:
        if self.wrong is not None:
            return
        if not _are_pictures(rows):
            end = next(place for place, row in enumerate(rows) if not _are_pictures([row]))
            rows, self.wrong = rows[:end], rows[end]
        self.ids += [row["id"] for row in rows]
        self.names += [row.get("file_name") for row in rows]
        self.widths.extend([row["width"] for row in rows])
        self.heights.extend([row["height"] for row in rows])

    def places(self, source: str) -> dict[Any, int]:
        """Return id -> place.

        Raises:
            LoadError: a row is wrong, or an id is there twice.
        """
        places = dict(zip(self.ids, range(len(self.ids)), strict=True))
        if len(places) < len(self.ids):
            seen = set()
            twice = next(one for one in self.ids if one in seen or seen.add(one))  # type: ignore[func-returns-value]
            raise LoadError(f"{source!r} lists picture {twice!r} twice; export the annotations again.")
        if self.wrong is not None:
            raise LoadError(
                f"Each picture of {source!r} needs 'id', 'file_name', 'width' and 'height' in whole pixels, "
                f"got {str(dict(self.wrong))[:120]}."
            )
        return places


class CategoryRows:
    """The rows of the categories, as they are."""

    def __init__(self) -> None:
        self.rows: list[Mapping[str, Any]] = []

    def add(self, rows: Rows) -> None:
        self.rows += rows


class BoxColumns:
    """Picture, category and place of the boxes, up to the first row that needs a box and has none: `wrong`
    is what is there instead.
    """

    def __init__(self) -> None:
        self.pictures: list[Any] = []
        self.categories: list[Any] = []
        self.wrong: str | None = None
        self._kept: list[np.ndarray] = []
        self._sides: list[np.ndarray] = []

    @property
    def kept(self) -> np.ndarray:
        """Return (rows,) bool: it is no crowd, and its box has an area."""
        return np.concatenate([np.empty(0, dtype=bool), *self._kept])

    @property
    def sides(self) -> np.ndarray:
        """Return (kept, 4) float64: x, y, width and height in pixels."""
        return np.concatenate([np.empty((0, 4)), *self._sides])

    def add(self, rows: Rows) -> None:
        if self.wrong is not None or not rows:
            return
        boxes: list[Any] = [row.get("bbox") for row in rows]
        crowds = [bool(row.get("iscrowd")) for row in rows]
        sides = _sides(boxes)
        if sides is None:
            lacks = (place for place, box in enumerate(boxes) if not crowds[place] and not _is_box(box))
            if (end := next(lacks, None)) is not None:
                self.wrong, rows = str(boxes[end])[:60], rows[: end + 1]
            some = boxes[: len(rows)]
            sides = np.array([box if _is_box(box) else NO_AREA for box in some], dtype=np.float64)
        kept = (sides[:, 2:] > 0).all(axis=1) & ~np.array(crowds[: len(rows)])
        self._kept.append(kept)
        self._sides.append(sides[kept])
        self.pictures += _ids([row.get("image_id") for row in rows], IDS)
        self.categories += _ids([row.get("category_id") for row in rows], (int,))


def shares(boxes: np.ndarray, sizes: np.ndarray) -> tuple[np.ndarray, int | None]:
    """Return boxes as shares of their pictures, and the place of the first that reaches outside, or None.

    Args:
        boxes: (n, 4) x, y, width and height in pixels.
        sizes: (n, 2) width and height of their pictures.
    Returns: (n, 4) x1, y1, x2, y2, those that reach outside by rounding cut.
    """
    ends = np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)
    corners = ends / np.tile(sizes, 2)
    for place in np.flatnonzero(~((corners >= 0) & (corners <= 1)).all(axis=1)).tolist():
        wide, high = sizes[place].tolist()
        found = inside(tuple(corners[place].tolist()), (SLACK / wide, SLACK / high))
        if found is None:
            return corners, place
        corners[place] = found
    return corners, None


def _are_pictures(rows: Rows) -> bool:
    """Whether all of these have an id and a size; asked of many at once, since there may be a million."""
    sides = [row.get(name) for name in ("width", "height") for row in rows]
    fits = _are(sides, (int,)) and _are([row.get("id") for row in rows], IDS)
    return fits and all(0 < side <= FARTHEST for side in sides)  # type: ignore[operator]


def _are(values: Sequence[Any], kinds: tuple[type, ...]) -> bool:
    return all(issubclass(kind, kinds) for kind in set(map(type, values)))


def _ids(values: Sequence[Any], kinds: tuple[type, ...]) -> Sequence[Any]:
    """Return ids, with `UNKNOWN` in place of what can be none."""
    if _are(values, kinds):
        return values
    return [value if isinstance(value, kinds) else UNKNOWN for value in values]


def _sides(boxes: Sequence[Any]) -> np.ndarray | None:
    """Return (n, 4) float64 if all of these are boxes, otherwise None."""
    if set(map(type, boxes)) != {list} or set(map(len, boxes)) != {4}:
        return None
    numbers = list(chain.from_iterable(boxes))
    if not _are(numbers, NUMBERS):
        return None
    try:
        sides = np.array(numbers, dtype=np.float64).reshape(-1, 4)
    except OverflowError:
        return None
    return sides if (np.abs(sides) <= FARTHEST).all() else None


def _is_box(box: object) -> bool:
    return isinstance(box, list) and len(box) == 4 and all(map(_is_near, box))


def _is_near(number: object) -> bool:
    return isinstance(number, NUMBERS) and -FARTHEST <= number <= FARTHEST  # type: ignore[operator]
