"""The data sets: splits, order, and that the drawn pictures are the same everywhere."""

import hashlib

import numpy as np
import pytest
import torch

from explorer.data import mnist, shapes
from explorer.data.ordering import stratified_order
from explorer.data.shapes_distances import CLASSES, DISTANCES
from explorer.errors import ExplorerError, LoadError, UnknownNameError
from explorer.machine import paths
from explorer.registry import DATA


@pytest.fixture
def small_shapes(monkeypatch, tmp_path):
    """Splits of 1,000 samples, cached in an empty folder."""
    monkeypatch.setenv(paths.CACHE_VARIABLE, str(tmp_path))
    monkeypatch.setattr(shapes, "SAMPLES", dict.fromkeys(shapes.SAMPLES, 1000))
    return tmp_path


def digest(inputs, targets):
    return hashlib.sha256(inputs.tobytes() + targets.tobytes()).hexdigest()[:16]


def test_pictures_are_those_that_the_fingerprint_names():
    assert digest(*shapes.make_split("tuning", 1000)) == shapes.FINGERPRINT


def test_another_seed_gives_another_digest():
    assert digest(*shapes.make_split("held_out", 1000)) != shapes.FINGERPRINT


def test_fewer_samples_are_the_beginning_of_more():
    few, many = shapes.make_split("tuning", 30), shapes.make_split("tuning", 1001)
    assert (few[0] == many[0][:30]).all() and (few[1] == many[1][:30]).all()


def test_splits_share_no_picture():
    seen = [{picture.tobytes() for picture in shapes.make_split(name, 1000)[0]} for name in shapes.SAMPLES]
    assert all(len(split) == 1000 for split in seen)
    assert len(set.union(*seen)) == 3000


def test_each_ten_shapes_in_a_row_are_all_ten_classes():
    targets = shapes.make_split("training", 2000)[1].reshape(-1, 10)
    assert (np.sort(targets, axis=1) == np.arange(10)).all()
    assert len({tuple(row) for row in targets.tolist()}) > 150, "and their order varies"


@pytest.mark.parametrize("name", CLASSES)
def test_every_shape_is_drawn_inside_its_frame(name):
    line = np.linspace(-1.6, 1.6, 129, dtype=np.float32)
    inside = DISTANCES[name](*np.meshgrid(line, line)) < 0
    assert 0.05 < inside.mean() < 0.3
    assert not inside[[0, -1]].any() and not inside[:, [0, -1]].any()


def test_points_inside_and_outside_of_shapes():
    def point(name, x, y):
        return float(DISTANCES[name](np.float32([x]), np.float32([y]))[0])

    assert point("circle", 0, 0) == pytest.approx(-0.8)
    assert point("circle", 0.6, 0.8) == pytest.approx(0.2)
    assert point("ring", 0, 0) > 0 > point("ring", 0.66, 0)
    assert point("square", 0.69, 0.69) < 0 < point("circle", 0.69, 0.69)
    assert point("crescent", 0.45, 0) > 0 > point("crescent", -0.6, 0)
    assert point("cross", 0.5, 0.5) > 0 > point("cross", 0.5, 0.0)


def test_a_shapes_split_has_its_documented_form(small_shapes):
    split = DATA["shapes"]().split("tuning")
    assert split.inputs.shape == (1000, 3, 32, 32) and split.inputs.dtype == torch.uint8
    assert split.targets.dtype == torch.int64 and split.targets.bincount().tolist() == [100] * 10


