"""Data from the user's disk: how pictures and arrays become samples, and what each refusal says."""

import hashlib
import json
import pickle
import struct
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from explorer.data import pictures
from explorer.data.class_folders import loose_files
from explorer.data.class_order import class_order
from explorer.data.pictures import fitted
from explorer.data.reader import IMAGENET, Reader
from explorer.data.source_text import load_data, split_source
from explorer.engine.conditions import Conditions
from explorer.engine.measure import prune
from explorer.errors import ExplorerError, LoadError, RecipeError, UnknownNameError
from explorer.graph.analysed import analyse
from explorer.loaders.model_text import load, with_data
from explorer.machine import optional_packages
from explorer.values.identity import subject_id
from explorer.values.recipe import Recipe
from explorer.values.subject import Normalisation, Preset, Subject

SMALL = Reader((3, 8, 8), 3, Preset())
GREY = Reader((1, 4, 4), 2, Preset())


def needs(package):
    return pytest.mark.skipif(find_spec(package) is None, reason=f"{package} is not installed")


def picture(path, number=0, size=(8, 8), mode="RGB"):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.RandomState(number).randint(0, 256, (size[1], size[0], 3), np.uint8)
    Image.fromarray(pixels).convert(mode).save(path)


@pytest.fixture
def pets(tmp_path):
    """Ten cats, ten dogs and ten emus, each picture of one brightness: its number in its class, times ten."""
    for name in ("cat", "dog", "emu"):
        for number in range(10):
            path = tmp_path / name / f"{number}.png"
            path.parent.mkdir(exist_ok=True)
            Image.new("RGB", (8, 8), (number * 10, "cde".index(name[0]), 0)).save(path)
    return tmp_path


def tiny(shape=(3, 8, 8), classes=3, names=()):
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Flatten(), nn.Linear(int(np.prod(shape)), 5), nn.ReLU(), nn.Linear(5, classes)
    ).eval()
    about, preset = {"description": "A tiny one."}, Preset(class_names=names)
    return Subject(subject_id(model), "tiny", model, None, torch.randn(2, *shape), about, preset)


# --------------------------------------------------------------------------- sources


@pytest.mark.parametrize(
    "source, expected",
    [
        ("shapes", ("shapes", "", {})),
        ("folder:a?b/c", ("folder", "a?b/c", {})),
        ("folder:what?=x", ("folder", "what?=x", {})),
        ("torchvision:MNIST@/d?samples=5", ("torchvision", "MNIST@/d", {"samples": "5"})),
    ],
)
def test_a_source_is_a_name_a_place_and_options(source, expected):
    assert split_source(source) == expected


REFUSED = {
    "nothing:x": r"No data set named 'nothing'\. Available: digits, shapes, mnist, shapes-masks",
    "digits:x": r"Data set 'digits' comes with the program and takes nothing after its name",
    "folder": r"Data set 'folder' needs a place to read its splits from, such as folder:PATH",
    "npz:": r"Data set 'npz' needs a place to read its splits from, such as npz:FILE",
    "torchvision:MNIST": r"needs a place to read its splits from, such as torchvision:CIFAR10@PATH",
    "folder:none": r"Folder 'none' cannot be read \(No such file or directory\)",
    "folder:empty": r"'empty' has no subfolders with pictures in them; it takes one subfolder for each class",
    "folder:.?samples=0": r"Option 'samples' must be at least 1, got 0",
    "folder:.?samples=many": r"Parameter 'samples' must be of type int, got 'many'",
    "folder:.?sample=1": r"No parameter of 'folder' named 'sample'\. Available: samples, mean, std",
    "folder:.?mean=0.5,0.5": r"Option 'mean' takes one number, or 3 with commas between, such as 0\.5, got "
    r"'0\.5,0\.5'",
    "folder:.?std=0": r"Option 'std' takes one number, or 3 with commas between, above 0, got '0'",
    "folder:.?mean=nan": r"Option 'mean' takes .*, got 'nan'",
    "npz:none.npz": r"There is no file 'none\.npz'; give the path of an \.npz file",
}


