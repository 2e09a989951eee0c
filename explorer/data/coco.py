"""Pictures with boxes, described by one JSON file in the form of COCO (Lin et al. 2014, arXiv:1405.0312)."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import LoadError
from ..machine.collector import without_collector
from ..registry import DATA
from ..values.subject import Task
from .boxed_pictures import BoxedPictures, BoxedSet, boxed_task, outside
from .coco_columns import BoxColumns, CategoryRows, PictureColumns, shares
from .json_rows import row, rows
from .named_files import NamedFiles
from .pictures import check_pictures
from .reader import ANY, Reader, check_request, class_name

MAX_BYTES = 1024**3
PICTURES, LABELS = ("images", "pictures"), ("position", "id")


@dataclass(frozen=True, eq=False)
class Described:
    """What a JSON file says."""

    images: PictureColumns
    annotations: BoxColumns
    categories: CategoryRows


@DATA.register("coco", rank=14, place="PATH", local_only=True)
def coco(
    path: str = "", reader: Reader = ANY, *, file: str = "", labels: str = "position", samples: int = 2000
) -> Task:
    """A folder with images/ and one JSON file of boxes in the form of COCO (also in annotations/), for models
    that find boxes.

    Args:
        path: of the folder.
        reader: the model that the pictures are for; they are stretched to its size, and boxes with them.
        file: name of the JSON file, where there are several.
        labels: "position" numbers the categories from 0 in the order of their ids, "id" keeps the ids.
        samples: maximum number per split.
    Raises:
        LoadError: the file or a picture is missing or is not of that form, or a box is outside its picture.
    """
    check_request("coco:PATH", path, samples)
    check_pictures(reader)
    if labels not in LABELS:
        raise LoadError(f"Option 'labels' must be position or id, got {labels[:40]!r}.")
    folder = Path(path).expanduser()
    source = _source(folder, file)
    with without_collector():  # a million pictures are millions of values that stay
        described = _described(source)
        names = _categories(described.categories, source)
        numbers = {key: key if labels == "id" else place for place, key in enumerate(names)}
        pictures, left_out = _listed(described, numbers, source, _pictures(folder))
    gone = f"{left_out:,} of crowds or without an area" if left_out else ""
    listed = BoxedSet("coco", folder, {"both": pictures}, tuple(names.values()), gone, (source,))
    return boxed_task(listed, reader, samples, labels)


# --------------------------------------------------------------------------- the JSON file


def _source(folder: Path, file: str) -> Path:
    places = [folder, folder / "annotations"]
    if file:
        files = [place / file for place in places if (place / file).is_file()]
    else:
        files = [path for place in places if place.is_dir() for path in sorted(place.glob("*.json"))]
    if len(files) != 1:
        many = f"has {len(files)} JSON files" if files else f"has no {file or 'JSON file'}"
        raise LoadError(
            f"{str(folder)!r} {many} in it or in annotations/; name one that is there with ?file=NAME.json."
        )
    return files[0]


def _pictures(folder: Path) -> Path:
    return next((folder / name for name in PICTURES if (folder / name).is_dir()), folder)


def _described(source: Path) -> Described:
    columns = {"images": PictureColumns, "annotations": BoxColumns, "categories": CategoryRows}
    parts: dict[str, Any] = {}
    try:
        for name, batch in rows(source, MAX_BYTES, columns):
            if batch == []:
                parts[name] = columns[name]()
            elif batch is None or not set(map(type, batch)) <= {dict}:
                parts[name] = None
            elif parts[name] is not None:
                parts[name].add(batch)
    except OSError as error:
        raise LoadError(f"{source.name!r} cannot be read ({error.strerror}); check the path.") from error
    except (ValueError, RecursionError) as error:
        raise LoadError(f"{source.name!r} is not JSON; export the annotations again.") from error
    if any(parts.get(name) is None for name in columns):
        raise LoadError(
            f"{source.name!r} must hold lists of objects called images, annotations and categories, as "
            "COCO's instances files do."
        )
    return Described(**parts)


def _categories(table: CategoryRows, source: Path) -> dict[int, str]:
    """Return id -> name, in the order of the ids."""
    if not table.rows or not all(isinstance(row.get("id"), int) and row["id"] >= 0 for row in table.rows):
        raise LoadError(
            f"Each category of {source.name!r} needs an 'id', a whole number from 0, and a 'name'."
        )
    names = {row["id"]: row.get("name") for row in table.rows}
    return {key: class_name(names[key]) for key in sorted(names)}


def _listed(
    described: Described, numbers: Mapping[int, int], source: Path, folder: Path
) -> tuple[BoxedPictures, int]:
    """Return the pictures in the order of the file, and how many boxes were left out."""
    pictures, boxes = described.images, described.annotations
    place_of = pictures.places(source.name)
    places = np.fromiter((place_of.get(key, -1) for key in boxes.pictures), np.int64, len(boxes.pictures))
    labels = [numbers.get(key, -1) for key in boxes.categories]
    is_listed = places >= 0
    unknown = np.flatnonzero(~is_listed | np.fromiter((label < 0 for label in labels), bool, len(labels)))
    kept, sizes = np.flatnonzero(boxes.kept), pictures.sizes
    kept = kept[: np.searchsorted(kept, unknown[0])] if len(unknown) else kept
    corners, outer = shares(boxes.sides[: len(kept)], sizes[places[kept]])
    if outer is not None:
        place = int(kept[outer])
        wide, high = sizes[places[place]].tolist()
        box = row(source, MAX_BYTES, "annotations", place)["bbox"]
        raise outside(f"{_told(place, source)} (in a picture of {wide} x {high} pixels)", box)
    if len(unknown):
        what = "category" if is_listed[unknown[0]] else "picture"
        raise LoadError(
            f"{_told(unknown[0], source)} names a {what} that the file does not list; add it, or remove the "
            "annotation."
        )
    if boxes.wrong is not None:
        raise LoadError(
            f"{_told(len(labels) - 1, source)} needs 'bbox', four numbers x, y, width and height, got "
            f"{boxes.wrong}."
        )
    files = NamedFiles(folder)
    paths = [_file(name, files, folder, source) for name in pictures.names]
    order = np.argsort(places[kept], kind="stable")
    first = np.searchsorted(places[kept][order], np.arange(len(paths) + 1))
    own = [labels[place] for place in kept[order].tolist()]
    return BoxedPictures(paths, first, corners[order], own, sizes), len(labels) - len(kept)


def _file(name: Any, files: NamedFiles, pictures: Path, source: Path) -> str:
    path = files.path(name) if isinstance(name, str) else None
    if path is None:
        raise LoadError(
            f"Picture {class_name(name)!r} of {source.name!r} is not in {pictures.name}/; put it there."
        )
    return path


def _told(place: int, source: Path) -> str:
    """Say which annotation, of which file."""
    return f"Annotation {place} of {source.name!r}"
