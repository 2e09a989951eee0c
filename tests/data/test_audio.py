"""Sounds: WAV files in class folders and arrays with a sampling rate; and what is wrong with them."""

import wave
from pathlib import Path

import numpy as np
import pytest

from explorer.data.resampling import resampled
from explorer.errors import LoadError
from explorer.loaders.model_text import load

RATE, LENGTH = 8000, 400
FILE = f"""
import torch
from torch import nn

def sounds(shape=(1, {LENGTH})):
    layers = nn.Conv1d(1, 4, 9, 4), nn.ReLU(), nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(4, 2)
    model = nn.Sequential(*layers)
    model.input_shape = shape
    return model

def flat():
    model = nn.Sequential(nn.Linear({LENGTH}, 8), nn.ReLU(), nn.Linear(8, 2))
    model.input_shape = ({LENGTH},)
    return model

def pictures():
    model = nn.Sequential(nn.Flatten(), nn.Linear(48, 8), nn.ReLU(), nn.Linear(8, 2))
    model.input_shape = (3, 4, 4)
    return model
"""


@pytest.fixture(autouse=True)
def in_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.py").write_text(FILE)


def tone(number, length=LENGTH):
    """A tone of its own height, (length,) int16."""
    return np.rint(20000 * np.sin(np.arange(length) * (0.02 + 0.01 * number))).astype(np.int16)


def sound(path, values, *, rate=RATE, channels=1, width=2):
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setparams((channels, width, rate, 0, "NONE", ""))
        file.writeframes(values.tobytes())


def written(*, lengths=(LENGTH,)):
    for number in range(12):
        name = ("high", "low")[number % 2]
        sound(f"set/{name}/{number}.wav", tone(number, lengths[number % len(lengths)]))
    return "audio:set"


@pytest.mark.parametrize("model", ["sounds", "flat"])
def test_sounds_are_read_as_fractions_in_the_shape_of_the_model(model):
    subject = load(f"net.py:{model}", data=written())
    task, split = subject.task, subject.task.split("tuning")
    inputs = task.normalisation(split.inputs)
    assert task.class_names == ("high", "low") and inputs.shape[1:] == subject.example.shape[1:]
    expected = {tuple((tone(n) / 32768).astype(np.float32)): n % 2 for n in range(12)}
    for row, target in zip(inputs.flatten(1), split.targets.tolist(), strict=True):
        assert expected[tuple(row.numpy())] == target
    assert "8,000 samples a second" in task.how[1] and len(task.how) == 2


def test_sounds_of_other_lengths_are_cut_or_padded_and_it_is_said():
    task = load("net.py:flat", data=written(lengths=(300, 500, LENGTH))).task
    assert task.how[2:] == (
        "4 of 12 sounds are longer, and cut at the end.",
        "4 of 12 sounds are shorter, and padded with silence.",
    )
    rows = {tuple(row) for name in ("tuning", "held_out") for row in task.split(name).inputs.tolist()}
    assert rows == {
        (*tone(n, min(LENGTH, length)).tolist(), *([0] * max(0, LENGTH - length)))
        for n, length in zip(range(12), (300, 500, LENGTH) * 4, strict=True)
    }


def test_channels_are_averaged():
    written()
    both = np.stack([tone(0), np.zeros_like(tone(0))], 1)
    sound("set/high/0.wav", both, channels=2)
    task = load("net.py:flat", data="audio:set").task
    rows = {tuple(row) for name in ("tuning", "held_out") for row in task.split(name).inputs.tolist()}
    assert tuple(np.rint(tone(0) / 2).astype(int).tolist()) in rows


@pytest.mark.parametrize(
    "spoil, source, sentence",
    [
        (lambda: sound("set/low/1.wav", tone(1), rate=RATE * 2), "audio:set", "'1.wav' has 16,000 samples a"),
        (lambda: None, "audio:set?rate=7", "A rate is from 100 to 1,000,000 samples a second, got 7"),
        (lambda: sound("set/low/1.wav", tone(1).astype(np.int8), width=1), "audio:set", "'1.wav' has 8 bits"),
        (lambda: Path("set/low/1.wav").write_bytes(b"RIFF1234"), "audio:set", "'1.wav' is damaged or not"),
        (lambda: Path("set/low/1.wav").write_bytes(b""), "audio:set", "it ends too early"),
        (lambda: sound("set/low/1.wav", tone(1)[:0]), "audio:set", "'1.wav' is empty; remove it"),
        (lambda: None, "audio:none", "Folder 'none' cannot be read"),
        (lambda: Path("set/deep").mkdir(), "audio:set/deep", "has no subfolders with WAV files in them"),
    ],
)
def test_what_is_wrong_with_sounds_is_one_sentence(spoil, source, sentence):
    written()
    spoil()
    with pytest.raises(LoadError, match=sentence):
        load("net.py:sounds", data=source)


