"""Pictures of every depth and shape, hidden and damaged ones: what becomes of them, and what is said."""

import struct
import zlib

import numpy as np
import pytest
import torch
from PIL import Image

from explorer.data import pictures
from explorer.data.pictures import fitted
from explorer.data.reader import Reader, rule_told
from explorer.data.source_text import load_data
from explorer.errors import LoadError, RecipeError
from explorer.loaders.model_text import load
from explorer.values.subject import Preset

GREY = Reader((1, 8, 8), 2, Preset())
RAMP = np.linspace(0, 1, 64).reshape(8, 8)


def saved(values, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).save(path)
    return path


def read(path, reader=GREY):
    return fitted(pictures.open_picture(path, path.name), reader)


# --------------------------------------------------------------------------- depths


@pytest.mark.parametrize(
    ("kind", "scale", "suffix"),
    [
        (np.uint8, 255, ".png"),
        (np.uint16, 65535, ".png"),
        (np.uint16, 65535, ".tiff"),
        (np.uint16, 65535, ".pgm"),
        (np.int32, 65535, ".tiff"),
        (np.float32, 1, ".tiff"),
    ],
)
@pytest.mark.parametrize("channels", [1, 3])
def test_pictures_of_every_depth_are_the_same_picture(kind, scale, suffix, channels, tmp_path):
    path = saved((RAMP * scale).astype(kind), tmp_path / f"p{suffix}")
    found = read(path, Reader((channels, 8, 8), 2, Preset()))
    wanted = torch.from_numpy(np.rint(RAMP * 255).astype(np.uint8))
    assert found.dtype == torch.uint8 and (found.int() - wanted.int()).abs().max() <= 1


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (RAMP.astype(np.float32) * 255, r"from 0 to 255, and those of its kind are read from 0 to 1"),
        (RAMP.astype(np.float32) - 0.5, r"from -0\.5 to 0\.5"),
        (np.full((8, 8), np.nan, np.float32), "from nan to nan"),
        ((RAMP * 1e9).astype(np.int32), r"from 0 to 1e\+09, and those of its kind are read from 0 to 65535"),
    ],
)
def test_numbers_without_a_range_are_not_clipped_in_silence(values, sentence, tmp_path):
    path = saved(values, tmp_path / "p.tiff")
    with pytest.raises(LoadError, match=sentence) as caught:
        read(path)
    assert "p.tiff" in str(caught.value)


def test_the_depth_is_said(tmp_path):
    for name, kind, scale in (("a", np.uint16, 65535), ("b", np.float32, 1)):
        for number in range(3):
            saved((RAMP * scale).astype(kind), tmp_path / name / f"{number}.tiff")
    how = load_data(f"folder:{tmp_path}", GREY).how
    assert "Pictures of 16 bits are scaled to bytes by the range of their type." in how
    assert "Pictures of floats are scaled to bytes by the range of their type." in how
    for number in range(3):
        saved((RAMP * 255).astype(np.uint8), tmp_path / "plain" / "a" / f"{number}.png")
    assert not any("bits" in sentence for sentence in load_data(f"folder:{tmp_path / 'plain'}", GREY).how)


def test_arrays_of_16_bits_are_the_same_pictures(tmp_path):
    y = np.arange(20) % 2
    for name, kind, scale in (("fine", np.uint16, 65535), ("plain", np.uint8, 255)):
        x = np.rint(np.stack([RAMP] * 20) * scale).astype(kind)
        np.savez(tmp_path / f"{name}.npz", x=x, y=y)
    fine, plain = (load_data(f"npz:{tmp_path}/{name}.npz", GREY) for name in ("fine", "plain"))
    found, wanted = fine.split("tuning").inputs, plain.split("tuning").inputs
    assert found.dtype == torch.uint8 and (found.int() - wanted.int()).abs().max() <= 1
    assert fine.normalisation == plain.normalisation and "16 bits" in fine.how[1] and len(plain.how) == 1


# --------------------------------------------------------------------------- shapes


@pytest.mark.parametrize("size", [(1, 60_000), (60_000, 1), (3, 90_000)])
def test_sides_that_are_very_unequal_are_refused_before_they_are_made(size, tmp_path):
    path = tmp_path / "p.png"
    Image.new("L", size).save(path)
    with pytest.raises(
        LoadError, match=r"has sides of .*, and would have .* pixels before its centre"
    ) as caught:
        read(path, Reader((3, 224, 224), 2, Preset(resize=256)))
    assert "p.png" in str(caught.value)
    assert read(path, Reader((3, 224, 224), 2, Preset(fit="stretch"))).shape == (3, 224, 224)


