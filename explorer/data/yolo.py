"""Pictures with boxes in text files, one for each picture, as YOLO reads them (Redmon et al. 2016,
arXiv:1506.02640).
"""

import math
import re
from itertools import takewhile
from pathlib import Path

from ..errors import LoadError
from ..machine.bounded_file import read_bounded
from ..registry import DATA
from ..values.subject import Task
from .boxed_pictures import BoxedPicture, BoxedPictures, BoxedSet, boxed_task, inside, outside
from .class_folders import files_in, roles_of
from .pictures import SUFFIXES, check_pictures
from .reader import ANY, Reader, check_request, class_name

MAX_BYTES = 64 * 1024**2
SLACK = 0.01  # shares of a picture that a box may reach outside, by rounding
PICTURES, LABELS, LISTED = "images", "labels", ("data.yaml", "data.yml", "classes.txt")
LAST_CLASS = 99_999  # without names; each number up to the largest one is a class
COLUMNS = "class number, x and y of the centre, width and height, as shares of the picture"
QUOTES = "\"' "


@DATA.register("yolo", rank=15, place="PATH", local_only=True)
def yolo(path: str = "", reader: Reader = ANY, *, samples: int = 2000) -> Task:
    """A folder with images/ and labels/, for models that find boxes: a text file for each picture, with a
    line for each box: class number, centre, width and height, as shares of the picture.

    Pictures without a text file have no boxes. Both folders may hold train/, val/ and test/, or these may
    hold both. Names are those of data.yaml or classes.txt.

    Args:
        path: of the folder.
        reader: the model that the pictures are for; they are stretched to its size, and boxes with them.
        samples: maximum number per split.
    Raises:
        LoadError: a folder is missing, a line is not of that form, or a box is outside its picture.
    """
    check_request("yolo:PATH", path, samples)
    check_pictures(reader)
    folder = Path(path).expanduser()
    names, source = _names(folder)
    listed = {role: _listed(*places, names) for role, places in _places(folder).items()}
    pictures = {role: [picture for picture, _ in part] for role, part in listed.items()}
    empty = sum(without for part in listed.values() for _, without in part)
    every = [box for part in pictures.values() for one in part for box in one.boxes]
    known = names or tuple(map(str, range(1 + max((int(box[4]) for box in every), default=0))))
    gone = f"{empty:,} without an area" if empty else ""
    columns = {role: BoxedPictures.of(part) for role, part in pictures.items()}
    boxed = BoxedSet("yolo", folder, columns, known, gone, (source,) if source else ())
    return boxed_task(boxed, reader, samples, [one.boxes for part in pictures.values() for one in part])


def _places(folder: Path) -> dict[str, tuple[Path, Path]]:
    """Return role of a split -> folders of pictures and of labels."""
    if (folder / PICTURES).is_dir():
        inside = roles_of(folder / PICTURES)
        places = {
            role: (one, folder / LABELS / one.relative_to(folder / PICTURES)) for role, one in inside.items()
        }
    else:
        inside = roles_of(folder)
        places = {role: (one / PICTURES, one / LABELS) for role, one in inside.items()}
    for pair in places.values():
        for one in pair:
            if not one.is_dir():
                raise LoadError(
                    f"There is no folder {str(one)!r}; put pictures into {PICTURES}/ and text files of the "
                    f"same names into {LABELS}/."
                )
    return places


def _listed(images: Path, labels: Path, names: tuple[str, ...]) -> list[tuple[BoxedPicture, int]]:
    """Return the pictures, sorted by name, each with how many boxes without an area were left out."""
    found = files_in(images, SUFFIXES)
    if not found:
        raise LoadError(f"There are no pictures in {str(images)!r}; put them there.")
    listed = []
    for picture in found:
        boxes = _boxes(labels / Path(picture).relative_to(images).with_suffix(".txt"), names)
        real = tuple(box for box in boxes if box[0] < box[2] and box[1] < box[3])
        listed.append((BoxedPicture(picture, real), len(boxes) - len(real)))
    return listed