def test_the_cache_is_read_and_remade_when_damaged(small_shapes, monkeypatch):
    first = shapes.load_split("tuning")
    (file,) = small_shapes.iterdir()
    whole = file.read_bytes()

    with monkeypatch.context() as patch:
        patch.setattr(shapes, "make_split", lambda *_: pytest.fail("drawn again"))
        assert torch.equal(shapes.load_split("tuning").inputs, first.inputs)

    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 1
    for damaged in (whole[: len(whole) // 2], b"", b"not a zip", bytes(flipped)):
        file.write_bytes(damaged)
        assert torch.equal(shapes.load_split("tuning").inputs, first.inputs)
        assert file.read_bytes() == whole
    assert [path.name for path in small_shapes.iterdir()] == [file.name], "no temporary file is left"


def test_a_cache_that_cannot_be_written_is_no_error(small_shapes, monkeypatch):
    occupied = small_shapes / "file"
    occupied.write_text("")
    monkeypatch.setenv(paths.CACHE_VARIABLE, str(occupied / "below"))
    assert len(shapes.load_split("tuning")) == 1000


def test_digits_splits_are_disjoint_parts_of_all_1797():
    task = DATA["digits"]()
    splits = [task.split(name) for name in ("training", "tuning", "held_out")]
    assert [len(split) for split in splits] == [897, 450, 450]
    assert all(split.inputs.shape[1:] == (1, 8, 8) and split.inputs.dtype == torch.uint8 for split in splits)
    assert sum(len(split) for split in splits) == 1797
    assert max(int(split.inputs.max()) for split in splits) == 16
    assert all(split.targets.bincount(minlength=10).min() >= len(split) * 0.09 for split in splits)


def test_digits_normalise_to_zero_mean_and_unit_variance():
    task = DATA["digits"]()
    values = task.normalisation(task.split("training").inputs)
    assert values.mean().item() == pytest.approx(0, abs=0.02) and values.std().item() == pytest.approx(
        1, abs=0.02
    )


def test_missing_digits_are_one_sentence(monkeypatch, tmp_path):
    monkeypatch.setattr(paths, "sample_models", lambda: tmp_path)
    with pytest.raises(LoadError, match=r"digits\.npz could not be read; install"):
        DATA["digits"]().split("tuning")


@pytest.mark.parametrize("name", list(DATA))
def test_an_unknown_split_is_refused(name):
    with pytest.raises((UnknownNameError, ExplorerError), match="split"):
        DATA[name]().split("validation")


def test_stratified_prefixes_keep_the_mix():
    targets = torch.cat([torch.zeros(800), torch.ones(150), torch.full((50,), 2)]).long()
    order = stratified_order(targets, seed=0)
    assert order.sort().values.tolist() == list(range(1000))
    for samples in (20, 100, 500):
        counts = targets[order[:samples]].bincount(minlength=3) / samples
        assert (counts - torch.tensor([0.8, 0.15, 0.05])).abs().max() <= 2 / samples


def test_the_order_depends_on_the_seed_alone():
    targets = torch.arange(100) % 7
    assert torch.equal(stratified_order(targets, 3), stratified_order(targets, 3))
    assert not torch.equal(stratified_order(targets, 3), stratified_order(targets, 4))


def test_a_folder_sorted_by_class_would_fail_the_prefix_test():
    targets = torch.arange(100) // 10
    assert len(targets[:10].unique()) == 1
    assert len(targets[stratified_order(targets, 0)[:10]].unique()) >= 7


# --------------------------------------------------------------------------- mnist


def test_mnist_is_the_real_one_whole_and_in_fixed_order():
    pictures, classes = mnist.arrays()
    held = hashlib.sha256(pictures.tobytes() + classes.tobytes()).hexdigest()
    assert pictures.shape == (70_000, 28, 28) and held.startswith(mnist.FINGERPRINT)
    # how often each digit occurs, as in the original files
    training = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    test = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert np.bincount(classes[:60_000]).tolist() == training
    assert np.bincount(classes[60_000:]).tolist() == test
    assert pictures[:60_000].mean() / 255 == pytest.approx(0.1307, abs=1e-4)  # as is told of it everywhere
    assert [len(mnist.load_split(name)) for name in mnist.BOUNDS] == [55_000, 5_000, 10_000]


def test_a_damaged_mnist_is_refused(monkeypatch, tmp_path):
    (tmp_path / "data").mkdir()
    whole = (paths.sample_models() / "data" / "mnist.xz").read_bytes()
    monkeypatch.setattr(mnist.paths, "sample_models", lambda: tmp_path)
    for content in (whole[:1000], b"", b"nothing packed"):
        (tmp_path / "data" / "mnist.xz").write_bytes(content)
        with pytest.raises(LoadError, match="install the program again"):
            mnist.arrays.__wrapped__()
    with pytest.raises(UnknownNameError, match="training, tuning, held_out"):
        mnist.load_split("validation")
