"""A folder of pictures with a subfolder for each class."""

from pathlib import Path

from ..errors import LoadError
from ..registry import DATA
from ..values.subject import Task
from .pictures import SUFFIXES, check_pictures, open_picture, stacked
from .pool import HALVES, Pool, as_targets, file_facts, fingerprint, halves, split_reader
from .reader import ANY, Reader, check_request, class_name, match_classes, normalisation

TRAINING, TUNING, HELD_OUT = (
    ("train", "training"),
    ("val", "valid", "validation", "tuning"),
    ("test", "held_out"),
)


def _folders(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    except OSError as error:
        raise LoadError(
            f"Folder {str(folder)!r} cannot be read ({error.strerror}); give the path of one."
        ) from error


def _inside(folder: Path, names: tuple[str, ...]) -> Path | None:
    return next((folder / name for name in names if (folder / name).is_dir()), None)


def _files(folder: Path) -> dict[str, list[Path]]:
    """Class -> its pictures, both sorted by name.

    Raises:
        LoadError: no class has a picture, or two names differ only in what cannot be shown.
    """
    found: dict[str, list[Path]] = {}
    for path in _folders(folder):
        pictures = sorted(p for p in path.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())
        if pictures and found.setdefault(class_name(path.name), pictures) is not pictures:
            raise LoadError(
                f"Two classes in {folder.name!r} are both called {class_name(path.name)!r}; rename one of "
                "them."
            )
    if not found:
        raise LoadError(
            f"{str(folder)!r} has no subfolders with pictures in them; it takes one subfolder for each class."
        )
    return found


def _roles(folder: Path) -> dict[str, Path]:
    """Split -> folder; "both" is to be halved.

    Raises:
        LoadError: there are only training pictures.
    """
    parts = {
        "training": _inside(folder, TRAINING),
        "tuning": _inside(folder, TUNING),
        "held_out": _inside(folder, HELD_OUT),
    }
    found = {role: path for role, path in parts.items() if path is not None}
    if set(found) == {"training"}:
        told = "what a model was trained on says little of its accuracy"
        raise LoadError(
            f"{str(folder)!r} has {found['training'].name}/ but neither val/ nor test/; add one, since "
            f"{told}."
        )
    if not found:
        return {"both": folder}
    if "tuning" in found and "held_out" in found:
        return found
    return {"training" if role == "training" else "both": path for role, path in found.items()}


@DATA.register("folder", rank=10, place="PATH", local_only=True)
def image_folder(
    path: str = "", reader: Reader = ANY, *, samples: int = 2000, mean: str = "", std: str = ""
) -> Task:
    """A folder of pictures with a subfolder for each class; or with train/, val/ and test/ that hold such
    subfolders.

    Args:
        path: of the folder.
        reader: the model that the pictures are for.
        samples: at most so many a split are read.
        mean, std: of the channels, from 0 to 1, instead of the model's own.
    Raises:
        LoadError: there are no pictures, or the model does not read any.
    """
    check_request("folder:PATH", path, samples)
    check_pictures(reader)
    folder = Path(path).expanduser()
    listed = {role: _files(place) for role, place in _roles(folder).items()}
    names = sorted(set().union(*listed.values()))
    places, class_names, told = match_classes(names, reader)
    number = dict(zip(names, places, strict=True))
    pools = {role: _pool(found, number, reader) for role, found in listed.items()}
    notes = [told]
    if "both" in pools:
        pools |= halves(pools.pop("both"))
        notes.append(HALVES)
    rule = normalisation(reader, mean, std)
    every = (file for found in listed.values() for files in found.values() for file in files)
    facts = [*file_facts(every, folder), reader.shape, reader.preset, rule, class_names, samples]
    return Task(
        f"folder:{folder.resolve().name}",
        reader.shape,
        class_names,
        split_reader(pools, samples),
        rule,
        note=" ".join(notes),
        source=str(folder),
        fingerprint=fingerprint(facts),
    )


def _pool(found: dict[str, list[Path]], number: dict[str, int], reader: Reader) -> Pool:
    files = [file for pictures in found.values() for file in pictures]
    targets = as_targets(number[name] for name, pictures in found.items() for _ in pictures)

    def read(place):
        return open_picture(files[place], files[place].name)

    return Pool(targets, lambda chosen: stacked(chosen.tolist(), read, reader))
