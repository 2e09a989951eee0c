"""A folder of pictures with a subfolder for each class."""

from pathlib import Path

from ..errors import LoadError
from ..registry import DATA
from ..values.subject import Task
from .class_order import class_order
from .mask_folder import mask_folders, mask_task
from .pictures import SUFFIXES, check_pictures, depths, open_picture, sound, stacked
from .pool import HALVES, Pool, as_targets, file_facts, fingerprint, halves, split_reader
from .reader import ANY, Reader, check_request, class_name, normalisation, rule_told

TRAINING, TUNING, HELD_OUT = (
    ("train", "training"),
    ("val", "valid", "validation", "tuning"),
    ("test", "held_out"),
)


def _folders(folder: Path) -> list[Path]:
    try:
        inside = list(folder.iterdir())
    except OSError as error:
        raise LoadError(
            f"Folder {str(folder)!r} cannot be read ({error.strerror}); give the path of one."
        ) from error
    return sorted(path for path in inside if path.is_dir() and not _is_hidden(path.name))


def _is_hidden(name: str) -> bool:
    """Whether systems hide a file or folder of that name, such as "._1.jpg" on a Mac."""
    return name.startswith(".") or name == "__MACOSX"


def _inside(folder: Path, names: tuple[str, ...]) -> Path | None:
    return next((folder / name for name in names if (folder / name).is_dir()), None)


def _files(folder: Path) -> dict[str, list[Path]]:
    """Return the pictures of each class, both sorted by name.

    Raises:
        LoadError: no class has a picture, or two names differ only in characters that cannot be shown.
    """
    classes: dict[str, list[Path]] = {}
    for path in _folders(folder):
        pictures = sorted(p for p in path.rglob("*") if is_picture(p, path))
        if pictures and classes.setdefault(class_name(path.name), pictures) is not pictures:
            raise LoadError(
                f"Two classes in {folder.name!r} are both called {class_name(path.name)!r}; rename one of "
                "them."
            )
    if not classes:
        raise LoadError(
            f"{str(folder)!r} has no subfolders with pictures in them; it takes one subfolder for each class."
        )
    return classes


def is_picture(path: Path, folder: Path) -> bool:
    """Whether it is a picture by its name, and neither it nor a folder above it is hidden."""
    hidden = any(map(_is_hidden, path.relative_to(folder).parts))
    return not hidden and path.suffix.lower() in SUFFIXES and path.is_file()


def roles_of(folder: Path) -> dict[str, Path]:
    """Return the folder of each split; "both" is to be halved.

    Raises:
        LoadError: there are only training pictures.
    """
    parts = {
        "training": _inside(folder, TRAINING),
        "tuning": _inside(folder, TUNING),
        "held_out": _inside(folder, HELD_OUT),
    }
    roles = {role: path for role, path in parts.items() if path is not None}
    if set(roles) == {"training"}:
        told = "data that a model was trained on says little about its accuracy"
        raise LoadError(
            f"{str(folder)!r} has {roles['training'].name}/ but neither val/ nor test/; add one, since "
            f"{told}."
        )
    if not roles:
        return {"both": folder}
    if "tuning" in roles and "held_out" in roles:
        return roles
    return {"training" if role == "training" else "both": path for role, path in roles.items()}


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
    """A folder of pictures with a subfolder for each class; or with train/, val/ and test/ that hold such
    subfolders; or with images/ and masks/, for models that give each pixel a class.

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
        return mask_task(folder, places, reader, samples, normalisation(reader, mean, std))
    listed = {role: _files(place) for role, place in roles_of(folder).items()}
    how = []
    if skip_damaged:
        listed, told = _without_damaged(listed, folder)
        how.append(told)
    names = sorted(set().union(*listed.values()))
    order = class_order(names, reader, classes)
    number = dict(zip(names, order.places, strict=True))
    every = [file for found in listed.values() for files in found.values() for file in files]
    rule = normalisation(reader, mean, std)
    how += [order.sentence, rule_told(rule, is_bytes=True, is_given=bool(mean or std))]
    how += [f"Pictures of {kind} are scaled to bytes by the range of their type." for kind in depths(every)]
    pools = {role: _pool(found, number, reader) for role, found in listed.items()}
    if "both" in pools:
        pools |= halves(pools.pop("both"))
    facts = [*file_facts(every, folder), reader.shape, reader.preset, rule, order.names, samples]
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


Listed = dict[str, dict[str, list[Path]]]  # split -> class -> pictures


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
    return left, f"{more} left out, such as {class_name(damaged[0].relative_to(folder))}."


def _pool(found: dict[str, list[Path]], number: dict[str, int], reader: Reader) -> Pool:
    files = [file for pictures in found.values() for file in pictures]
    targets = as_targets(number[name] for name, pictures in found.items() for _ in pictures)

    def read(place):
        return open_picture(files[place], str(files[place]))

    return Pool(targets, lambda chosen: stacked(chosen.tolist(), read, reader))