def _text(path: Path) -> str:
    try:
        return read_bounded(path, MAX_BYTES).decode("utf-8-sig")
    except OSError as error:
        raise LoadError(f"{path.name!r} cannot be read ({error.strerror}); check the path.") from error
    except UnicodeDecodeError as error:
        raise LoadError(f"{path.name!r} is not text in UTF-8; export the annotations again.") from error


def _boxes(file: Path, names: tuple[str, ...]) -> list[tuple[float, ...]]:
    """Return x1, y1, x2, y2 as shares of the picture, and label, of each line; none without a file."""
    if not file.is_file():
        return []
    lines = enumerate(_text(file).splitlines(), 1)
    return [
        _box(line.split(), f"Line {number} of {file.name!r}", names) for number, line in lines if line.strip()
    ]


def _box(cells: list[str], where: str, names: tuple[str, ...]) -> tuple[float, ...]:
    if len(cells) != 5:
        raise LoadError(f"{where} has {len(cells)} columns instead of 5: {COLUMNS}.")
    try:
        label, x, y, width, height = map(float, cells)
    except ValueError:
        label = math.nan
    if not math.isfinite(label) or not all(map(math.isfinite, (x, y, width, height))):
        raise LoadError(f"{where} must hold numbers, got {' '.join(cells)[:60]!r}.")
    last = len(names) - 1 if names else LAST_CLASS
    if not label.is_integer() or not 0 <= label <= last:
        most = f" to {last:,}" if names or label > last else ""
        raise LoadError(f"{where} has the class {cells[0][:20]}; classes are whole numbers from 0{most}.")
    if width < 0 or height < 0:
        raise LoadError(f"{where} has a width or height below 0; correct it.")
    corners = x - width / 2, y - height / 2, x + width / 2, y + height / 2
    found = inside(corners, (SLACK, SLACK))
    if found is None:
        raise outside(where, " ".join(cells[1:]))
    return (*found, label)


# --------------------------------------------------------------------------- names


def _names(folder: Path) -> tuple[tuple[str, ...], Path | None]:
    """Return the names of the classes, and the file that they are in; () if there is none.

    Raises:
        LoadError: the file holds no names.
    """
    for name in LISTED:
        file = folder / name
        if file.is_file():
            names = _in_lines(_text(file)) if file.suffix == ".txt" else _in_yaml(_text(file))
            if not names:
                raise LoadError(
                    f"{file.name!r} has no names of classes; write them as names: [cat, dog], or one on each "
                    "line of classes.txt."
                )
            return tuple(map(class_name, names)), file
    return (), None


def _in_lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


def _in_yaml(text: str) -> list[str]:
    """Return what follows "names:", in any of the three ways in which it is written; a number without a name
    is its own.

    >>> _in_yaml("nc: 2\\nnames: ['cat', dog]  # pets")
    ['cat', 'dog']
    >>> _in_yaml("names:\\n  0: cat\\n  2: dog\\nnc: 2"), _in_yaml("names:\\n- cat\\n- dog\\n")
    (['cat', '1', 'dog'], ['cat', 'dog'])
    """
    lines = [re.sub(r"(^|\s)#.*", "", line).rstrip() for line in text.splitlines()]
    start = next((place for place, line in enumerate(lines) if line.startswith("names:")), None)
    if start is None:
        return []
    first = lines[start].removeprefix("names:").strip()
    if first:
        inside = re.split(r"[\]}]", " ".join([first, *lines[start + 1 :]]))[0]
        return _numbered(inside.lstrip("[{ ").split(","))
    block = takewhile(lambda line: not line or line.startswith((" ", "-")), lines[start + 1 :])
    return _numbered([line.strip().removeprefix("-") for line in block])


def _numbered(entries: list[str]) -> list[str]:
    """Return names in the order of their numbers, if they have some."""
    names: dict[int, str] = {}
    for entry in filter(str.strip, entries):
        form = re.match(r"\s*(\d{1,5})\s*:\s", entry)
        names[int(form[1]) if form else len(names)] = entry[form.end() if form else 0 :].strip(QUOTES)
    return [names.get(number, str(number)) for number in range(max(names, default=-1) + 1)]
