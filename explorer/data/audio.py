"""A folder of sounds, perhaps with a subfolder for each class: WAV files of 16 bits, read by Python's own
module.
"""

import wave
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..errors import LoadError
from ..registry import DATA
from ..values.subject import Normalisation, Task
from .any_targets import UNLABELLED, metrics_without_targets
from .class_folders import classes_of, loose_files, roles_of
from .class_order import class_order
from .pool import HALVES, Pool, as_targets, file_facts, fingerprint, halves, inputs_reader, split_reader
from .reader import ANY, Reader, check_request, class_name
from .resampling import needed, resampled

SUFFIXES = (".wav", ".wave")
SIXTEEN_BITS, LOUDEST = 2, 32768
MOST_BYTES = 2**31  # of the sounds of a split
LEAST_RATE, MOST_RATE = 100, 1_000_000  # samples a second


@dataclass(frozen=True)
class Sound:
    """What the header of a WAV file says.

    Args:
        rate: samples a second. length: samples of one channel.
    """

    path: Path
    rate: int
    channels: int
    length: int


@DATA.register("audio", rank=16, place="PATH", local_only=True)
def audio(
    path: str = "", reader: Reader = ANY, *, samples: int = 2000, rate: int = 0, classes: str = ""
) -> Task:
    """A folder of sounds (WAV, 16 bits) with a subfolder for each class, or with train/, val/ and test/ that
    hold such subfolders; sounds outside of subfolders have no labels.

    Args:
        path: of the folder. Channels are averaged; longer sounds are cut, shorter ones padded with silence.
        reader: the model that the sounds are for; it reads (samples,) or (1, samples) from -1 to 1.
        samples: maximum number per split.
        rate: samples a second that the model reads; sounds of other rates are resampled. 0: as its file says
            (`sampling_rate`), or else any, if it is the same for all files.
        classes: all names in the model's order, separated by commas, or a text file with one per line.
    Raises:
        LoadError: there are no sounds, or not of one rate, or the model does not read such.
    """
    check_request("audio:PATH", path, samples)
    if len(reader.shape) > 2 or (len(reader.shape) == 2 and reader.shape[0] != 1) or reader.whole:
        raise LoadError(
            f"The model reads inputs of shape {reader.shape}, not sounds of shape (samples,) or (1, "
            "samples); bring its inputs as npz:FILE."
        )
    folder = Path(path).expanduser()
    loose = loose_files(folder, SUFFIXES)
    if loose:
        return _unlabelled(folder, loose, reader, samples, rate)
    listed = {role: classes_of(place, SUFFIXES, "WAV files") for role, place in roles_of(folder).items()}
    every = [file for by_class in listed.values() for files in by_class.values() for file in files]
    sounds = {file: _header(Path(file)) for file in every}
    wanted = _rate(list(sounds.values()), rate or reader.preset.rate)
    names = sorted(set().union(*listed.values()))
    order = class_order(names, reader, classes)
    number = dict(zip(names, order.places, strict=True))
    pools = {}
    for role, by_class in listed.items():
        targets = as_targets(number[name] for name, files in by_class.items() for _ in files)
        found = [sounds[file] for files in by_class.values() for file in files]
        pools[role] = _pool(found, targets, reader, wanted)
    if "both" in pools:
        pools |= halves(pools.pop("both"))
    return Task(
        f"audio:{folder.resolve().name}",
        reader.shape,
        order.names,
        split_reader(pools, samples),
        Normalisation(1 / LOUDEST),
        note=HALVES if "training" not in pools or len(listed) < len(pools) else "",
        source=str(folder),
        fingerprint=fingerprint([*file_facts(every, folder), reader.shape, order.names, samples, wanted]),
        how=(order.sentence, *_told(list(sounds.values()), reader.shape[-1], wanted)),
    )


def _unlabelled(folder: Path, files: list[str], reader: Reader, samples: int, rate: int) -> Task:
    sounds = [_header(Path(file)) for file in files]
    wanted = _rate(sounds, rate or reader.preset.rate)
    pools = halves(_pool(sounds, as_targets([0] * len(sounds)), reader, wanted))
    return Task(
        f"audio:{folder.resolve().name}",
        reader.shape,
        load_split=inputs_reader(pools, samples),
        normalisation=Normalisation(1 / LOUDEST),
        note=HALVES,
        source=str(folder),
        fingerprint=fingerprint([*file_facts(files, folder), reader.shape, samples, wanted]),
        how=(UNLABELLED, *_told(sounds, reader.shape[-1], wanted)),
        metric=metrics_without_targets(reader),
    )


