"""Folders with a subfolder for each class, perhaps inside folders for each split."""

import contextlib
import os
from collections.abc import Iterator
from operator import attrgetter
from pathlib import Path

from ..errors import LoadError
from .reader import class_name

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


def classes_of(folder: Path, suffixes: tuple[str, ...], things: str) -> dict[str, list[str]]:
    """Return the paths of the files of each class, both sorted by name.

    Args:
        suffixes: of the files.
        things: what they are, in the plural.

    Raises:
        LoadError: no class has a file, or two names differ only in characters that cannot be shown.
    """
    classes: dict[str, list[str]] = {}
    for path in _folders(folder):
        files = files_in(path, suffixes)
        if files and classes.setdefault(class_name(path.name), files) is not files:
            raise LoadError(
                f"Two classes in {folder.name!r} are both called {class_name(path.name)!r}; rename one of "
                "them."
            )
    if not classes:
        raise LoadError(
            f"{str(folder)!r} has no subfolders with {things} in them; it takes one subfolder for each class."
        )
    return classes


def files_in(folder: Path, suffixes: tuple[str, ...]) -> list[str]:
    """Return the paths of files with these endings in a folder and those inside it, sorted; nothing hidden.

    Of a million files, each is looked at once, by what its folder says of it. Paths are texts, since as many
    `Path`s take five times the memory, and longer than all else.
    """
    return list(_walked(str(folder), suffixes))


def _walked(folder: str, suffixes: tuple[str, ...]) -> Iterator[str]:
    with contextlib.suppress(PermissionError), os.scandir(folder) as entries:
        for entry in sorted(entries, key=attrgetter("name")):
            if _is_hidden(entry.name):
                continue
            if entry.is_dir(follow_symlinks=False):
                yield from _walked(entry.path, suffixes)
            elif entry.name.lower().endswith(suffixes) and entry.is_file():
                yield entry.path


def loose_files(folder: Path, suffixes: tuple[str, ...]) -> list[str]:
    """Return the files of a folder that has none in subfolders; otherwise nothing."""
    files = files_in(folder, suffixes) if folder.is_dir() else []
    return files if all(Path(file).parent == folder for file in files) else []


def roles_of(folder: Path) -> dict[str, Path]:
    """Return the folder of each split; "both" is to be halved.

    Raises:
        LoadError: there is only training data.
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
