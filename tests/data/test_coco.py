"""Boxes in the form of COCO: read, scaled with their pictures, measured; and what is wrong with a file."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from explorer.data import shapes_scenes
from explorer.errors import LoadError
from explorer.loaders.model_text import load
from explorer.registry import METRICS
from explorer.training.samples import quality

COUNT = 12
SCENES = shapes_scenes.make_split("tuning", COUNT)
NOTHING = 255


def written(folder, *, larger=1, change=lambda described: None):
    """Write the drawn scenes as COCO would, with ids that are no positions."""
    Image = pytest.importorskip("PIL.Image")
    (folder / "images").mkdir(parents=True)
    (folder / "annotations").mkdir()
    images, annotations = [], []
    for number, (picture, boxes) in enumerate(zip(SCENES["inputs"], SCENES["targets"], strict=True)):
        pixels = np.kron(picture.transpose(1, 2, 0), np.ones((larger, larger, 1), np.uint8))
        Image.fromarray(pixels).save(folder / "images" / f"{number}.png")
        side = 64 * larger
        images.append({"id": 7 + number, "file_name": f"{number}.png", "width": side, "height": side})
        for x1, y1, x2, y2, label in (box.tolist() for box in boxes if box[4] < 10):
            box = [larger * x1, larger * y1, larger * (x2 - x1), larger * (y2 - y1)]
            annotations.append({"image_id": 7 + number, "category_id": 3 * label, "bbox": box, "iscrowd": 0})
    described = {
        "images": images,
        "annotations": annotations,
        "categories": [{"id": 3 * n, "name": f"shape {n}"} for n in range(10)],
    }
    change(described)
    (folder / "annotations" / "instances.json").write_text(json.dumps(described))
    return f"coco:{folder}"


def rows_of(targets):
    return sorted(tuple(row) for row in targets.tolist() if row[4] >= 0)


@pytest.mark.parametrize("larger", [1, 2])
def test_boxes_are_scaled_with_their_pictures(tmp_path, larger):
    task = load("shapes-detector", data=written(tmp_path / "set", larger=larger)).task
    found = [split for name in ("tuning", "held_out") if (split := task.split(name))]
    there = {
        bytes(picture.numpy().tobytes()): rows_of(boxes)
        for s in found
        for picture, boxes in zip(s.inputs, s.targets, strict=True)
    }
    expected = {
        picture.tobytes(): sorted(tuple(map(float, box)) for box in boxes if box[4] < 10)
        for picture, boxes in zip(SCENES["inputs"], SCENES["targets"], strict=True)
    }
    assert len(there) == COUNT and list(there.values()) != [[]] * COUNT
    if larger == 1:
        assert there == expected
    else:
        assert sorted(there.values()) == sorted(expected.values())
    assert task.class_names[3] == "shape 3"


def test_a_detector_is_measured_on_them(tmp_path):
    subject = load("shapes-detector", data=written(tmp_path / "set"))
    split, metric = subject.task.split("tuning"), METRICS["detection_f1"]()
    measured = quality(subject.model, replace(subject.task, metric="detection_f1"), split)
    with torch.inference_mode():
        boxes = subject.task.answer(subject.model(subject.task.normalisation(split.inputs)))
    assert measured.metric == "detection_f1" and measured.samples == COUNT // 2
    assert measured.value == pytest.approx(
        float(metric.value(metric.statistics(boxes, split.targets).sum(0)))
    )
    assert measured.value > 0.7
    moved = split.targets + torch.tensor([30.0, 0, 30, 0, 0])  # elsewhere nothing is found
    assert float(metric.value(metric.statistics(boxes, moved).sum(0))) < 0.2


def first(part, **changes):
    return lambda described: described[part][0].update(changes)


@pytest.mark.parametrize(
    "change, sentence",
    [
        (
            lambda d: d.pop("categories"),
            "must hold lists of objects called images, annotations and categories",
        ),
        (
            first("annotations", image_id=1),
            r"Annotation 0 of 'instances\.json' names a picture that the file",
        ),
        (first("annotations", category_id=1), "names a category that the file does not list"),
        (
            first("annotations", bbox=[1, 2, 3]),
            r"needs 'bbox', four numbers x, y, width and height, got \[1, 2, 3\]",
        ),
        (
            first("annotations", bbox=[60, 2, 30, 3]),
            r"\(in a picture of 64 x 64 pixels\) has the box \[60, 2, 30, 3\], which reaches outside",
        ),
        (first("images", width=-1), "needs 'id', 'file_name', 'width' and 'height'"),
        (first("images", file_name="../instances.json"), "is not in images/; put it there"),
        (lambda d: d["annotations"].clear(), "No picture in .* has boxes"),
        (first("annotations", bbox=[1, 2, 3, 10**400]), "needs 'bbox', four numbers"),
        (first("annotations", bbox=[float("nan"), 2, 3, 4]), "needs 'bbox', four numbers"),
        (first("annotations", image_id=[7]), "names a picture that the file does not list"),
        (first("annotations", category_id={}), "names a category that the file does not list"),
        (first("images", id=[7]), "needs 'id', 'file_name', 'width' and 'height'"),
        (first("images", width=10**400), "needs 'id', 'file_name', 'width' and 'height'"),
        (first("images", id=8), r"'instances\.json' lists picture 8 twice; export the annotations again"),
        (first("categories", id=[0]), "needs an 'id', a whole number from 0"),
    ],
)
def test_what_is_wrong_with_a_file_is_one_sentence(tmp_path, change, sentence):
    source = written(tmp_path / "set", change=change)
    with pytest.raises(LoadError, match=sentence):
        load("shapes-detector", data=source)


def test_crowds_and_other_sizes(tmp_path):
    source = written(tmp_path / "set", change=first("annotations", iscrowd=1))
    assert "1 of crowds or without an area were left out" in load("shapes-detector", data=source).task.how[0]
    source = written(tmp_path / "other", change=lambda d: [row.update(width=80) for row in d["images"]])
    with pytest.raises(LoadError, match="is 64 x 64, but its boxes are for 80 x 64"):
        load("shapes-detector", data=source).task.split("tuning")
    (tmp_path / "other" / "second.json").write_text("{}")
    with pytest.raises(LoadError, match=r"has 2 JSON files in it or in annotations/; name one"):
        load("shapes-detector", data=source)


def test_of_several_mistakes_the_first_row_is_told_whatever_comes_first_in_the_file(tmp_path):
    def change(described):
        rows = described["annotations"]
        rows[0].update(iscrowd=1, bbox=None)  # a crowd needs no box
        rows[1].update(bbox=[60, 2, 30, 3])
        rows[2].update(bbox="none")
        rows[3].update(category_id=1)
        for name in ("annotations", "categories", "images"):
            described[name] = described.pop(name)

    for mended, sentence in (
        (0, r"Annotation 1 of .* has the box \[60, 2, 30, 3\], which reaches outside"),
        (1, "Annotation 2 of .* needs 'bbox', four numbers x, y, width and height, got none"),
        (2, "Annotation 3 of .* names a category"),
    ):

        def partly(described, count=mended):
            right = [dict(row) for row in described["annotations"]]
            change(described)
            for place in range(1, count + 1):
                described["annotations"][place].update(right[place])

        with pytest.raises(LoadError, match=sentence):
            load("shapes-detector", data=written(tmp_path / str(mended), change=partly))
