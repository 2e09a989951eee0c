"""Single arrays: inputs without labels, and a pair of files."""

from pathlib import Path

import numpy as np
import pytest
import torch

from explorer.data.npz import npz
from explorer.engine.conditions import Conditions
from explorer.engine.measure import prune
from explorer.errors import LoadError
from explorer.graph.analysed import analyse
from explorer.loaders.model_text import load
from explorer.values.recipe import Recipe

FILE = """
from torch import nn
input_shape = (1, 6, 6)
def make(width=3):
    return nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(128, width))
def one(): return make(1)
"""
RNG = np.random.default_rng(0)
INPUTS, CLASSES = RNG.normal(size=(40, 6, 6)).astype(np.float32), RNG.integers(0, 3, 40)


@pytest.fixture(autouse=True)
def in_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.py").write_text(FILE)
    np.save("x.npy", INPUTS)
    np.save("y.npy", CLASSES)
    np.savez("both.npz", inputs=INPUTS, targets=CLASSES)


def test_one_array_is_measured_by_agreement():
    subject = load("net.py:make", data="npy:x.npy")
    report = prune(analyse(subject), Recipe(channels={"0": 0.5}), Conditions(latency=False))
    assert report.pruned.metric == "same_answer" and report.pruned.samples == 20
    rows = torch.cat([subject.task.split(name).inputs for name in ("tuning", "held_out")])
    assert sorted(rows.flatten(1).tolist()) == sorted(INPUTS.reshape(40, -1).tolist())


def test_a_pair_of_files_is_what_they_are_in_one_file():
    pair, both = (load("net.py:make", data=d).task for d in ("npy:x.npy?targets=y.npy", "npz:both.npz"))
    assert pair.name == "npy:x.npy" and pair.metrics == both.metrics == ("accuracy",)
    for name in ("tuning", "held_out"):
        ours, theirs = pair.split(name), both.split(name)
        assert torch.equal(ours.inputs, theirs.inputs) and torch.equal(ours.targets, theirs.targets)


def test_numbers_to_predict_are_measured_by_their_error():
    np.save("n.npy", RNG.normal(size=(40, 1)))
    assert load("net.py:one", data="npy:x.npy?targets=n.npy").task.metrics == ("mae", "r2")


def spoilt(name, array, **how):
    np.save(name, array, **how)
    return name


WRONG = {
    "no file": (lambda: "gone.npy", "There is no file 'gone.npy'; give the path of an .npy file."),
    "objects": (lambda: spoilt("o.npy", np.array([{}, 1], object)), "'o.npy' is damaged or holds more than"),
    "a number": (lambda: spoilt("s.npy", np.array(3.0)), "'s.npy' holds a single number; it takes an array"),
    "a shape": (lambda: spoilt("w.npy", np.zeros((9, 5, 5))), "have the shape"),
    "nothing": (lambda: spoilt("e.npy", np.zeros((0, 6, 6))), "'e.npy' has no samples"),
    "an npz": (lambda: "both.npz", "'both.npz' holds several arrays; name it npz:both.npz."),
    "NaN": (lambda: spoilt("nan.npy", np.full((9, 6, 6), np.nan)), "holds NaN or infinite values"),
    "rows": (lambda: "x.npy?targets=" + spoilt("r.npy", CLASSES[:7]), "has 40 inputs but 7 targets"),
    "targets": (lambda: "x.npy?targets=z.npy", "There is no file 'z.npy'"),
    "numbers": (
        lambda: "x.npy?targets=" + spoilt("f.npy", CLASSES / 2),
        r"must be class numbers from 0, since the model gives scores.* write a task of your own",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_one_sentence(case):
    place, sentence = WRONG[case]
    with pytest.raises(LoadError, match=sentence) as raised:
        load("net.py:make", data=f"npy:{place()}")
    assert "\n" not in str(raised.value)


def test_a_damaged_file_is_refused():
    whole = Path("x.npy").read_bytes()
    Path("x.npy").write_bytes(whole[:-50])
    with pytest.raises(LoadError, match=r"'x\.npy' is damaged"):
        load("net.py:make", data="npy:x.npy")


def test_the_other_source_reads_no_single_array():
    with pytest.raises(LoadError, match=r"not an \.npz file"):
        npz("x.npy")
