"""Boxes in text files, as YOLO reads them: read, named, measured; and what is wrong with a file."""

import numpy as np
import pytest
import torch
from PIL import Image

from explorer.data import shapes_scenes
from explorer.errors import LoadError
from explorer.loaders.model_text import load
from explorer.registry import METRICS

COUNT, SIDE = 12, 64
SCENES = shapes_scenes.make_split("tuning", COUNT)
NAMES = [f"shape {n}" for n in range(10)]


def written(folder, *, parts=("",)):
    """Write the drawn scenes as YOLO would, spread over the named splits."""
    for number, (picture, boxes) in enumerate(zip(SCENES["inputs"], SCENES["targets"], strict=True)):
        part = parts[number % len(parts)]
        for name in ("images", "labels"):
            (folder / name / part).mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture.transpose(1, 2, 0)).save(folder / "images" / part / f"{number}.png")
        lines = [line(*box[:4], label) for *box, label in boxes.tolist() if label < 10]
        (folder / "labels" / part / f"{number}.txt").write_text("\n".join(lines) + "\n")
    (folder / "data.yaml").write_text(f"nc: 10\nnames: {NAMES}\n")
    return f"yolo:{folder}"


def line(x1, y1, x2, y2, label):
    sides = ((x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1)
    return " ".join([str(label), *(f"{value / SIDE:.8f}" for value in sides)])


def boxes_by_picture(splits):
    """Bytes of a picture -> its boxes, to a thousandth of a pixel."""
    return {
        picture.numpy().tobytes(): sorted(
            tuple(round(value, 3) for value in box) for box in boxes.tolist() if box[4] >= 0
        )
        for split in splits
        for picture, boxes in zip(split.inputs, split.targets, strict=True)
    }


EXPECTED = {
    picture.tobytes(): sorted(tuple(map(float, box)) for box in boxes if box[4] < 10)
    for picture, boxes in zip(SCENES["inputs"], SCENES["targets"], strict=True)
}


@pytest.mark.parametrize("parts", [("",), ("train", "val", "test")])
def test_boxes_belong_to_their_pictures(tmp_path, parts):
    task = load("shapes-detector", data=written(tmp_path, parts=parts)).task
    splits = {name: task.split(name) for name in ("training", "tuning", "held_out")}
    assert boxes_by_picture([split for split in splits.values() if split is not None]) == EXPECTED
    assert (splits["training"] is None) == (parts == ("",))
    assert task.class_names == tuple(NAMES)


def test_splits_may_hold_both_folders(tmp_path):
    written(tmp_path / "all", parts=("train", "valid"))
    for part in ("train", "valid"):
        (tmp_path / "set" / part).mkdir(parents=True)
        for name in ("images", "labels"):
            (tmp_path / "all" / name / part).rename(tmp_path / "set" / part / name)
    task = load("shapes-detector", data=f"yolo:{tmp_path / 'set'}").task
    splits = [task.split(name) for name in ("training", "tuning", "held_out")]
    assert [len(split) for split in splits] == [COUNT // 2, COUNT // 4, COUNT // 4]
    assert boxes_by_picture(splits) == EXPECTED


def test_a_picture_without_a_text_file_has_no_boxes(tmp_path, monkeypatch):
    written(tmp_path / "set")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "set" / "labels" / "3.txt").unlink()
    (tmp_path / "set" / "labels" / "4.txt").write_text("\n2 0.5 0.5 0 0.1\n")
    task = load("shapes-detector", data="yolo:set").task
    found = boxes_by_picture([task.split("tuning"), task.split("held_out")])
    pictures = [picture.tobytes() for picture in SCENES["inputs"]]
    assert found == {**EXPECTED, pictures[3]: [], pictures[4]: []}
    assert "1 without an area were left out" in task.how[0]


def test_a_detector_is_measured_on_them(tmp_path):
    task = load("shapes-detector", data=written(tmp_path)).task
    model, split, metric = load("shapes-detector").model, task.split("tuning"), METRICS["detection_f1"]()
    with torch.inference_mode():
        boxes = task.answer(model(task.normalisation(split.inputs)))

    def value(targets):
        return float(metric.value(metric.statistics(boxes, targets).sum(0)))

    assert task.metrics == ("detection_f1", "mean_average_precision") and value(split.targets) > 0.7
    assert value(split.targets + torch.tensor([30.0, 0, 30, 0, 0])) < 0.2  # elsewhere nothing is found


@pytest.mark.parametrize(
    "text, sentence",
    [
        ("1 0.5 0.5 0.1", r"Line 1 of '0\.txt' has 4 columns instead of 5: class number, x and y of the"),
        ("1 .5 .5 .1 .1 .9", "has 6 columns instead of 5"),
        ("\n1 0.5 half 0.1 0.1", r"Line 2 of '0\.txt' must hold numbers, got '1 0\.5 half"),
        ("1 nan 0.5 0.1 0.1", "must hold numbers"),
        ("1 0.9 0.5 0.4 0.1", r"has the box 0\.9 0\.5 0\.4 0\.1, which reaches outside its picture"),
        ("1 32 32 8 8", "which reaches outside its picture"),
        ("1 0.5 0.5 -0.1 0.1", "has a width or height below 0"),
        ("10 0.5 0.5 0.1 0.1", "has the class 10; classes are whole numbers from 0 to 9"),
        ("1.5 0.5 0.5 0.1 0.1", "has the class 1.5; classes are whole numbers from 0"),
    ],
)
def test_what_is_wrong_with_a_line_is_one_sentence(tmp_path, text, sentence):
    source = written(tmp_path)
    (tmp_path / "labels" / "0.txt").write_text(text)
    with pytest.raises(LoadError, match=sentence):
        load("shapes-detector", data=source)


def test_a_class_of_thirty_digits_makes_no_list_of_that_length(tmp_path):
    source = written(tmp_path)
    (tmp_path / "data.yaml").unlink()
    assert load("shapes-detector", data=source).task.class_names
    (tmp_path / "labels" / "0.txt").write_text("9" * 30 + " 0.5 0.5 0.1 0.1")
    with pytest.raises(LoadError, match=r"classes are whole numbers from 0 to 99,999\."):
        load("shapes-detector", data=source)


def test_what_is_wrong_with_a_folder_is_one_sentence(tmp_path):
    source = written(tmp_path)
    (tmp_path / "data.yaml").write_text("nc: 10\n")
    with pytest.raises(LoadError, match=r"'data\.yaml' has no names of classes; write them as names: \["):
        load("shapes-detector", data=source)
    (tmp_path / "data.yaml").unlink()
    (tmp_path / "classes.txt").write_bytes(b"\xff\xfe\xfa")
    with pytest.raises(LoadError, match=r"'classes\.txt' is not text in UTF-8"):
        load("shapes-detector", data=source)
    (tmp_path / "classes.txt").write_text("\n".join(NAMES))
    assert load("shapes-detector", data=source).task.class_names == tuple(NAMES)
    for file in (tmp_path / "labels").iterdir():
        file.unlink()
    with pytest.raises(LoadError, match=r"No picture in .* has boxes"):
        load("shapes-detector", data=source)
    (tmp_path / "labels").rmdir()
    with pytest.raises(LoadError, match=r"There is no folder '.*labels'; put pictures into images/"):
        load("shapes-detector", data=source)


def test_boxes_at_the_border_are_cut_by_rounding_alone(tmp_path):
    source = written(tmp_path)
    (tmp_path / "labels" / "0.txt").write_text("1 0.0625 0.5 0.135 0.5\n")
    task = load("shapes-detector", data=source).task
    found = boxes_by_picture([task.split("tuning"), task.split("held_out")])
    assert found[SCENES["inputs"][0].tobytes()] == [
        (0.0, 16.0, pytest.approx(np.float32(8.32), abs=1e-3), 48.0, 1.0)
    ]