@pytest.mark.parametrize("source", REFUSED)
def test_what_is_wrong_with_a_source_is_one_sentence(source, pets, monkeypatch):
    monkeypatch.chdir(pets)
    (pets / "empty").mkdir()
    with pytest.raises((LoadError, UnknownNameError, RecipeError), match=REFUSED[source]) as caught:
        load_data(source, SMALL)
    assert "\n" not in str(caught.value)


# --------------------------------------------------------------------------- folders


def test_a_folder_becomes_two_stratified_halves(pets):
    task = load_data(f"folder:{pets}", SMALL)
    tuning, held_out = task.split("tuning"), task.split("held_out")
    assert task.class_names == ("cat", "dog", "emu") and task.split("training") is None
    assert tuning.inputs.shape == (15, 3, 8, 8) and tuning.inputs.dtype == torch.uint8
    assert tuning.targets.bincount().tolist() == held_out.targets.bincount().tolist() == [5, 5, 5]
    assert tuning.targets[:3].sort().values.tolist() == [0, 1, 2], "any first part has the mix of the whole"
    shown = {(int(i[1, 0, 0]), int(i[0, 0, 0])) for split in (tuning, held_out) for i in split.inputs}
    assert shown == {(c, n * 10) for c in range(3) for n in range(10)}, (
        "each picture is in one half, with its own class"
    )
    assert all(int(i[1, 0, 0]) == t for i, t in zip(tuning.inputs, tuning.targets, strict=True))


def test_the_same_folder_gives_the_same_order_and_a_changed_one_another_fingerprint(pets):
    first, again = (load_data(f"folder:{pets}", SMALL) for _ in range(2))
    assert first.fingerprint == again.fingerprint
    assert torch.equal(first.split("tuning").inputs, again.split("tuning").inputs)
    assert first.fingerprint != load_data(f"folder:{pets}?samples=5", SMALL).fingerprint
    assert first.fingerprint != load_data(f"folder:{pets}", Reader((3, 16, 16), 3)).fingerprint
    picture(pets / "cat" / "new.png")
    assert first.fingerprint != load_data(f"folder:{pets}", SMALL).fingerprint


def test_pictures_are_read_when_a_split_is_asked_for_and_only_so_many(pets):
    (pets / "dog" / "a broken one.png").write_bytes(b"x")
    task = load_data(f"folder:{pets}?samples=4", SMALL)
    whole = load_data(f"folder:{pets}", SMALL)
    assert len(task.split("tuning")) == 4
    with pytest.raises(
        LoadError, match=r"Picture '.*dog/a broken one\.png' is damaged or of no known format \(JPEG, PNG"
    ):
        assert whole.split("tuning") and whole.split("held_out")


def test_named_parts_of_a_folder_are_its_splits(tmp_path):
    for part, count in (("train", 6), ("val", 4), ("test", 2)):
        for name in ("a", "b"):
            for number in range(count):
                picture(tmp_path / part / name / f"{number}.jpg", number)

    def sizes():
        return [len(task.split(s) or ()) for s in ("training", "tuning", "held_out")]

    task = load_data(f"folder:{tmp_path}", Reader((3, 8, 8), 2))
    assert sizes() == [12, 8, 4] and "halves" not in task.note
    (tmp_path / "test").rename(tmp_path / "kept")
    task = load_data(f"folder:{tmp_path}", Reader((3, 8, 8), 2))
    assert sizes() == [12, 4, 4] and "two halves of the same data" in task.note
    (tmp_path / "val").rename(tmp_path / "other")
    with pytest.raises(
        LoadError,
        match=r"has train/ but neither val/ nor test/; add one, since data that a model",
    ):
        load_data(f"folder:{tmp_path}", SMALL)


def test_classes_are_matched_by_name_where_the_model_names_them(pets):
    named = Reader((3, 8, 8), 4, Preset(class_names=("Dog", "fox", "emu", "CAT")))
    task = load_data(f"folder:{pets}", named)
    assert task.class_names == ("Dog", "fox", "emu", "CAT") and "matched by their names" in task.how[0]
    assert task.split("tuning").targets.bincount(minlength=4).tolist() == [5, 0, 5, 5]
    assert all(
        {0: 3, 1: 0, 2: 2}[int(i[1, 0, 0])] == t
        for i, t in zip(task.split("tuning").inputs, task.split("tuning").targets, strict=True)
    )


