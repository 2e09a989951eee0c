"""A folder of pictures without classes: inputs alone, for agreement with the dense model."""

from pathlib import Path

from ..values.subject import Normalisation, Task
from .any_targets import UNLABELLED, metrics_without_targets
from .pictures import depths, open_picture, stacked
from .pool import HALVES, Pool, as_targets, file_facts, fingerprint, halves, inputs_reader
from .reader import Reader


def loose_pictures(
    folder: Path,
    files: list[str],
    reader: Reader,
    samples: int,
    rule: Normalisation,
    sentences: tuple[str, ...],
) -> Task:
    """Return the task of these pictures.

    Args:
        rule: how they are normalised.
        sentences: what is to be said of that.
    """

    def read(place: int):
        return open_picture(files[place], files[place])

    every = Pool(as_targets([0] * len(files)), lambda chosen: stacked(chosen.tolist(), read, reader))
    scaled = [f"Pictures of {kind} are scaled to bytes by the range of their type." for kind in depths(files)]
    return Task(
        f"folder:{folder.resolve().name}",
        reader.shape,
        load_split=inputs_reader(halves(every), samples),
        normalisation=rule,
        note=HALVES,
        source=str(folder),
        fingerprint=fingerprint([*file_facts(files, folder), reader.shape, reader.preset, rule, samples]),
        how=(UNLABELLED, *sentences, *scaled),
        metric=metrics_without_targets(reader),
    )
