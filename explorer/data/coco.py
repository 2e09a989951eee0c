"""Pictures with boxes, described by one JSON file in the form of COCO (Lin et al. 2014, arXiv:1405.0312)."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import LoadError
from ..machine.bounded_file import read_bounded
from ..registry import DATA
from ..values.subject import Task
from .boxed_pictures import BoxedPicture, BoxedSet, boxed_task, within
from .named_files import NamedFiles
from .pictures import check_pictures
from .reader import ANY, Reader, check_request, class_name

IDS = (int, str)
FARTHEST = 10**6  # pixels
MAX_BYTES = 1024**3
PICTURES, LABELS = ("images", "pictures"), ("position", "id")
SLACK = 1.0  # pixels that a box may reach outside its picture, by rounding


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
    described = _described(source)
    names = _categories(described, source)
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


def _described(source: Path) -> Mapping[str, Any]:
    try:
        data = json.loads(read_bounded(source, MAX_BYTES))
    except OSError as error:
        raise LoadError(f"{source.name!r} cannot be read ({error.strerror}); check the path.") from error
    except (ValueError, RecursionError) as error:
        raise LoadError(f"{source.name!r} is not JSON; export the annotations again.") from error
    parts = ("images", "annotations", "categories")
    if not isinstance(data, dict) or not all(_is_table(data.get(part)) for part in parts):
        raise LoadError(
            f"{source.name!r} must hold lists of objects called images, annotations and categories, as "
            "COCO's instances files do."
        )
    return data


def _is_table(part: object) -> bool:
    return isinstance(part, list) and all(isinstance(row, dict) for row in part)


def _categories(described: Mapping[str, Any], source: Path) -> dict[int, str]:
    """Return id -> name, in the order of the ids."""
    rows = described["categories"]
    if not rows or not all(isinstance(row.get("id"), int) and row["id"] >= 0 for row in rows):
        raise LoadError(
            f"Each category of {source.name!r} needs an 'id', a whole number from 0, and a 'name'."
        )
    names = {row["id"]: row.get("name") for row in rows}
    return {key: class_name(names[key]) for key in sorted(names)}


def _listed(
    described: Mapping[str, Any], numbers: Mapping[int, int], source: Path, pictures: Path
) -> tuple[list[BoxedPicture], int]:
    """Return the pictures in the order of the file, and how many boxes were left out."""
    boxes: dict[Any, list[tuple[float, ...]]] = {}
    sizes: dict[Any, tuple[int, int]] = {}
    for row in described["images"]:
        size = _size(row, source)
        if row["id"] in sizes:
            raise LoadError(
                f"{source.name!r} lists picture {row['id']!r} twice; export the annotations again."
            )
        sizes[row["id"]] = size
    left_out = 0
    for place, row in enumerate(described["annotations"]):
        key, category, box = row.get("image_id"), row.get("category_id"), row.get("bbox")
        where = f"Annotation {place} of {source.name!r}"
        is_listed = isinstance(key, IDS) and key in sizes
        if not is_listed or not isinstance(category, int) or category not in numbers:
            what = "category" if is_listed else "picture"
            raise LoadError(
                f"{where} names a {what} that the file does not list; add it, or remove the annotation."
            )
        if row.get("iscrowd") or (_is_box(box) and min(box[2:]) <= 0):
            left_out += 1
            continue
        boxes.setdefault(key, []).append((*_corners(box, sizes[key], where), numbers[category]))
    files = NamedFiles(pictures)
    listed = [
        BoxedPicture(_file(row, files, pictures, source), tuple(boxes.get(row["id"], ())), sizes[row["id"]])
        for row in described["images"]
    ]
    return listed, left_out


def _size(row: Mapping[str, Any], source: Path) -> tuple[int, int]:
    width, height = row.get("width"), row.get("height")
    fits = all(isinstance(side, int) and 0 < side <= FARTHEST for side in (width, height))
    if not fits or not isinstance(row.get("id"), IDS):
        raise LoadError(
            f"Each picture of {source.name!r} needs 'id', 'file_name', 'width' and 'height' in whole pixels, "
            f"got {str(dict(row))[:120]}."
        )
    return width, height  # type: ignore[return-value]


def _file(row: Mapping[str, Any], files: NamedFiles, pictures: Path, source: Path) -> str:
    name = row.get("file_name")
    path = files.path(name) if isinstance(name, str) else None
    if path is None:
        raise LoadError(
            f"Picture {class_name(name)!r} of {source.name!r} is not in {pictures.name}/; put it there."
        )
    return path


def _is_box(box: object) -> bool:
    return (
        isinstance(box, list)
        and len(box) == 4
        and all(isinstance(n, int | float) and abs(n) <= FARTHEST for n in box)
    )


def _corners(box: Any, size: tuple[int, int], where: str) -> tuple[float, ...]:
    """Return x1, y1, x2, y2 as shares of the picture."""
    if not _is_box(box):
        raise LoadError(f"{where} needs 'bbox', four numbers x, y, width and height, got {str(box)[:60]}.")
    x, y, width, height = box
    corners = x / size[0], y / size[1], (x + width) / size[0], (y + height) / size[1]
    of = f"{where} (in a picture of {size[0]} x {size[1]} pixels)"
    return within(corners, (SLACK / size[0], SLACK / size[1]), of, box)