def test_names_that_say_too_little_are_not_matched():
    for known in (("dog", "fox", "emu"), ("cat", "dog", "dog"), ("cat", "dog")):
        order = class_order(["cat", "dog"], Reader((3, 8, 8), 3, Preset(class_names=known)))
        assert (order.places, order.names) == ((0, 1), ("cat", "dog"))


def test_another_number_of_classes_is_one_sentence(pets):
    with pytest.raises(LoadError, match=r"'folder:.*' has 3 classes, but 'tiny' knows 5; inputs without"):
        with_data(tiny(classes=5), f"folder:{pets}")


def test_a_folder_measures_a_foreign_model(pets):
    subject = with_data(tiny(), f"folder:{pets}")
    report = prune(analyse(subject), Recipe(channels={"1": 0.4}), Conditions(latency=False))
    assert report.pruned.samples == 15 and 0 <= report.pruned.accuracy <= 1
    assert subject.card == {"description": "A tiny one."}
    (again,) = (with_data(subject, f"folder:{pets}"),)
    assert again is subject, "the same data is no change"


def test_a_model_of_vectors_reads_no_pictures(pets):
    with pytest.raises(
        LoadError, match=r"The model reads inputs of shape \(7,\), not pictures; bring its inputs as npz:FILE"
    ):
        with_data(tiny((7,)), f"folder:{pets}")


def test_a_model_without_class_scores_has_no_accuracy(pets):
    model = nn.Conv2d(3, 2, 1).eval()
    subject = Subject("x", "conv", model, None, torch.zeros(2, 3, 8, 8))
    with pytest.raises(
        LoadError, match=r"'conv' answers with a tensor of shape \(2, 2, 8, 8\) instead of one row of"
    ):
        with_data(subject, f"folder:{pets}")


def test_options_replace_the_models_normalisation(pets):
    rule = load_data(f"folder:{pets}?mean=0.1,0.2,0.3&std=0.5", SMALL).normalisation
    assert rule == Normalisation(1 / 255, (0.1, 0.2, 0.3), (0.5,))
    assert load_data(f"folder:{pets}").normalisation == IMAGENET.normalisation
    assert load_data(f"folder:{pets}", SMALL).normalisation == Normalisation(1 / 255)


def test_names_of_folders_are_kept_as_foreign_text_on_one_line(tmp_path):
    for name in ("<img src=x onerror=alert(1)>", "=1+1", "a\nb"):
        picture(tmp_path / name / "1.png")
        picture(tmp_path / name / "2.png")
    assert load_data(f"folder:{tmp_path}", SMALL).class_names == (
        "<img src=x onerror=alert(1)>",
        "=1+1",
        "a b",
    )
    picture(tmp_path / "a b" / "1.png")
    with pytest.raises(LoadError, match=r"Two classes in .* are both called 'a b'; rename one of them"):
        load_data(f"folder:{tmp_path}", SMALL)


def test_too_many_pictures_for_the_memory_are_refused_before_one_is_read(pets, monkeypatch):
    monkeypatch.setattr(pictures, "MAX_SPLIT_BYTES", 1000)
    monkeypatch.setattr(pictures, "open_picture", lambda *_: pytest.fail("read"))
    with pytest.raises(LoadError, match=r"15 pictures of 8 x 8 need more than .*; ask for up to samples=5"):
        load_data(f"folder:{pets}", SMALL).split("tuning")


# --------------------------------------------------------------------------- pictures


@needs("torchvision")
@pytest.mark.parametrize("size", [(300, 260), (260, 300), (64, 200), (31, 17), (256, 256)])
@pytest.mark.parametrize(
    "resize, side, method",
    [(256, 224, "bilinear"), (232, 224, "bicubic"), (48, 33, "bilinear"), (0, 32, "bicubic")],
)
def test_pictures_are_fitted_as_torchvision_does(size, resize, side, method, tmp_path):
    optional_packages.torchvision()
    from torchvision.transforms import functional as F

    picture(tmp_path / "p.png", 3, size)
    image = Image.open(tmp_path / "p.png")
    mode = F.InterpolationMode(method)
    expected = F.pil_to_tensor(F.center_crop(F.resize(image, [resize or side], mode), [side, side]))
    found = fitted(image, Reader((3, side, side), None, Preset(resize=resize, interpolation=method)))
    assert torch.equal(found, expected)


