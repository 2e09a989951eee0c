"""Data sets of torchvision that are already on disk; nothing is downloaded."""

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..errors import LoadError, UnknownNameError
from ..machine.optional_packages import torchvision
from ..registry import DATA
from ..values.subject import Task
from .class_order import ClassOrder, class_order
from .pictures import check_pictures, stacked
from .pool import HALVES, Pool, as_targets, file_facts, fingerprint, halves, split_reader
from .reader import ANY, Reader, check_request, class_name, picture_rule, rule_told

# name -> arguments of the training pictures, and of the others
KNOWN: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    **dict.fromkeys(
        ("CIFAR10", "CIFAR100", "MNIST", "FashionMNIST", "KMNIST"), ({"train": True}, {"train": False})
    ),
    **dict.fromkeys(("Food101", "STL10", "GTSRB", "DTD"), ({"split": "train"}, {"split": "test"})),
    "OxfordIIITPet": ({"split": "trainval"}, {"split": "test"}),
}
TARGETS = ("targets", "labels", "_labels")  # where torchvision's classes keep the class numbers
UNREADABLE = (
    RuntimeError,
    OSError,
    ValueError,
    KeyError,
    IndexError,
    EOFError,
    TypeError,
    ImportError,
    pickle.UnpicklingError,
)


@DATA.register("torchvision", rank=12, place="NAME@PATH", local_only=True)
def torchvision_set(
    place: str = "",
    reader: Reader = ANY,
    *,
    samples: int = 5000,
    mean: str = "",
    std: str = "",
    classes: str = "",
) -> Task:
    """A data set of torchvision that is already on your disk, such as CIFAR10@PATH.

    Args:
        place: its name, @, and the folder that torchvision calls `root`.
        reader: the model that the pictures are for.
        samples: maximum number per split.
        mean, std: of the channels, from 0 to 1, instead of the model's own.
        classes: all names in the model's order, separated by commas, or a text file with one per line.
    Raises:
        UnknownNameError: no such data set.
        LoadError: it is not there, or damaged (torchvision compares checksums before it opens the pickles of
            CIFAR).
    """
    name, _, path = place.partition("@")
    check_request("torchvision:CIFAR10@PATH", path, samples)
    if name not in KNOWN:
        raise UnknownNameError("data set of torchvision", name, KNOWN)
    check_pictures(reader)
    training, other = (_opened(name, path, arguments) for arguments in KNOWN[name])
    order = _classes(other, reader, classes)
    names, number = order.names, order.places
    pools = {"training": _pool(training, number, reader), **halves(_pool(other, number, reader))}
    rule = picture_rule(reader, mean, std)
    folder = Path(path).expanduser()
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    facts = [name, *file_facts(files, folder), reader.shape, reader.preset, rule, names, samples]
    return Task(
        name,
        reader.shape,
        names,
        split_reader(pools, samples),
        rule,
        note=HALVES,
        source=f"torchvision {name}",
        fingerprint=fingerprint(facts),
        how=(order.sentence, rule_told(rule, is_bytes=True, is_given=bool(mean or std))),
    )


def _opened(name: str, path: str, arguments: dict[str, Any]) -> Any:
    """Open one part of the data set from the disk.

    Raises:
        LoadError: torchvision does not find it, or finds it damaged.
    """
    make: Callable[..., Any] = getattr(torchvision().datasets, name)
    try:
        return make(str(Path(path).expanduser()), **arguments)
    except UNREADABLE as error:
        told = " ".join(str(error).split())[:200]
        way = "get it first, nothing is downloaded here."
        raise LoadError(f"Data set {name!r} was not found whole in {path!r} ({told}); {way}") from error


def _targets(dataset: Any) -> list[int]:
    found = next((getattr(dataset, name) for name in TARGETS if hasattr(dataset, name)), None)
    if found is None:
        found = [target for _, target in dataset._samples]
    return [int(target) for target in found]


def _classes(dataset: Any, reader: Reader, given: str) -> ClassOrder:
    listed = getattr(dataset, "classes", None) or [
        str(number) for number in range(max(_targets(dataset)) + 1)
    ]
    names = [class_name(entry[0] if isinstance(entry, tuple) else entry) for entry in listed]
    return class_order(names, reader, given, "Classes are numbered as torchvision numbers them.")


def _pool(dataset: Any, number: tuple[int, ...], reader: Reader) -> Pool:
    targets = as_targets(number[target] for target in _targets(dataset))
    return Pool(
        targets, lambda chosen: stacked(chosen.tolist(), lambda place: _picture(dataset, place), reader)
    )


def _picture(dataset: Any, place: int) -> Any:
    try:
        return dataset[place][0]
    except UNREADABLE as error:
        raise LoadError(
            f"Picture {place} of {type(dataset).__name__!r} cannot be read; get the data set again."
        ) from error
