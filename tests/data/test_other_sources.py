"""Sources whose targets are no classes of pictures: masks, arrays of any kind, none at all, tables."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from explorer.commands.main import main
from explorer.data import csv_table
from explorer.errors import LoadError
from explorer.loaders.model_text import load

FILE = """
import torch
from torch import nn

def segmenter():
    model = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 2, 3, padding=1))
    model.input_shape = (1, 8, 8)
    return model

def regressor():
    model = nn.Sequential(nn.Linear(3, 16), nn.ReLU(), nn.Linear(16, 1))
    model.input_shape = (3,)
    return model

class Pairs(nn.Module):
    def __init__(self, answers):
        super().__init__()
        self.embed = nn.Embedding(20, 8)
        self.out = nn.Sequential(nn.Linear(9, 8), nn.ReLU(), nn.Linear(8, answers))
        self.example_input = {"words": torch.randint(0, 20, (2, 4)), "age": torch.zeros(2, 1)}

    def forward(self, words, age):
        return self.out(torch.cat([self.embed(words).mean(1), age], 1))

def pairs():
    return Pairs(3)

def price():
    return Pairs(1)

def tokens():
    model = nn.Sequential(nn.Embedding(20, 8), nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 20))
    model.example_input = torch.randint(0, 20, (2, 6))
    return model

def classifier():
    model = nn.Sequential(nn.Linear(3, 16), nn.ReLU(), nn.Linear(16, 2))
    model.input_shape = (3,)
    return model