def test_a_picture_of_the_models_size_is_taken_as_it_is(tmp_path):
    picture(tmp_path / "p.png", 1, (8, 8))
    image = Image.open(tmp_path / "p.png")
    found = fitted(image, Reader((3, 8, 8), None, Preset(resize=11)))
    assert np.array_equal(found.permute(1, 2, 0).numpy(), np.asarray(image))


def test_stretching_keeps_no_proportions_and_sides_may_differ():
    image = Image.new("RGB", (40, 10), (9, 9, 9))
    for fit in ("stretch", "crop"):
        assert fitted(image, Reader((3, 6, 12), None, Preset(fit=fit))).shape == (3, 6, 12)


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "CMYK", "1", "I;16", "LA"])
def test_every_kind_of_pixel_becomes_what_the_model_reads(mode, tmp_path):
    path = tmp_path / ("p.tif" if mode in ("CMYK", "I;16") else "p.png")
    Image.new("L", (5, 5), 255).convert(mode if mode != "I;16" else "L").save(path)
    if mode == "I;16":
        Image.fromarray(np.full((5, 5), 65535, np.uint16)).save(path)
    for reader in (Reader((3, 5, 5)), Reader((1, 5, 5))):
        found = fitted(pictures.open_picture(path, "p"), reader)
        assert found.shape == reader.shape and found.dtype == torch.uint8 and found.min() == 255


# --------------------------------------------------------------------------- arrays


def arrays(path, **named):
    np.savez(path, **named)
    return f"npz:{path}"


def test_arrays_become_stratified_halves(tmp_path):
    inputs = np.arange(20, dtype=np.uint8).repeat(16).reshape(20, 1, 4, 4)
    source = arrays(tmp_path / "d.npz", inputs=inputs, targets=np.arange(20) % 2, class_names=["even", "odd"])
    task = load_data(source, GREY)
    tuning, held_out = task.split("tuning"), task.split("held_out")
    assert task.class_names == ("even", "odd") and task.shape == (1, 4, 4) and task.name == "npz:d.npz"
    assert sorted(torch.cat([tuning.inputs, held_out.inputs])[:, 0, 0, 0].tolist()) == list(range(20))
    assert torch.equal(tuning.inputs[:, 0, 0, 0].long() % 2, tuning.targets)
    assert tuning.targets.bincount().tolist() == [5, 5]


@pytest.mark.parametrize(
    "shape, reader",
    [
        ((6, 4, 4), GREY),
        ((6, 4, 4, 1), GREY),
        ((6, 8, 8, 3), SMALL),
        ((6, 3, 8, 8), SMALL),
        ((6, 7), Reader((7,), 3, Preset())),
    ],
)
def test_arrays_are_arranged_as_the_model_reads_them(shape, reader, tmp_path):
    values = np.random.RandomState(0).randint(0, 255, shape, np.uint8)
    split = load_data(arrays(tmp_path / "d.npz", x=values, y=np.arange(6) % 2), reader).split("tuning")
    assert split.inputs.shape == (3, *reader.shape)
    wanted = torch.from_numpy(values)
    wanted = wanted.permute(0, 3, 1, 2) if shape[1:] in ((4, 4, 1), (8, 8, 3)) else wanted
    assert all(any(torch.equal(i, w.reshape(reader.shape)) for w in wanted) for i in split.inputs)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["<f4", ">f4", "<f8", "<f2"])
def test_floats_of_any_kind_are_read_as_they_are(dtype, order, tmp_path):
    values = np.asarray(np.random.RandomState(0).rand(4, 7), dtype, order=order)
    task = load_data(arrays(tmp_path / "d.npz", x=values, y=[0, 1, 0, 1]), Reader((7,), 2, IMAGENET))
    assert task.normalisation == Normalisation() and task.split("tuning").inputs.dtype == torch.float32
    found = torch.cat([task.split("tuning").inputs, task.split("held_out").inputs])
    assert torch.equal(found.sort(0).values, torch.from_numpy(np.sort(values.astype(np.float32), 0)))


