"""A folder of pictures with a subfolder for each class."""

import os
from itertools import chain
from pathlib import Path

from ..errors import LoadError
from ..registry import DATA
from ..values.subject import Task
from .class_folders import classes_of, loose_files, roles_of
from .class_order import class_order
from .loose_pictures import loose_pictures
from .mask_folder import mask_folders, mask_task
from .pictures import SUFFIXES, check_pictures, depths, open_picture, sound, stacked
from .pool import HALVES, Pool, as_targets, file_facts, fingerprint, halves, split_reader
from .reader import ANY, Reader, check_request, class_name, picture_rule, rule_told


@DATA.register("folder", rank=10, place="PATH", local_only=True)
def image_folder(
    path: str = "",
    reader: Reader = ANY,
    *,
    samples: int = 2000,
    mean: str = "",
    std: str = "",
    classes: str = "",
    skip_damaged: int = 0,
) -> Task:
    """A folder of pictures with a subfolder for each class, perhaps below train/, val/ and test/; with
    images/ and masks/, for a class of each pixel; or without labels, for agreement.

    Args:
        path: of the folder.
        reader: the model that the pictures are for.
        samples: maximum number per split.
        mean, std: of the channels, from 0 to 1, instead of the model's own.
        classes: all names in the model's order, separated by commas, or a text file with one per line.
        skip_damaged: 1 leaves pictures out that cannot be read.
    Raises:
        LoadError: there are no pictures, or the model does not read any.
    """
    check_request("folder:PATH", path, samples)
    check_pictures(reader)
    if skip_damaged not in (0, 1):
        raise LoadError(f"Option 'skip_damaged' must be 0 or 1, got {skip_damaged}.")
    folder = Path(path).expanduser()
    if (places := mask_folders(folder)) is not None:
        return mask_task(folder, places, reader, samples, picture_rule(reader, mean, std))
    if loose := loose_files(folder, SUFFIXES):
        sentences: tuple[str, ...] = ()
        if skip_damaged:
            left, sentence = _without_damaged({"both": {"": loose}}, folder)
            loose, sentences = left["both"][""], (sentence,)
        rule = picture_rule(reader, mean, std)
        sentences += (rule_told(rule, is_bytes=True, is_given=bool(mean or std)),)
        return loose_pictures(folder, loose, reader, samples, rule, sentences)
    listed = {role: classes_of(place, SUFFIXES, "pictures") for role, place in roles_of(folder).items()}
    how = []
    if skip_damaged:
        listed, told = _without_damaged(listed, folder)
        how.append(told)
    names = sorted(set().union(*listed.values()))
    order = class_order(names, reader, classes)
    number = dict(zip(names, order.places, strict=True))
    every = [file for found in listed.values() for files in found.values() for file in files]
    rule = picture_rule(reader, mean, std)
    how += [order.sentence, rule_told(rule, is_bytes=True, is_given=bool(mean or std))]
    how += [f"Pictures of {kind} are scaled to bytes by the range of their type." for kind in depths(every)]
    pools = {role: _pool(found, number, reader) for role, found in listed.items()}
    if "both" in pools:
        pools |= halves(pools.pop("both"))
    facts = chain(
        file_facts(every, folder), [reader.shape, reader.preset, rule, order.names, samples]
    )  # never a million of them at once
    return Task(
        f"folder:{folder.resolve().name}",
        reader.shape,
        order.names,
        split_reader(pools, samples),
        rule,
        note=HALVES if "training" not in pools or len(listed) < len(pools) else "",
        source=str(folder),
        fingerprint=fingerprint(facts),
        how=tuple(how),
    )


Listed = dict[str, dict[str, list[str]]]  # split -> class -> pictures


def _without_damaged(listed: Listed, folder: Path) -> tuple[Listed, str]:
    """Leave out the pictures that cannot be decoded, and return a sentence that names them.

    Raises:
        LoadError: no picture is left.
    """
    every = [file for classes in listed.values() for files in classes.values() for file in files]
    damaged = [file for file, is_whole in zip(every, sound(every), strict=True) if not is_whole]
    gone = set(damaged)
    left = {
        role: {name: kept for name, files in classes.items() if (kept := [f for f in files if f not in gone])}
        for role, classes in listed.items()
    }
    left = {role: classes for role, classes in left.items() if classes}
    if not left:
        raise LoadError(f"Every picture in {str(folder)!r} is damaged or of no known format.")
    if not damaged:
        return left, "No picture is damaged."
    more = f"{len(damaged):,} damaged pictures were" if len(damaged) > 1 else "One damaged picture was"
    return left, f"{more} left out, such as {class_name(os.path.relpath(damaged[0], folder))}."


def _pool(found: dict[str, list[str]], number: dict[str, int], reader: Reader) -> Pool:
    files = [file for pictures in found.values() for file in pictures]
    targets = as_targets(number[name] for name, pictures in found.items() for _ in pictures)

    def read(place):
        return open_picture(files[place], files[place])

    return Pool(targets, lambda chosen: stacked(chosen.tolist(), read, reader))
