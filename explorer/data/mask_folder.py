"""A folder of pictures and one of masks: the class of each pixel."""

import os
from collections.abc import Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from ..errors import LoadError
from ..machine.collector import without_collector
from ..machine.optional_packages import optional
from ..values.samples import Split
from ..values.subject import Normalisation, Task
from .pictures import SUFFIXES, open_picture, stacked
from .pool import HALVES, file_facts, fingerprint
from .reader import Reader, class_name, rule_told

if TYPE_CHECKING:
    from PIL.Image import Image

PICTURES, MASKS = ("images", "pictures"), ("masks", "labels", "annotations")
BLACK_WHITE = {0, 255}


def mask_folders(folder: Path) -> tuple[Path, Path] | None:
    """The folders of pictures and of masks inside a folder; None where it has no such two."""
    found = [next((folder / n for n in names if (folder / n).is_dir()), None) for names in (PICTURES, MASKS)]
    pictures, masks = found
    return (pictures, masks) if pictures is not None and masks is not None else None


def mask_task(
    folder: Path, places: tuple[Path, Path], reader: Reader, samples: int, rule: Normalisation
) -> Task:
    """Pictures with their masks, by name, in a seeded order; measured by mean IoU.

    Masks are pictures of one channel whose numbers are classes, 255 where a pixel counts for nothing; black
    and white ones are yes and no.

    Raises:
        LoadError: a picture has no mask; once it is read, a mask is of another size, or holds no classes.
    """
    with without_collector():  # millions of names stay
        pictures, masks = _pairs(*places)
    order = torch.randperm(len(pictures), generator=torch.Generator().manual_seed(0)).tolist()
    middle = (len(order) + 1) // 2
    halves = {"tuning": order[:middle][:samples], "held_out": order[middle:][:samples]}

    def load_split(name: str) -> Split | None:
        chosen = halves.get(name)
        if not chosen:
            return None
        return _read([(pictures[place], masks[place]) for place in chosen], reader)

    both = chain.from_iterable(zip(pictures, masks, strict=True))
    facts = chain(file_facts(both, folder), [reader.shape, rule, samples])
    return Task(
        f"folder:{folder.resolve().name}",
        reader.shape,
        load_split=load_split,
        normalisation=rule,
        note=HALVES,
        source=str(folder),
        fingerprint=fingerprint(facts),
        how=(
            f"{len(pictures):,} pictures have masks of the same name.",
            rule_told(rule, is_bytes=True, is_given=False),
        ),
        metric="mean_iou",
    )


def _pairs(folder: Path, mask_folder: Path) -> tuple[list[str], list[str]]:
    """Return the paths of the pictures and of their masks."""
    own = dict(zip(*_names(mask_folder), strict=True))
    stems, names = _names(folder)
    lonely = next((name for stem, name in zip(stems, names, strict=True) if stem not in own), None)
    if lonely is not None or not names:
        what = f"{class_name(lonely)!r} has no mask" if lonely else "there are no pictures"
        raise LoadError(
            f"In {folder.parent.name!r} {what}; put a mask of the same name into {mask_folder.name}/."
        )
    start, mask_start = str(folder / "x")[:-1], str(mask_folder / "x")[:-1]
    return [start + name for name in names], [mask_start + own[stem] for stem in stems]


def _names(folder: Path) -> tuple[list[str], list[str]]:
    """Return the pictures' names without their endings, and with them; in order. There may be a million."""
    names = [name for name in os.listdir(folder) if name.lower().endswith(SUFFIXES)]  # noqa: PTH208
    names.sort()
    return [name.rpartition(".")[0] for name in names], names


def _read(chosen: Sequence[tuple[str, str]], reader: Reader) -> Split:
    """Inputs (n, channels, height, width) uint8 and masks (n, height, width) uint8."""
    as_mask = replace(
        reader, shape=(1, *reader.shape[1:]), preset=replace(reader.preset, interpolation="nearest")
    )
    places = range(len(chosen))

    def opened(place: int, which: int) -> "Image":
        path = chosen[place][which]
        return open_picture(path, Path(path).name)

    def mask(place: int) -> "Image":
        picture, labels = opened(place, 0), opened(place, 1)
        if picture.size != labels.size:
            name = class_name(Path(chosen[place][1]).name)
            raise LoadError(
                f"Mask {name!r} is {labels.width} x {labels.height}, but "
                f"its picture {picture.width} x {picture.height}; make them of one size."
            )
        return _of_classes(labels, class_name(Path(chosen[place][1]).name))

    pictures = stacked(places, lambda place: opened(place, 0), reader)
    return Split(pictures, _numbers(stacked(places, mask, as_mask)[:, 0]))


def _of_classes(mask: "Image", name: str) -> "Image":
    """Return one channel of class numbers; a mask with a palette holds numbers of colours, which are the
    classes.

    Raises:
        LoadError: it has colours, numbers that are no classes, or a format that blurs them.
    """
    if mask.format == "JPEG":
        raise LoadError(f"Mask {name!r} is a JPEG, which blurs the classes of pixels; save masks as PNG.")
    values = np.asarray(mask)
    if values.ndim == 3:  # the last channel of LA, PA and RGBA is how opaque a pixel is
        values = values[..., : len(mask.getbands()) - ("A" in mask.getbands())]
        if (values != values[..., :1]).any():
            raise LoadError(
                f"Mask {name!r} has colours, but the number of a pixel is its class; save masks with one "
                "channel or with a palette."
            )
        values = values[..., 0]
    with np.errstate(invalid="ignore"):  # what does not fit is said below
        whole = values.astype(np.uint8)
    if values.dtype != bool and (whole != values).any():
        raise LoadError(f"Mask {name!r} must hold whole numbers from 0 to 255, one for each class.")
    return optional("PIL.Image").fromarray(whole * 255 if mask.mode == "1" else whole)


def _numbers(masks: Tensor) -> Tensor:
    """Black and white as 0 and 1."""
    seen = set(masks.unique().tolist())
    return (masks == 255).to(torch.uint8) if 255 in seen and seen <= BLACK_WHITE else masks