def test_options_and_presets_normalise_arrays(tmp_path):
    source = arrays(tmp_path / "d.npz", x=np.zeros((4, 1, 4, 4), np.uint8), y=np.arange(4) % 2)
    assert load_data(source, GREY).normalisation == Normalisation(1 / 255)
    assert load_data(source + "?mean=0.1&std=0.3", GREY).normalisation == Normalisation(
        1 / 255, (0.1,), (0.3,)
    )
    source = arrays(tmp_path / "d.npz", x=np.zeros((4, 1, 4, 4)), y=np.arange(4) % 2)
    assert load_data(source + "?mean=0.1", GREY).normalisation == Normalisation(1.0, (0.1,), (1.0,))


def test_the_arrays_of_a_well_known_file_are_training_and_the_rest(tmp_path):
    image, number = np.zeros((6, 4, 4), np.uint8), np.arange(6) % 2
    task = load_data(
        arrays(tmp_path / "mnist.npz", x_train=image, y_train=number, x_test=image[:4], y_test=number[:4]),
        GREY,
    )
    assert [len(task.split(s)) for s in ("training", "tuning", "held_out")] == [6, 2, 2]


def test_compressed_arrays_are_read_and_fingerprints_follow_the_content(tmp_path):
    inputs, targets = np.zeros((4, 1, 4, 4), np.uint8), np.arange(4)[:, None] % 2
    np.savez_compressed(tmp_path / "d.npz", x=inputs, y=targets)
    first = load_data(f"npz:{tmp_path / 'd.npz'}", GREY)
    assert len(first.split("tuning")) == 2
    np.savez_compressed(tmp_path / "d.npz", x=inputs + 1, y=targets)
    assert load_data(f"npz:{tmp_path / 'd.npz'}", GREY).fingerprint != first.fingerprint


BYTES = np.zeros((4, 1, 4, 4), np.uint8)
ARRAYS = {
    "'d.npz' holds a, b; it takes two arrays: inputs and targets, or x and y": {"a": BYTES, "b": BYTES},
    "'d.npz' has 4 inputs but 3 targets": {"x": BYTES, "y": [0, 1, 0]},
    r"'d\.npz' must be class numbers from 0, since the model gives scores, one for each input, got float64": {
        "x": BYTES,
        "y": [0.0, 1, 0, 1],
    },
    r"one for each input, got int64 of shape \(4, 3\)": {"x": BYTES, "y": np.zeros((4, 3), np.int64)},
    r"one for each input, got int64 of shape \(\)": {"x": BYTES, "y": np.int64(3)},
    r"one for each input, got int64 of shape \(0,\)": {"x": BYTES[:0], "y": np.zeros(0, np.int64)},
    "class numbers from 0, since the model gives scores, got -1 to 1": {"x": BYTES, "y": [0, 1, -1, 1]},
    "has targets up to 2, but there are 2 classes, numbered from 0": {"x": BYTES, "y": [0, 1, 2, 1]},
    r"'x' in 'd\.npz' must be bytes \(uint8\), pixels of 16 bits \(uint16\) or floats, got int64": {
        "x": BYTES.astype(np.int64),
        "y": [0, 1, 0, 1],
    },
    r"Inputs in 'd\.npz' have the shape \(1, 5, 5\), but the model reads \(1, 4": {
        "x": np.zeros((4, 1, 5, 5)),
        "y": [0] * 4,
    },
    "'class_names' in 'd.npz' must be a list of short texts, got float64": {
        "x": BYTES,
        "y": [0] * 4,
        "class_names": [1.0],
    },
}


@pytest.mark.parametrize("sentence", ARRAYS)
def test_arrays_that_are_not_as_they_must_be_are_one_sentence(sentence, tmp_path):
    with pytest.raises(LoadError, match=sentence):
        load_data(arrays(tmp_path / "d.npz", **ARRAYS[sentence]), GREY)


def test_inputs_that_are_no_numbers_are_refused_when_they_are_read(tmp_path):
    values = np.zeros((4, 1, 4, 4), np.float32)
    values[:, 0, 0, 0] = np.nan
    task = load_data(arrays(tmp_path / "d.npz", x=values, y=[0, 1, 0, 1]), GREY)
    with pytest.raises(
        LoadError, match=r"'x' in 'd\.npz' holds NaN or infinite values; clean the data first"
    ):
        task.split("tuning")