def test_a_strip_is_refused_by_its_header(tmp_path):
    start = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 60_000_000, 8, 0, 0, 0, 0))
    (tmp_path / "p.png").write_bytes(start + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b""))
    with pytest.raises(LoadError, match=r"has 1 x 60000000 pixels; .* and up to 100,000 a side"):
        pictures.open_picture(tmp_path / "p.png", "p.png")


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def test_a_long_picture_that_fits_is_read(tmp_path):
    Image.new("L", (300, 6000), 7).save(tmp_path / "p.png")
    assert (read(tmp_path / "p.png", Reader((1, 32, 32), 2, Preset(resize=36))) == 7).all()


# --------------------------------------------------------------------------- hidden and damaged files


@pytest.fixture
def pets(tmp_path):
    for name in ("cat", "dog"):
        for number in range(6):
            saved((RAMP * 40 * number).astype(np.uint8), tmp_path / name / f"{number}.png")
    return tmp_path


def test_hidden_files_and_folders_are_no_pictures(pets):
    wanted = load_data(f"folder:{pets}", GREY)
    for place in ("cat/._1.png", "cat/.ipynb_checkpoints/1.png", "dog/__MACOSX/1.png", ".thumbs/x/1.png"):
        (pets / place).parent.mkdir(parents=True, exist_ok=True)
        (pets / place).write_bytes(b"no picture")
    (pets / "__MACOSX" / "cat").mkdir(parents=True)
    (pets / "__MACOSX" / "cat" / "1.png").write_bytes(b"no picture")
    found = load_data(f"folder:{pets}", GREY)
    assert found.class_names == ("cat", "dog") and found.fingerprint == wanted.fingerprint
    assert torch.equal(found.split("tuning").inputs, wanted.split("tuning").inputs)


DAMAGE = {"nothing": b"", "half": None, "no picture": b"\x89PNG\r\n\x1a\nmore"}


@pytest.mark.parametrize("what", DAMAGE)
def test_a_damaged_picture_is_told_by_its_path_and_can_be_left_out(what, pets):
    path = pets / "dog" / "3.png"
    path.write_bytes(path.read_bytes()[:60] if what == "half" else DAMAGE[what])
    task = load_data(f"folder:{pets}", GREY)
    with pytest.raises(LoadError, match=r"Picture '.*dog/3\.png' is damaged") as caught:
        [task.split(name) for name in ("tuning", "held_out")]
    assert "skip_damaged=1" in str(caught.value)
    left = load_data(f"folder:{pets}?skip_damaged=1", GREY)
    assert left.how[0] == "One damaged picture was left out, such as dog/3.png."
    assert sum(len(left.split(name)) for name in ("tuning", "held_out")) == 11
    assert left.fingerprint != task.fingerprint


def test_several_are_counted_and_none_is_said(pets):
    assert load_data(f"folder:{pets}?skip_damaged=1", GREY).how[0] == "No picture is damaged."
    for number in (1, 2):
        (pets / "cat" / f"{number}.png").write_bytes(b"x")
    told = load_data(f"folder:{pets}?skip_damaged=1", GREY).how[0]
    assert told == "2 damaged pictures were left out, such as cat/1.png."
    for path in pets.rglob("*.png"):
        path.write_bytes(b"x")
    with pytest.raises(LoadError, match=r"Every picture in .* is damaged"):
        load_data(f"folder:{pets}?skip_damaged=1", GREY)
    for value in ("2", "yes"):
        with pytest.raises((LoadError, RecipeError), match="skip_damaged"):
            load_data(f"folder:{pets}?skip_damaged={value}", GREY)


def test_pictures_of_digits_are_read_as_the_digits_that_come_with_the_model(tmp_path):
    """Its own data go up to 16, pictures up to 255."""
    own = load("digits-mlp")
    split = own.task.split("tuning").first(40)
    for number, (values, digit) in enumerate(zip(split.inputs, split.targets.tolist(), strict=True)):
        place = tmp_path / str(digit) / f"{number}.png"
        place.parent.mkdir(exist_ok=True)
        Image.fromarray((values[0].numpy() * (255 / 16)).astype(np.uint8)).save(place)
    task = load("digits-mlp", data=f"folder:{tmp_path}").task
    assert "Pixels are scaled to 0 to 1, less 0.305" in task.how[1]
    drawn = torch.cat([task.normalisation(task.split(name).inputs) for name in ("tuning", "held_out")])
    stored = own.task.normalisation(split.inputs)
    assert float(drawn.max()) == pytest.approx(float(stored.max()), abs=0.02)
    assert float(drawn.mean()) == pytest.approx(float(stored.mean()), abs=0.02)
    assert rule_told(own.task.normalisation, is_bytes=True, is_given=False).startswith(
        "Pixels from 0 to 16 are scaled to 0 to 1"
    )