@pytest.mark.parametrize("rate", [4000, 6000, 11025, 44100])
def test_sounds_of_another_rate_are_resampled_as_scipy_does(rate):
    """All of a sound counts, and only the samples that the model reads are computed."""
    signal = pytest.importorskip("scipy.signal")
    written(lengths=(LENGTH // 2, LENGTH, 3 * LENGTH))
    task = load("net.py:flat", data=f"audio:set?rate={rate}").task
    rows = [row for name in ("tuning", "held_out") for row in task.split(name).inputs.tolist()]
    expected = []
    for n, length in zip(range(12), (LENGTH // 2, LENGTH, 3 * LENGTH) * 4, strict=True):
        common = np.gcd(rate, RATE)
        wanted = signal.resample_poly(tone(n, length).astype(float), rate // common, RATE // common)[:LENGTH]
        wanted = np.rint(wanted).clip(-32768, 32767)
        expected.append([*wanted.astype(int).tolist(), *([0] * (LENGTH - len(wanted)))])
    assert sorted(rows) == sorted(expected)
    assert "12 of 12 sounds have 8,000 a second, and are resampled." in task.how


def test_a_pure_tone_keeps_its_height_and_strength():
    there = np.arange(4000) / 44100
    found = resampled(np.sin(2 * np.pi * 440 * there), 44100, 16000)
    assert len(found) == 1452
    wanted = np.sin(2 * np.pi * 440 * np.arange(len(found)) / 16000)
    assert np.abs(found - wanted)[50:-50].max() < 2e-3


def test_a_tone_above_half_the_rate_is_silenced():
    loud = resampled(np.sin(2 * np.pi * 6000 * np.arange(8000) / 16000), 16000, 8000)
    assert np.abs(loud)[50:-50].max() < 2e-3


def test_the_model_file_says_the_rate():
    written()
    Path("fast.py").write_text(FILE + "sampling_rate = 16000\n")
    assert "resampled" in " ".join(load("fast.py:flat", data="audio:set").task.how)
    assert "8,000 samples a second" in load("fast.py:flat", data="audio:set?rate=8000").task.how[1]
    Path("wrong.py").write_text(FILE + "sampling_rate = '16k'\n")
    with pytest.raises(LoadError, match=r"sampling_rate of wrong\.py must be a whole number such as 16000"):
        load("wrong.py:flat")


def test_sounds_without_subfolders_have_no_labels():
    for number in range(9):
        sound(f"loose/{number}.wav", tone(number))
    task = load("net.py:flat", data="audio:loose").task
    assert task.metrics == ("same_answer", "kl_divergence") and task.class_names == ()
    assert [len(task.split(name)) for name in ("tuning", "held_out")] == [5, 4]
    assert task.split("tuning").targets is None and "There are no targets" in task.how[0]
    rows = {tuple(row) for name in ("tuning", "held_out") for row in task.split(name).inputs.tolist()}
    assert rows == {tuple(tone(n).tolist()) for n in range(9)}


def test_a_sound_that_ends_too_early_is_refused_when_it_is_read():
    written()
    whole = Path("set/low/1.wav").read_bytes()
    Path("set/low/1.wav").write_bytes(whole[:-100])
    task = load("net.py:sounds", data="audio:set").task
    with pytest.raises(LoadError, match=r"'1\.wav' is shorter than its header says; write it again"):
        [task.split(name) for name in ("tuning", "held_out")]


def test_a_model_of_pictures_reads_no_sounds():
    written()
    with pytest.raises(
        LoadError, match=r"reads inputs of shape \(3, 4, 4\), not sounds of shape \(samples,\)"
    ):
        load("net.py:pictures", data="audio:set")


@pytest.mark.parametrize("model, kind", [("sounds", np.int16), ("flat", np.float32)])
def test_arrays_with_a_sampling_rate_are_sounds(model, kind):
    waves, classes = np.stack([tone(n) for n in range(12)]), np.arange(12) % 2
    values = waves if kind == np.int16 else (waves / 32768).astype(kind)
    np.savez("tones.npz", inputs=values, targets=classes, sampling_rate=RATE)
    subject = load(f"net.py:{model}", data="npz:tones.npz")
    split = subject.task.split("tuning")
    inputs = subject.task.normalisation(split.inputs)
    expected = {tuple((wave_ / 32768).astype(np.float32)): n % 2 for n, wave_ in enumerate(waves)}
    for row, target in zip(inputs.flatten(1), split.targets.tolist(), strict=True):
        assert expected[tuple(row.numpy())] == target
    assert subject.task.how == ("Sounds of 8,000 samples a second are read as they are.",)


@pytest.mark.parametrize("rate", [0, -1, 44.1, [1, 2], "fast"])
def test_a_sampling_rate_is_one_whole_number(rate):
    np.savez(
        "tones.npz", inputs=np.zeros((4, LENGTH), np.float32), targets=np.arange(4) % 2, sampling_rate=rate
    )
    with pytest.raises(LoadError, match=r"'sampling_rate' in 'tones\.npz' must be one whole number"):
        load("net.py:flat", data="npz:tones.npz")


def test_sixteen_bits_without_a_rate_are_refused():
    np.savez("tones.npz", inputs=np.zeros((4, LENGTH), np.int16), targets=np.arange(4) % 2)
    with pytest.raises(
        LoadError, match=r"or floats, got int16; sounds of 16 bits \(int16\) need their sampling"
    ):
        load("net.py:flat", data="npz:tones.npz")