def _header(path: Path) -> Sound:
    try:
        with wave.open(str(path), "rb") as file:
            header = file.getparams()
    except (OSError, EOFError, wave.Error) as error:
        why = str(error) or "it ends too early"
        raise LoadError(
            f"Sound {class_name(path.name)!r} is damaged or not plain PCM ({why}); "
            "convert it to a WAV file of 16 bits."
        ) from error
    if header.sampwidth != SIXTEEN_BITS:
        raise LoadError(
            f"Sound {class_name(path.name)!r} has {8 * header.sampwidth} bits; convert it to 16 bits."
        )
    if not header.nframes:
        raise LoadError(f"Sound {class_name(path.name)!r} is empty; remove it.")
    return Sound(path, header.framerate, header.nchannels, header.nframes)


def _rate(sounds: list[Sound], wanted: int) -> int:
    """Return the rate at which all sounds are read.

    Raises:
        LoadError: there are several, and nothing says which one the model reads; or one is out of range.
    """
    rate = wanted or sounds[0].rate
    for sound in sounds:
        if sound.rate != rate and not wanted:
            raise LoadError(
                f"Sound {class_name(sound.path.name)!r} has {sound.rate:,} samples a second, but "
                f"{class_name(sounds[0].path.name)!r} has {rate:,}; say which rate the model reads, as "
                "?rate=16000 or as sampling_rate = 16000 in its file, and the others are resampled."
            )
    if not LEAST_RATE <= rate <= MOST_RATE:
        raise LoadError(
            f"A rate is from {LEAST_RATE:,} to {MOST_RATE:,} samples a second, got {rate:,}; give the "
            "one that the model was trained on."
        )
    return rate


def _told(sounds: list[Sound], length: int, rate: int) -> list[str]:
    """Return what is done to the sounds, in sentences."""
    lengths = [-(-sound.length * rate // sound.rate) for sound in sounds]
    longer, shorter = (sum(map(test, lengths)) for test in (length.__lt__, length.__gt__))
    others = sorted({sound.rate for sound in sounds} - {rate})
    said = [
        f"Sounds of {rate:,} samples a second are read from -1 to 1; {length / rate:.3g} s of each count."
    ]
    if others:
        many = sum(sound.rate != rate for sound in sounds)
        told = " and ".join(f"{other:,}" for other in others[:3])
        said.append(f"{many:,} of {len(sounds):,} sounds have {told} a second, and are resampled.")
    if longer:
        said.append(f"{longer:,} of {len(sounds):,} sounds are longer, and cut at the end.")
    if shorter:
        said.append(f"{shorter:,} of {len(sounds):,} sounds are shorter, and padded with silence.")
    return said


def _pool(sounds: list[Sound], targets: Tensor, reader: Reader, rate: int) -> Pool:
    def read(chosen: Tensor) -> Tensor:
        length = reader.shape[-1]
        if 2 * len(chosen) * length > MOST_BYTES:
            raise LoadError(
                f"{len(chosen):,} sounds of {length:,} samples need more than 2 GiB; ask for up to "
                f"samples={MOST_BYTES // (2 * length)}."
            )
        waves = torch.zeros(len(chosen), length, dtype=torch.int16)
        for row, number in zip(waves, chosen.tolist(), strict=True):
            values = _read(sounds[number], length, rate)
            row[: len(values)] = torch.from_numpy(values)
        return waves.view(len(chosen), *reader.shape)

    return Pool(targets, read)


def _read(sound: Sound, most: int, rate: int) -> np.ndarray:
    """Return the first samples as (n,) int16, at the rate that is asked for.

    Raises:
        LoadError: as `_samples`.
    """
    if sound.rate == rate:
        return _samples(sound, most)
    values = resampled(_samples(sound, needed(most, sound.rate, rate)), sound.rate, rate)[:most]
    return np.rint(values).clip(-LOUDEST, LOUDEST - 1).astype(np.int16)


def _samples(sound: Sound, most: int) -> np.ndarray:
    """Return the first samples as (n,) int16, the channels averaged.

    Raises:
        LoadError: there are fewer than the header says.
    """
    wanted = min(sound.length, most)
    try:
        with wave.open(str(sound.path), "rb") as file:
            values = np.frombuffer(file.readframes(wanted), "<i2")
    except (OSError, EOFError, wave.Error, ValueError):
        values = np.zeros(0, np.int16)
    if len(values) != wanted * sound.channels:
        raise LoadError(
            f"Sound {class_name(sound.path.name)!r} is shorter than its header says; write it again."
        )
    return np.rint(values.reshape(-1, sound.channels).mean(1)).astype(np.int16)