"""


@pytest.fixture(autouse=True)
def in_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.py").write_text(FILE)


def measured(capsys, model: str, source: str, *words: str) -> dict:
    part = "--weights" if model == "digits-cnn" else "--channels"
    command = ["prune", model, "--data", source, part, "0.5", "--no-latency", "--json", *words]
    assert main(command) == 0, capsys.readouterr().err
    return json.loads(capsys.readouterr().out)


def folder_of_masks(tmp_path, *, size=8, black_white=False):
    for name in ("images", "masks"):
        (tmp_path / "set" / name).mkdir(parents=True)
    for number in range(12):
        picture = np.random.default_rng(number).integers(0, 256, (8, 8)).astype(np.uint8)
        mask = (picture[:size, :size] > 128).astype(np.uint8) * (255 if black_white else 1)
        Image.fromarray(picture).save(tmp_path / "set" / "images" / f"{number}.png")
        Image.fromarray(mask).save(tmp_path / "set" / "masks" / f"{number}.png")
    return tmp_path / "set"


@pytest.mark.parametrize("black_white", [False, True])
def test_a_folder_of_masks_is_measured_by_mean_iou(tmp_path, capsys, black_white):
    folder = folder_of_masks(tmp_path, black_white=black_white)
    report = measured(capsys, "net.py:segmenter", f"folder:{folder}")
    assert (report["pruned"]["metric"], report["total_samples"]) == ("mean_iou", 6)
    subject = load("net.py:segmenter", data=f"folder:{folder}")
    split = subject.task.split("tuning")
    assert torch.equal(split.targets, (split.inputs[:, 0] > 128).to(torch.uint8))
    with torch.inference_mode():
        said = subject.model(subject.task.normalisation(split.inputs)).argmax(1)
    there = split.targets.long()
    shares = [
        ((said == c) & (there == c)).sum() / ((said == c) | (there == c)).sum().clamp_min(1) for c in (0, 1)
    ]
    assert report["baseline"]["value"] == pytest.approx(float(sum(shares) / 2), abs=1e-6)


def test_masks_that_do_not_fit_are_refused(tmp_path):
    folder = folder_of_masks(tmp_path, size=7)
    with pytest.raises(LoadError, match="is 7 x 7, but its picture 8 x 8"):
        load("net.py:segmenter", data=f"folder:{folder}").task.split("tuning")
    (folder / "masks" / "3.png").unlink()
    with pytest.raises(LoadError, match=r"'3\.png' has no mask"):
        load("net.py:segmenter", data=f"folder:{folder}")


MASK = np.arange(64, dtype=np.uint8).reshape(8, 8) % 2  # classes of the pixels
COLOURS = np.stack([MASK, MASK, 1 - MASK], 2)


def with_masks(folder, picture, ending="png"):
    for path in list((folder / "masks").iterdir()):
        path.unlink()
        picture.save(path.with_suffix(f".{ending}"))
    return load("net.py:segmenter", data=f"folder:{folder}").task.split("tuning").targets


@pytest.mark.parametrize(
    "values",
    [MASK, np.stack([MASK] * 3, 2), np.stack([*[MASK] * 3, MASK * 9], 2), MASK.astype(np.uint16)],
    ids=["grey", "colours that are grey", "see-through", "16 bits"],
)
def test_masks_of_one_number_a_pixel_are_classes(tmp_path, values):
    found = with_masks(folder_of_masks(tmp_path), Image.fromarray(values))
    assert torch.equal(found, torch.from_numpy(MASK).expand(found.shape))


@pytest.mark.parametrize(
    "values, ending, why",
    [
        (COLOURS, "png", "has colours, but the number of a pixel is its class"),
        (MASK, "jpg", "is a JPEG, which blurs the classes"),
        (MASK.astype(np.uint16) * 300, "png", "must hold whole numbers from 0 to 255"),
        (MASK.astype(np.float32) / 2, "tiff", "must hold whole numbers from 0 to 255"),
    ],
    ids=["colours", "JPEG", "class 300", "half a class"],
)
def test_masks_whose_classes_are_not_known_are_refused(tmp_path, values, ending, why):
    with pytest.raises(LoadError, match=why):
        with_masks(folder_of_masks(tmp_path), Image.fromarray(values), ending)


@pytest.mark.parametrize("dtype", [">f8", "longdouble", "f2", ">i4", "u1"])
def test_numbers_of_any_machine_are_targets(dtype):
    rows = np.random.default_rng(0).random((60, 3)).astype(np.float32)
    np.savez("rooms.npz", inputs=rows, targets=np.arange(60).astype(dtype)[:, None])
    task = load("net.py:regressor", data="npz:rooms.npz").task
    both = torch.cat([task.split(part).targets for part in ("tuning", "held_out")])
    assert sorted(both.flatten().tolist()) == list(range(60))


def test_whole_numbers_that_do_not_fit_are_refused():
    np.savez("big.npz", inputs=np.zeros((9, 3), np.float32), targets=np.full((9, 1), 2**63 + 5, np.uint64))
    with pytest.raises(LoadError, match="whole numbers of 2"):
        load("net.py:regressor", data="npz:big.npz")


def test_the_rate_of_sounds_is_said_and_checked_beside_numbers_too():
    rows = np.random.default_rng(0).random((60, 3)).astype(np.float32)
    for rate, told in ((16000, "Sounds of 16,000 samples a second"), ([1, 2], None), (0, None), (0.5, None)):
        np.savez("sounds.npz", inputs=rows, targets=rows[:, :1], sampling_rate=np.array(rate))
        if told:
            assert told in load("net.py:regressor", data="npz:sounds.npz").task.how[0]
        else:
            with pytest.raises(LoadError, match="must be one whole number, such as 16000"):
                load("net.py:regressor", data="npz:sounds.npz")


def test_arrays_hold_numbers_to_predict_masks_or_no_targets(tmp_path, capsys):
    rng = np.random.default_rng(0)
    rows = rng.random((60, 3)).astype(np.float32)
    np.savez("rooms.npz", inputs=rows, targets=rows.sum(1, keepdims=True))
    report = measured(capsys, "net.py:regressor", "npz:rooms.npz")
    assert (report["pruned"]["metric"], list(report["pruned"]["others"])) == ("mae", ["r2"])
    np.savez("alone.npz", inputs=rows)
    assert measured(capsys, "net.py:regressor", "npz:alone.npz")["baseline"]["metric"] == "cosine_similarity"
    report = measured(capsys, "net.py:classifier", "npz:alone.npz")
    assert report["baseline"]["metric"] == "same_answer" and report["baseline"]["value"] == 1
    np.savez("masks.npz", inputs=rng.random((10, 1, 8, 8)), targets=rng.integers(0, 2, (10, 8, 8)))
    assert measured(capsys, "net.py:segmenter", "npz:masks.npz")["pruned"]["metric"] == "mean_iou"
    np.savez("short.npz", inputs=rows, targets=np.zeros((5, 1)))
    with pytest.raises(LoadError, match="one row for each of 60 inputs"):
        load("net.py:regressor", data="npz:short.npz")


def words_and_age(**more):
    rng = np.random.default_rng(0)
    arrays = {"words": rng.integers(0, 20, (60, 4)), "age": rng.random((60, 1)), "targets": np.arange(60) % 3}
    np.savez("pairs.npz", **{name: array for name, array in (arrays | more).items() if array is not None})
    return arrays | more


def test_several_inputs_are_arrays_of_their_names(capsys):
    arrays = words_and_age(class_names=["a", "b", "c"])
    assert measured(capsys, "net.py:pairs", "npz:pairs.npz")["pruned"]["metric"] == "accuracy"
    subject = load("net.py:pairs", data="npz:pairs.npz")
    split = subject.task.split("tuning")
    rows = np.concatenate([arrays["words"], arrays["age"]], 1).astype(np.float32)
    expected = {tuple(row): int(target) for row, target in zip(rows, arrays["targets"], strict=True)}
    read = zip(split.inputs_at(0, 30), split.targets_at(0, 30), strict=True)
    assert all(expected[tuple(row.numpy())] == int(target) for row, target in read)
    assert (len(split), subject.task.class_names) == (30, ("a", "b", "c"))


@pytest.mark.parametrize(
    "model, targets, metric",
    [
        ("pairs", None, "same_answer"),
        ("pairs", np.eye(3, dtype=int)[np.arange(60) % 3], "multilabel_f1"),
        ("pairs", np.random.default_rng(1).random((60, 3)), "mae"),
        ("price", np.random.default_rng(1).random((60, 1)), "mae"),
        ("price", np.arange(60)[:, None] % 2, "binary_accuracy"),
    ],
)
def test_several_inputs_take_any_targets(capsys, model, targets, metric):
    words_and_age(targets=targets)
    assert measured(capsys, f"net.py:{model}", "npz:pairs.npz")["pruned"]["metric"] == metric


@pytest.mark.parametrize(
    "more, sentence",
    [
        (
            {"age": None},
            "'pairs.npz' holds words, targets, but the model reads 'words', 'age'; store an array",
        ),
        (
            {"words": np.zeros((60, 5), int)},
            r"'words' in 'pairs.npz' has rows of shape \(5,\), but the model",
        ),
        (
            {"words": np.full((60, 4), 20)},
            "holds numbers from 20 to 20, but this model reads those from 0 to 19",
        ),
        ({"words": np.full((60, 4), 0.5)}, "holds fractions, but this model reads whole numbers"),
        ({"age": np.full((60, 1), np.nan)}, "'age' in 'pairs.npz' holds NaN or infinite values"),
        ({"age": np.array([["x"]] * 60)}, "'age' in 'pairs.npz' must hold numbers, got <U1"),
        ({"age": np.zeros((50, 1))}, "'pairs.npz' has 60 of 'words', 50 of 'age'; give as many rows of each"),
        ({"targets": np.arange(60)}, "has targets from 0 to 59, but the model knows 3 classes"),
        ({"targets": np.full((60, 1), np.inf)}, "'targets' in 'pairs.npz' holds NaN or infinite values"),
    ],
)
def test_several_inputs_that_do_not_fit_are_refused(more, sentence):
    words_and_age(**more)
    with pytest.raises(LoadError, match=sentence):
        load("net.py:pairs", data="npz:pairs.npz")


def test_whole_numbers_are_inputs_and_targets(capsys):
    words = np.random.default_rng(0).integers(0, 20, (40, 7))
    np.savez("texts.npz", inputs=words[:, :-1], targets=words[:, 1:])
    report = measured(capsys, "net.py:tokens", "npz:texts.npz")
    assert (report["pruned"]["metric"], list(report["pruned"]["others"])) == (
        "perplexity",
        ["next_token_accuracy"],
    )
    np.savez("texts.npz", inputs=words[:, :-1] + 1, targets=words[:, 1:])
    with pytest.raises(
        LoadError, match="holds numbers from 1 to 20, but this model reads those from 0 to 19"
    ):
        load("net.py:tokens", data="npz:texts.npz")


def table(name: str, target) -> str:
    rows = [f"{i},{i * 2},{i / 7:.3f},{target(i)}" for i in range(40)]
    Path(name).write_text("a,b,c,y\n" + "\n".join(rows) + "\n")
    return f"csv:{name}?target=y"


def test_a_table_has_a_target_column(capsys):
    assert measured(capsys, "net.py:regressor", table("t.csv", lambda i: i / 3))["pruned"]["metric"] == "mae"
    report = measured(capsys, "net.py:classifier", table("t.csv", lambda i: i % 2))
    assert report["pruned"]["metric"] == "accuracy" and report["total_samples"] == 20
    subject = load("net.py:classifier", data=table("t.csv", lambda i: "ab"[i % 2]))
    assert subject.task.class_names == ("a", "b")


@pytest.mark.parametrize(
    "source, sentence",
    [
        ("csv:t.csv", "needs a column to predict; name the target with .*a, b, c, y"),
        ("csv:t.csv?target=price", "has no column 'price'"),
        ("csv:missing.csv?target=y", r"There is no file 'missing\.csv'; give the path of a \.csv file"),
        ("csv:/dev/zero?target=y", "There is no file '/dev/zero'"),
        ("csv:short.csv?target=y", "Line 3 of 'short.csv' has 1 cells instead of 4"),
        ("csv:words.csv?target=y", "Line 2 of 'words.csv' holds 'tall' where a number must be"),
        ("csv:late.csv?target=y", "Line 45 of 'late.csv' holds 'inf' where a number must be"),
        ("csv:gaps.csv?target=y", "Column 'y' of 'gaps.csv' is empty in row 2; fill it in, or remove the"),
        ("csv:lone.csv?target=y", "'lone.csv' has the target column alone; add columns that the model reads"),
        ("csv:wide.csv?target=y", r"have the shape \(1,\), but .* reads \(3,\)"),
    ],
)
def test_a_table_that_cannot_be_read_is_refused(source, sentence, monkeypatch):
    monkeypatch.setattr(csv_table, "CELLS", 40)  # read in portions of ten rows
    table("t.csv", lambda i: i)
    for name, text in {
        "short": "a,b,c,y\n1,2,3,4\n1\n",
        "late": 'a,b,c,y\n1,2,3,"4\n"\n\n' + "1,2,3,4\n" * 40 + "1,2,inf,4\n",
        "words": "a,b,c,y\n1,tall,3,2\n",
        "wide": "x,y\n1,0.5\n",
    }.items():
        Path(f"{name}.csv").write_text(text)
    for name, text in {"gaps": "a,b,c,y\n1,2,3,2\n1,2,3,\n", "lone": "y\n1\n"}.items():
        Path(f"{name}.csv").write_text(text)
    with pytest.raises(LoadError, match=sentence):
        load("net.py:regressor", data=source)


# --------------------------------------------------------------------------- parquet


def parquet_file(name: str, **columns) -> str:
    pyarrow, writing = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    writing.write_table(pyarrow.table(columns), name)
    return f"parquet:{name}?target=y"


ROWS = {"a": list(range(40)), "b": [i * 2 for i in range(40)], "c": [round(i / 7, 3) for i in range(40)]}


@pytest.mark.parametrize(
    "model, target",
    [
        ("regressor", lambda i: i / 3),
        ("classifier", lambda i: i % 2),
        ("classifier", lambda i: "ab"[i % 2]),
        ("regressor", lambda i: i % 2),
    ],
)
def test_a_parquet_file_is_the_same_table(model, target):
    other = load(f"net.py:{model}", data=table("t.csv", target)).task
    task = load(
        f"net.py:{model}", data=parquet_file("t.parquet", **ROWS, y=[target(i) for i in range(40)])
    ).task
    assert (task.metrics, task.class_names, task.how) == (other.metrics, other.class_names, other.how)
    for name in ("tuning", "held_out"):
        first, second = task.split(name), other.split(name)
        assert torch.equal(first.inputs, second.inputs) and torch.equal(first.targets, second.targets)


def test_true_and_false_are_classes(capsys):
    source = parquet_file("t.parquet", **ROWS, y=[i % 3 == 0 for i in range(40)])
    assert measured(capsys, "net.py:classifier", source)["pruned"]["metric"] == "accuracy"


@pytest.mark.parametrize(
    "columns, sentence",
    [
        ({}, "'t.parquet' has no column 'y'; name the target with .*a, b, c"),
        ({"y": ["x", "y"] * 20}, "The target column holds 2 texts, but the model tells no classes apart"),
        ({"y": [1.5] * 40, "a": ["x"] * 40}, "Column 'a' of 't.parquet' holds string, but a model reads"),
        ({"y": [[1.5]] * 40, "a": [[1]] * 40}, "Column 'a' of 't.parquet' holds list<.*>, but a model"),
        ({"y": [1.5] * 40, "a": [1, None] * 20}, "Column 'a' of 't.parquet' has no number in row 2;"),
        ({"y": [1.5, float("nan")] * 20}, "Column 'y' of 't.parquet' is empty in row 2; fill it in"),
        ({"y": [1.5, None] * 20}, "Column 'y' of 't.parquet' is empty in row 2"),
    ],
)
def test_a_parquet_file_that_does_not_fit_is_refused(columns, sentence):
    with pytest.raises(LoadError, match=sentence):
        load("net.py:regressor", data=parquet_file("t.parquet", **{**ROWS, **columns}))


def test_what_is_no_parquet_file_is_refused(monkeypatch):
    source = parquet_file("t.parquet", **{name: [] for name in "abcy"})
    with pytest.raises(LoadError, match=r"'t\.parquet' has no rows"):
        load("net.py:regressor", data=source)
    Path("t.parquet").write_bytes(b"PAR1" + bytes(50))
    with pytest.raises(LoadError, match=r"'t\.parquet' cannot be read as a parquet table \("):
        load("net.py:regressor", data=source)
    with pytest.raises(LoadError, match=r"There is no file 'none\.parquet'"):
        load("net.py:regressor", data="parquet:none.parquet?target=y")
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(LoadError, match=r"Package pyarrow\.parquet cannot be imported .*explorer\[parquet\]"):
        load("net.py:regressor", data=source)


@pytest.mark.parametrize(
    ("text", "target", "sentence"),
    [
        ("", "y", "no column names; its first line must name"),
        ("\n\n", "", "no column names"),
        ("a,a,y\n1,2,0\n", "y", "two columns called 'a'"),
        (",,y\n1,2,0\n", "y", "two columns without a name"),
        ("a,y\n1,0\n", "", "needs a column to predict"),
    ],
)
def test_a_table_without_names_of_its_own_is_refused(tmp_path, text, target, sentence):
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(LoadError, match=sentence):
        csv_table.csv(str(tmp_path / "t.csv"), target=target)