def test_a_sample_model_reads_arrays_and_keeps_its_own_names(tmp_path):
    own = load("digits-mlp")
    split = own.task.split("tuning").first(40)
    source = arrays(tmp_path / "d.npz", x=split.inputs.numpy(), y=split.targets.numpy())
    subject = load("digits-mlp", data=source)
    assert subject.task.class_names == own.task.class_names and subject.id == own.id
    assert subject.task.normalisation == own.task.normalisation
    report = prune(analyse(subject), Recipe(), Conditions(latency=False))
    assert report.baseline.samples == 20 and report.baseline.accuracy > 0.7


def test_the_models_own_data_by_name_changes_nothing():
    own = load("digits-mlp", data="digits")
    assert own.card == load("digits-mlp").card and own.card["held_out"]
    with pytest.raises(
        LoadError, match=r"data set 'shapes' have the shape \(3, 32, 32\), but 'digits-mlp' reads \(1, 8, 8\)"
    ):
        load("digits-mlp", data="shapes")


# --------------------------------------------------------------------------- data sets of torchvision


def idx(path, values):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(struct.pack(f">HBB{values.ndim}I", 0, 8, values.ndim, *values.shape) + values.tobytes())


@pytest.fixture
def mnist(tmp_path):
    raw = tmp_path / "MNIST" / "raw"
    for part, count in (("train", 20), ("t10k", 10)):
        numbers = np.arange(count, dtype=np.uint8)
        idx(raw / f"{part}-images-idx3-ubyte", numbers.repeat(784).reshape(-1, 28, 28))
        idx(raw / f"{part}-labels-idx1-ubyte", numbers % 10)
    return tmp_path


@needs("torchvision")
def test_mnist_on_disk_has_training_tuning_and_held_out_samples(mnist):
    task = load_data(f"torchvision:MNIST@{mnist}", Reader((1, 28, 28), 10, Preset()))
    assert [len(task.split(s)) for s in ("training", "tuning", "held_out")] == [20, 5, 5]
    assert task.class_names[3] == "3 - three" and task.name == "MNIST"
    tuning = task.split("tuning")
    assert torch.equal(tuning.inputs[:, 0, 0, 0].long() % 10, tuning.targets)


@needs("torchvision")
def test_its_pictures_are_fitted_to_the_model(mnist):
    task = load_data(f"torchvision:MNIST@{mnist}?samples=3", Reader((3, 16, 16), 10, IMAGENET))
    assert task.split("training").inputs.shape == (3, 3, 16, 16)


@needs("torchvision")
def test_a_truncated_or_missing_data_set_is_one_sentence(mnist, tmp_path):
    with pytest.raises(
        LoadError, match=r"'CIFAR10' was not found whole in .* \(Dataset not found .* nothing is downloaded"
    ):
        load_data(f"torchvision:CIFAR10@{tmp_path}", SMALL)
    file = mnist / "MNIST" / "raw" / "t10k-images-idx3-ubyte"
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(LoadError, match=r"Data set 'MNIST' was not found whole"):
        load_data(f"torchvision:MNIST@{mnist}", Reader((1, 28, 28), 10, Preset()))
    with pytest.raises(
        UnknownNameError,
        match=r"No data set of torchvision named 'VOCDetection'\. Available: CIFAR10, CIFAR100",
    ):
        load_data(f"torchvision:VOCDetection@{mnist}", SMALL)


@pytest.fixture
def cifar(tmp_path, monkeypatch):
    """Twenty pictures a part, in the form of CIFAR-10, with checksums that torchvision takes for the true
    ones.
    """
    kind = optional_packages.torchvision().datasets.CIFAR10
    folder = tmp_path / kind.base_folder
    folder.mkdir()

    def put(name, content):
        (folder / name).write_bytes(pickle.dumps(content))
        return [name, hashlib.md5((folder / name).read_bytes()).hexdigest()]

    numbers = list(range(10)) * 2
    batch = {"data": np.repeat(np.arange(20, dtype=np.uint8), 3072).reshape(20, 3072), "labels": numbers}
    monkeypatch.setattr(kind, "train_list", [put("data_batch_1", batch)])
    monkeypatch.setattr(kind, "test_list", [put("test_batch", batch)])
    name, md5 = put("batches.meta", {"label_names": [f"kind {n}" for n in range(10)]})
    monkeypatch.setattr(kind, "meta", {"filename": name, "key": "label_names", "md5": md5})
    return tmp_path


