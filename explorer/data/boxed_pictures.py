"""Pictures with the boxes of things in them: how any format becomes a task for models that find boxes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from ..errors import LoadError
from ..values.samples import Split
from ..values.subject import Task
from .grid_boxes import boxes_of
from .pictures import open_picture, stacked
from .pool import HALVES, file_facts, fingerprint
from .reader import Reader, class_name, picture_rule, rule_told

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass(frozen=True, slots=True)
class BoxedPicture:
    """A picture with its boxes. There may be a million.

    Args:
        boxes: x1, y1, x2, y2 as shares of the picture's width and height, and label, of each.
        size: width and height in pixels that the boxes are for; None: they fit a picture of any size.
    """

    path: str
    boxes: tuple[tuple[float, ...], ...]
    size: tuple[int, int] | None = None

    @property
    def name(self) -> str:
        return Path(self.path).name


@dataclass(frozen=True, eq=False)
class BoxedPictures(Sequence[BoxedPicture]):
    """Pictures in columns, since as many objects would take a gigabyte.

    Args:
        paths: of the pictures.
        first: (pictures + 1,) the place of each picture's first box, and how many boxes there are.
        corners: (boxes, 4) float64, as shares.
        labels: of the boxes.
        sizes: (pictures, 2) width and height in pixels; None: the boxes fit pictures of any size.
    """

    paths: Sequence[str]
    first: np.ndarray
    corners: np.ndarray
    labels: Sequence[float]
    sizes: np.ndarray | None = None

    @classmethod
    def of(cls, pictures: Sequence[BoxedPicture]) -> "BoxedPictures":
        """Return as columns what fits pictures of any size."""
        boxes = [box for one in pictures for box in one.boxes]
        return cls(
            [one.path for one in pictures],
            np.cumsum([0, *(len(one.boxes) for one in pictures)]),
            np.array([box[:4] for box in boxes], dtype=np.float64),
            [box[4] for box in boxes],
        )

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, place: Any) -> Any:
        if isinstance(place, slice):
            return [self[one] for one in range(*place.indices(len(self)))]
        start, end = self.first[place], self.first[place + 1]
        boxes = zip(self.corners[start:end].tolist(), self.labels[start:end], strict=True)
        size = None if self.sizes is None else tuple(self.sizes[place].tolist())
        return BoxedPicture(self.paths[place], tuple((*corners, label) for corners, label in boxes), size)


@dataclass(frozen=True)
class BoxedSet:
    """All that is listed in a folder.

    Args:
        kind: the name of the format, such as "coco".
        pictures: "training", "tuning", "held_out", or "both", which is halved -> pictures.
        names: of the categories, in the order of their numbers.
        left_out: how many boxes are not used, and why, such as "3 of crowds".
        described: other files that say where the boxes are.
    """

    kind: str
    folder: Path
    pictures: Mapping[str, BoxedPictures]
    names: tuple[str, ...]
    left_out: str = ""
    described: tuple[Path, ...] = ()


def inside(
    corners: tuple[float, float, float, float], slack: tuple[float, float]
) -> tuple[float, ...] | None:
    """Return x1, y1, x2, y2 as shares of a picture, those that reach outside by rounding cut; None if one
    reaches further. There may be a million.

    >>> inside((-0.01, 0.5, 0.5, 1.0), (0.02, 0.02)), inside((-0.1, 0.5, 0.5, 1.0), (0.02, 0.02))
    ((0.0, 0.5, 0.5, 1.0), None)

    Args:
        slack: shares of width and height by which a box may reach outside.
    """
    x1, y1, x2, y2 = corners
    if 0 <= x1 <= 1 and 0 <= x2 <= 1 and 0 <= y1 <= 1 and 0 <= y2 <= 1:
        return corners
    if any(not -slack[k % 2] <= end <= 1 + slack[k % 2] for k, end in enumerate(corners)):
        return None
    return tuple(min(max(end, 0.0), 1.0) for end in corners)


def outside(where: str, box: object) -> LoadError:
    """The error of a box that reaches outside its picture."""
    return LoadError(f"{where} has the box {box}, which reaches outside its picture; correct it.")


def boxed_task(listed: BoxedSet, reader: Reader, samples: int, *facts: object) -> Task:
    """Return a task measured by F1 of boxes and mAP; pictures are stretched to the model's size, and boxes
    with them.

    Args:
        samples: maximum number per split.
        facts: more that decides what the samples are.
    Raises:
        LoadError: no picture has a box.
    """
    parts = listed.pictures
    boxes = sum(len(part.labels) for part in parts.values())
    if not boxes:
        raise LoadError(f"No picture in {str(listed.folder)!r} has boxes; give a folder with annotations.")
    splits = {name: (part, torch.arange(len(part))) for name, part in parts.items() if name != "both"}
    if (both := parts.get("both")) is not None:
        order = torch.randperm(len(both), generator=torch.Generator().manual_seed(0))
        middle = (len(order) + 1) // 2
        splits |= {"tuning": (both, order[:middle]), "held_out": (both, order[middle:])}
    rule = picture_rule(reader)

    def load_split(name: str) -> Split | None:
        if name not in splits:
            return None
        pictures, places = splits[name]
        chosen = [pictures[place] for place in places[:samples].tolist()]
        return _read(chosen, reader) if chosen else None

    every = chain.from_iterable(part.paths for part in parts.values())
    files = file_facts(chain(listed.described, every), listed.folder)
    gone = f"; {listed.left_out} were left out" if listed.left_out else ""
    counted = f"{boxes:,} boxes of {len(listed.names)} categories{gone}"
    return Task(
        f"{listed.kind}:{listed.folder.resolve().name}",
        reader.shape,
        listed.names,
        load_split,
        rule,
        note=HALVES if both is not None else "",
        source=str(listed.folder),
        fingerprint=fingerprint(chain(files, [reader.shape, rule, *facts, samples])),
        how=(
            f"{sum(map(len, parts.values())):,} pictures have {counted}.",
            rule_told(rule, is_bytes=True, is_given=False),
        ),
        metric=("detection_f1", "mean_average_precision"),
        answer=shown_boxes,
    )


def shown_boxes(outputs: Any) -> Any:
    """Return the boxes that a model shows: of scores and boxes at places those of `boxes_of`, others as they
    are.
    """
    pair = isinstance(outputs, tuple) and len(outputs) == 2 and all(isinstance(o, Tensor) for o in outputs)
    if pair and [o.dim() for o in outputs] == [3, 3] and outputs[1].shape[2] == 4:
        return boxes_of(outputs)
    return outputs


def _read(chosen: Sequence[BoxedPicture], reader: Reader) -> Split:
    """Return inputs (n, channels, height, width) uint8, and targets (n, boxes, 5) float32 of x1, y1, x2, y2
    in the model's pixels and label, -1 if a picture has fewer.
    """
    stretched = replace(reader, preset=replace(reader.preset, fit="stretch"))

    def opened(place: int) -> "Image":
        one = chosen[place]
        picture = open_picture(one.path, one.name)
        if one.size is not None and picture.size != one.size:
            raise LoadError(
                f"Picture {class_name(one.name)!r} is {picture.width} x {picture.height}, but its boxes "
                f"are for {one.size[0]} x {one.size[1]}; correct 'width' and 'height', or the picture."
            )
        return picture

    targets = torch.zeros(len(chosen), max(1, *(len(one.boxes) for one in chosen)), 5)
    targets[..., 4] = -1
    sides = reader.shape[2], reader.shape[1]
    for row, one in zip(targets, chosen, strict=True):
        for place, box in enumerate(one.boxes):
            row[place] = torch.tensor([*(end * sides[k % 2] for k, end in enumerate(box[:4])), box[4]])
    return Split(stacked(range(len(chosen)), opened, stretched), targets)