@needs("torchvision")
def test_cifar_on_disk_is_read_with_its_class_names(cifar):
    task = load_data(f"torchvision:CIFAR10@{cifar}", Reader((3, 32, 32), 10, Preset()))
    assert task.class_names[7] == "kind 7" and len(task.split("tuning")) == len(task.split("held_out")) == 10
    tuning = task.split("tuning")
    assert torch.equal(tuning.inputs[:, 0, 0, 0].long() % 10, tuning.targets)
    names = tuple(f"kind {n}" for n in reversed(range(10)))
    turned = load_data(f"torchvision:CIFAR10@{cifar}", Reader((3, 32, 32), 10, Preset(class_names=names)))
    assert torch.equal(
        turned.split("tuning").inputs[:, 0, 0, 0].long() % 10, 9 - turned.split("tuning").targets
    )


@needs("torchvision")
def test_food_on_disk_is_read_from_its_lists(tmp_path):
    root = tmp_path / "food-101"
    lists = {name: [f"{name}/{n}" for n in range(4)] for name in ("pie", "soup")}
    for part in ("train", "test"):
        (root / "meta").mkdir(parents=True, exist_ok=True)
        (root / "meta" / f"{part}.json").write_text(json.dumps(lists))
    for number, name in enumerate(n for names in lists.values() for n in names):
        picture(root / "images" / f"{name}.jpg", number, (12, 9))
    task = load_data(f"torchvision:Food101@{tmp_path}", Reader((3, 8, 8), 2, Preset()))
    assert task.class_names == ("pie", "soup") and task.split("tuning").targets.bincount().tolist() == [2, 2]


def test_a_data_set_is_refused_without_pillow(pets, monkeypatch):
    def missing(name):
        raise ImportError("No module named 'PIL'")

    monkeypatch.setattr(optional_packages.importlib, "import_module", missing)
    with pytest.raises(
        ExplorerError, match=r"Package pillow cannot be imported .* pip install 'pruning-explorer\[zoo\]'"
    ):
        load_data(f"folder:{pets}", SMALL)


DETECTOR = """
import torch
from torch import nn
class Boxes(nn.Module):
    def __init__(self):
        super().__init__()
        self.body, self.head = nn.Conv2d(3, 8, 3, 2, 1), nn.Conv2d(8, 9, 1)
    def forward(self, x):
        return self.head(self.body(x).relu()).flatten(2).transpose(1, 2)
input_shape = (3, 16, 16)
def make(): return Boxes()
"""


def test_pictures_without_labels_are_for_agreement(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("own.py").write_text(DETECTOR)
    Path("pics").mkdir()
    chance = np.random.default_rng(0)
    for number in range(12):
        Image.fromarray(chance.integers(0, 255, (16, 16, 3), np.uint8)).save(f"pics/{number}.png")
    task = load("own.py:make", data="folder:pics").task
    assert task.metrics == ("cosine_similarity", "relative_error") and "no targets" in task.how[0]
    halves = [task.split(name) for name in ("tuning", "held_out")]
    assert sorted(map(len, halves)) == [6, 6] and all(split.targets is None for split in halves)
    first = sorted(row.sum() for split in halves for row in split.inputs.long())
    files = sorted(int(np.asarray(Image.open(path)).sum()) for path in Path("pics").iterdir())
    assert [int(total) for total in first] == files
    Path("pics/12.png").write_bytes(b"no picture")
    with pytest.raises(LoadError, match=r"12\.png"):
        load("own.py:make", data="folder:pics").task.split("tuning"), task.split("held_out")
    skipped = load("own.py:make", data="folder:pics?skip_damaged=1").task
    assert sum(len(skipped.split(name)) for name in ("tuning", "held_out")) == 12
    Path("pics/deep").mkdir()
    Path("pics/0.png").rename("pics/deep/0.png")  # the negative control: a folder is a class
    assert len(loose_files(Path("pics/deep"), (".png",))) == 1 and loose_files(Path("pics"), (".png",)) == []
