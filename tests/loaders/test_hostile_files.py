"""Files that were made to do harm: each is refused in one sentence or loads as plain data; none runs code or
fills the memory.
"""

import ast
import io
import json
import os
import pickle
import struct
import subprocess
import sys
import zipfile
import zlib
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import safetensors.torch
import torch
from converted import converted
from PIL import Image
from torch import nn

from explorer import tables
from explorer.data import pictures
from explorer.data.reader import Reader
from explorer.data.source_text import load_data
from explorer.engine.conditions import Conditions
from explorer.engine.measure import prune
from explorer.errors import ExplorerError, LoadError
from explorer.figures.style import text
from explorer.graph.analysed import Analysed
from explorer.graph.export import graph_of
from explorer.loaders import pt_weights
from explorer.loaders.model_text import load
from explorer.loaders.uploads import upload
from explorer.loaders.weights import read_fitting
from explorer.machine import optional_packages
from explorer.pruning.decision import decide
from explorer.ui.drawing.layout import plain
from explorer.values.recipe import Recipe
from explorer.values.subject import Preset

ROOT = Path(__file__).parents[2]
MLP = "digits-mlp"
GREY = Reader((1, 4, 4), 2, Preset())


class Crafted:
    """Pickles to a call that makes a folder."""

    def __init__(self, place):
        self.place = str(place)

    def __reduce__(self):
        return os.mkdir, (self.place,)


@pytest.fixture
def canary(tmp_path):
    """A folder that only foreign code would make."""
    place = tmp_path / "foreign code was here"
    yield place
    assert not place.exists()


def one_sentence(action, *args, **kwargs):
    """What the refusal says."""
    with pytest.raises(ExplorerError) as caught:
        action(*args, **kwargs)
    said = str(caught.value)
    assert "\n" not in said and "Traceback" not in said and 20 < len(said) < 700
    return said


def inside(folder):
    """Names of what is in a folder."""
    return sorted(path.name for path in Path(folder).iterdir())


def header(entries, data=b"", length=None):
    """A safetensors file with any header."""
    packed = entries if isinstance(entries, bytes) else json.dumps(entries).encode()
    return struct.pack("<Q", len(packed) if length is None else length) + packed + data


def entry(shape, start, end, dtype="F32"):
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}


# --------------------------------------------------------------------------- the program's own promises


CALLS = {
    ("torch", "load"),
    ("export", "load"),
    ("pickle", "load"),
    ("pickle", "loads"),
    ("np", "load"),
    ("jit", "load"),
    ("hub", "load"),
    ("yaml", "load"),
    ("os", "system"),
    ("marshal", "loads"),
    ("joblib", "load"),
}
SAFE = {("torch", "load"): ("weights_only", True), ("np", "load"): ("allow_pickle", False)}


def risky_calls(source):
    """(owner, name, keywords) of calls that can run what a file says."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        given = {k.arg: getattr(k.value, "value", None) for k in node.keywords}
        if isinstance(node.func, ast.Name) and node.func.id in ("eval", "exec", "compile", "__import__"):
            yield ("builtins", node.func.id), given
        if isinstance(node.func, ast.Attribute):
            owner = node.func.value
            name = (
                owner.attr if isinstance(owner, ast.Attribute) else getattr(owner, "id", ""),
                node.func.attr,
            )
            if name in CALLS:
                yield name, given


def is_given(wanted, given):
    keyword, value = wanted
    return given.get(keyword) is value


@pytest.mark.parametrize(
    "source, is_safe",
    [
        ("torch.export.load(f)", False),
        ("torch.load(f)", False),
        ("torch.load(f, weights_only=True)", True),
        ("np.load(f)", False),
        ("np.load(f, allow_pickle=False)", True),
        ("pickle.load(f)", False),
        ("eval(x)", False),
        ("torch.export.export(m)", True),
        ("json.loads(x)", True),
    ],
)
def test_a_risky_call_is_seen(source, is_safe):
    assert all(name in SAFE and is_given(SAFE[name], given) for name, given in risky_calls(source)) is is_safe


@pytest.mark.parametrize("folder", ["explorer", "pages", "sample_models"])
def test_no_module_opens_files_that_can_run_code(folder):
    for path in (ROOT / folder).rglob("*.py"):
        for name, given in risky_calls(path.read_text(encoding="utf-8")):
            assert name in SAFE and is_given(SAFE[name], given), (
                f"{path.name} calls {'.'.join(name)} with {given}"
            )


# --------------------------------------------------------------------------- programs and pickles


def test_a_crafted_exported_program_is_refused_by_its_name(tmp_path, canary, monkeypatch):
    monkeypatch.setattr(torch.export, "load", lambda *_: pytest.fail("opened"))
    path = tmp_path / "model.pt2"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("archive_format", "pt2")
        file.writestr("serialized_example_inputs.pt", pickle.dumps(Crafted(canary)))
    assert (
        "is an exported program, which can run code when it is opened, so it is never loaded"
        in one_sentence(load, MLP, checkpoint=str(path))
    )
    assert "files of models are not opened" in one_sentence(load, str(path))
    assert "is an exported program" in one_sentence(converted, path)


@pytest.mark.parametrize(
    "content", [lambda c: c, lambda c: {"state_dict": {"a": torch.zeros(1), "b": c}}, lambda c: [c]]
)
@pytest.mark.parametrize("is_zip", [True, False])
def test_a_pickle_with_code_is_not_converted(content, is_zip, tmp_path, canary):
    torch.save(content(Crafted(canary)), tmp_path / "w.pt", _use_new_zipfile_serialization=is_zip)
    said = one_sentence(converted, tmp_path / "w.pt")
    assert said == (
        f"'w.pt' calls {os.mkdir.__module__}.mkdir, which could run code, so nothing of it was read; "
        "save model.state_dict() alone and give that."
    )


def test_the_crafted_object_would_run_elsewhere(tmp_path):
    pickle.loads(pickle.dumps(Crafted(tmp_path / "made")))
    assert (tmp_path / "made").is_dir(), "the canary would have been seen"


def test_plain_pickles_are_not_converted(tmp_path, canary):
    (tmp_path / "w.pt").write_bytes(pickle.dumps(nn.Linear(2, 2)))
    assert "is damaged or not a file of torch.save" in one_sentence(converted, tmp_path / "w.pt")
    (tmp_path / "w.pt").write_bytes(pickle.dumps(Crafted(canary)))
    assert "which could run code" in one_sentence(converted, tmp_path / "w.pt")


@pytest.mark.parametrize("suffix", [".safetensors", ".bin", ".pt", ".pt2", ""])
def test_a_pickle_under_any_name_is_no_checkpoint(suffix, tmp_path, canary):
    path = tmp_path / f"w{suffix}"
    torch.save({"a": Crafted(canary)}, path)
    one_sentence(load, MLP, checkpoint=str(path))
    one_sentence(upload, load(MLP), path.read_bytes())


def test_a_packed_archive_is_not_unpacked(tmp_path):
    torch.save({"a": torch.zeros(10)}, tmp_path / "whole.pt")
    with (
        zipfile.ZipFile(tmp_path / "whole.pt") as whole,
        zipfile.ZipFile(tmp_path / "w.pt", "w", zipfile.ZIP_DEFLATED) as bomb,
    ):
        for name in whole.namelist():
            bomb.writestr(name, bytes(50_000_000) if name.endswith("data/0") else whole.read(name))
    assert (tmp_path / "w.pt").stat().st_size < 100_000
    assert "is damaged or not a file of torch.save" in one_sentence(converted, tmp_path / "w.pt")


def test_a_shape_that_repeats_one_number_is_counted_before_it_is_written_out(tmp_path):
    torch.save({"a": torch.zeros(1).expand(10**12)}, tmp_path / "w.pt")
    assert (tmp_path / "w.pt").stat().st_size < 2000
    said = one_sentence(converted, tmp_path / "w.pt")
    assert said == "The tensors of 'w.pt' need 4,000,000,000,000 bytes; up to 17,179,869,184 are converted."
    torch.save({"a": torch.zeros(30)}, tmp_path / "w.pt")
    assert "need 120 bytes; up to 100 are converted" in one_sentence(converted, tmp_path / "w.pt", limit=100)


def test_names_of_tensors_choose_no_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"../../outside": torch.zeros(1), "/etc/passwd": torch.ones(1)}, "w.pt")
    pt_weights.convert("w.pt", "w.safetensors")
    assert inside(tmp_path) == ["w.pt", "w.safetensors"]
    said = one_sentence(load, MLP, checkpoint="w.safetensors")
    assert "'../../outside'" in said and inside(tmp_path) == ["w.pt", "w.safetensors"]


# --------------------------------------------------------------------------- safetensors


class Two(nn.Module):
    """Two tensors of 16 bytes."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Parameter(torch.zeros(2, 2)), nn.Parameter(torch.zeros(2, 2))


def two(**changes):
    """The header of a file that fits, with changes."""
    return {"a": entry([2, 2], 0, 16), "b": entry([2, 2], 16, 32)} | changes


WHOLE = header(two(), bytes(32))
DAMAGED = {
    "nothing": b"",
    "seven bytes": b"1234567",
    "no header": struct.pack("<Q", 0),
    "a header longer than the file": header(b"{}", length=2**62),
    "a header of the largest length": b"\xff" * 8 + b"{}",
    "a negative length": struct.pack("<q", -1) + b"{}",
    "cut off in the header": WHOLE[:20],
    "cut off in the data": WHOLE[:-1],
    "more than it says": WHOLE + b"x",
    "no JSON": header(b"{]"),
    "a list": header(b"[]"),
    "deeply nested": header(b"[" * 100_000),
    "no UTF-8": header(b"\xff\xfe{}"),
    "a name twice": header(
        json.dumps(two())[:-1].encode() + b"," + json.dumps({"a": entry([8], 0, 32)}).encode()[1:], bytes(32)
    ),
    "a shape of text": header(two(a=entry(["x", 2], 0, 16)), bytes(32)),
    "a shape that is no list": header(two(a=entry(7, 0, 16)), bytes(32)),
    "a tensor that is no object": header(two(a=[1]), bytes(32)),
    "offsets beyond the file": header(two(b=entry([2, 2], 1000, 1016)), bytes(32)),
    "offsets far beyond": header(two(b=entry([2, 2], 2**60, 2**60 + 16)), bytes(32)),
    "offsets the wrong way round": header(two(b=entry([2, 2], 32, 16)), bytes(32)),
    "negative offsets": header(two(b=entry([2, 2], -16, 0)), bytes(32)),
    "overlapping tensors": header(two(b=entry([2, 2], 8, 24)), bytes(24)),
    "the same bytes twice": header(two(b=entry([2, 2], 0, 16)), bytes(16)),
    "a hole": header(two(b=entry([2, 2], 20, 36)), bytes(36)),
    "fewer bytes than its shape": header(two(b=entry([2, 2], 16, 28)), bytes(28)),
    "an unknown type": header(two(a=entry([2, 2], 0, 16, "FOBJECT")), bytes(32)),
    "no offsets": header(two(a={"dtype": "F32", "shape": [2, 2]}), bytes(32)),
    "an archive": b"PK\x03\x04" + bytes(100),
}
ABSURD = {
    "a shape beyond the data": entry([10**6, 10**6], 0, 16),
    "a shape beyond all numbers": entry([2**63, 2**63], 0, 16),
    "a negative shape": entry([-2, -2], 0, 16),
    "a hundred thousand dimensions": entry([1] * 100_000, 0, 16),
}


def test_a_whole_file_passes_that_check(tmp_path):
    (tmp_path / "w.safetensors").write_bytes(WHOLE)
    assert read_fitting(tmp_path / "w.safetensors", Two()).keys() == {"a", "b"}


@pytest.mark.parametrize("what", DAMAGED)
def test_a_damaged_or_crafted_safetensors_file_is_one_sentence(what, tmp_path):
    path = tmp_path / "w.safetensors"
    path.write_bytes(DAMAGED[what])
    said = one_sentence(read_fitting, path, Two())
    assert said.startswith("'w.safetensors' is damaged or not a safetensors file; copy it again")


@pytest.mark.parametrize("what", ABSURD)
def test_an_absurd_shape_is_not_the_models(what, tmp_path):
    path = tmp_path / "w.safetensors"
    path.write_bytes(header(two(a=ABSURD[what]), bytes(32)))
    assert one_sentence(read_fitting, path, Two()).startswith("'a' in 'w.safetensors' has shape (")


@pytest.mark.parametrize("what", ["nothing", "cut off in the data", "an archive"])
def test_an_upload_is_read_as_carefully(what):
    subject = load(MLP)
    content = (
        DAMAGED[what]
        if what != "cut off in the data"
        else safetensors.torch.save(subject.model.state_dict())[:-1]
    )
    assert one_sentence(upload, subject, content).startswith(
        "'uploaded file' is damaged or not a safetensors file"
    )


def test_a_header_of_many_names_is_not_parsed(tmp_path):
    path = tmp_path / "w.safetensors"
    with path.open("wb") as file:
        file.write(struct.pack("<Q", 17 * 1024**2))
        file.truncate(20 * 1024**2)  # a file with a hole: nothing is written
    assert "is damaged or not a safetensors file" in one_sentence(load, MLP, checkpoint=str(path))


def test_a_huge_file_that_does_not_fit_is_refused_by_its_header(tmp_path):
    path = tmp_path / "w.safetensors"
    size = 4 * 10**11  # 400 GB, all hole
    start = header({"a": entry([10**11], 0, size)})
    with path.open("wb") as file:
        file.write(start)
        file.truncate(len(start) + size)
    assert "'w.safetensors' has 'a', which the model has not" in one_sentence(load, MLP, checkpoint=str(path))


@pytest.mark.parametrize("place", ["/dev/zero", "/dev/stdin", "."])
def test_devices_and_folders_are_no_weights(place):
    assert "There is no weights file" in one_sentence(load, MLP, checkpoint=place)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "w.safetensors")
    assert "There is no weights file" in one_sentence(load, MLP, checkpoint=str(tmp_path / "w.safetensors"))


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_load_and_are_not_ranked(bad, tmp_path):
    weights = load(MLP).model.state_dict()
    weights["hidden1.weight"] = torch.full_like(weights["hidden1.weight"], bad)
    path = tmp_path / "w.safetensors"
    path.write_bytes(safetensors.torch.save(weights))
    subject = load(MLP, checkpoint=str(path))
    graph = graph_of(subject)
    assert (
        prune(Analysed(subject, graph), Recipe(), Conditions(samples=20, latency=False)).baseline.samples
        == 20
    )
    for recipe in (Recipe(channels={"hidden1": 0.5}), Recipe(weights={"hidden1": 0.5})):
        assert "'hidden1' hold NaN or infinite values, so they cannot be ranked" in one_sentence(
            decide, Analysed(subject, graph), recipe
        )


# --------------------------------------------------------------------------- folders of transformers


@pytest.fixture
def classifier(tmp_path):
    transformers = optional_packages.uses_torchvision("transformers")
    config = transformers.ResNetConfig(embedding_size=4, hidden_sizes=[4], depths=[1], num_labels=2)
    folder = tmp_path / "net"
    transformers.ResNetForImageClassification(config).save_pretrained(folder)
    return folder


@pytest.mark.skipif(find_spec("transformers") is None, reason="transformers is not installed")
class TestTransformers:
    def test_code_in_the_folder_is_not_run(self, classifier, canary):
        code = (
            f"import os\nos.mkdir({str(canary)!r})\nfrom transformers import PretrainedConfig, "
            "PreTrainedModel\n"
        )
        code += (
            "class C(PretrainedConfig):\n    model_type = 'mine'\nclass M(PreTrainedModel):\n    "
            "config_class = C\n"
        )
        (classifier / "mine.py").write_text(code)
        config = json.loads((classifier / "config.json").read_text())
        links = {
            "AutoConfig": "mine.C",
            "AutoModelForImageClassification": "mine.M",
            "AutoImageProcessor": "mine.M",
        }
        (classifier / "config.json").write_text(
            json.dumps(config | {"model_type": "mine", "auto_map": links})
        )
        assert "needs no code of its own" in one_sentence(load, f"hf:{classifier}")
        (classifier / "config.json").write_text(json.dumps(config | {"auto_map": links}))
        (classifier / "preprocessor_config.json").write_text(
            json.dumps({"auto_map": links, "image_processor_type": "mine.M"})
        )
        assert load(f"hf:{classifier}").model.config.model_type == "resnet", "the known architecture is taken"

    def test_pickled_weights_are_not_read(self, classifier, canary):
        (classifier / "model.safetensors").unlink()
        torch.save({"a": Crafted(canary)}, classifier / "pytorch_model.bin")
        assert "with config.json and model.safetensors that needs no code" in one_sentence(
            load, f"hf:{classifier}"
        )

    def test_pickled_weights_under_another_name_are_not_read(self, classifier, canary):
        torch.save({"a": Crafted(canary)}, classifier / "model.safetensors")
        assert "transformers cannot load" in one_sentence(load, f"hf:{classifier}")

    @pytest.mark.parametrize(
        "changes",
        [
            {"hidden_sizes": [10**6]},
            {"num_channels": 10**9},
            {"hidden_sizes": "x"},
            {"num_labels": 10**10},
            {"num_labels": 9_999_999},
            {"id2label": dict.fromkeys(map(str, range(200_000)), "x")},
            {"depths": [9_999_999]},
            {"depths": [99_999]},
            {"x": [{"0": 1e99}]},
        ],
    )
    def test_absurd_sizes_are_refused_before_they_take_memory(self, classifier, changes, monkeypatch):
        monkeypatch.setenv("PRUNING_EXPLORER_MAX_MODULES", "2000")
        config = json.loads((classifier / "config.json").read_text())
        (classifier / "config.json").write_text(
            json.dumps({k: v for k, v in config.items() if "label" not in k} | changes)
        )
        assert ",," not in one_sentence(load, f"hf:{classifier}")


# --------------------------------------------------------------------------- arrays


def member(shape, dtype="|u1", data=b"", version=(1, 0)):
    """An .npy file with any header."""
    described = f"{{'descr': {dtype!r}, 'fortran_order': False, 'shape': {shape!r}, }}".encode()
    described += b" " * (-(len(described) + 11) % 64) + b"\n"
    return b"\x93NUMPY" + bytes(version) + struct.pack("<H", len(described)) + described + data


def npz(path, **members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(f"{name}.npy", content)
    return f"npz:{path}"


GOOD = {"x": member((4, 1, 4, 4), data=bytes(64)), "y": member((4,), data=b"\0\1\0\1")}
ARRAYS = {
    "a shape beyond the data": member((10**12, 1, 4, 4), data=bytes(64)),
    "a shape beyond all numbers": member((2**62, 2**62), data=bytes(64)),
    "a negative shape": member((-4, 1, 4, 4), data=bytes(64)),
    "less data than it says": member((4, 1, 4, 4), data=bytes(63)),
    "more data than it says": member((4, 1, 4, 4), data=bytes(65)),
    "a shape of text": member(("4",), data=bytes(64)),
    "a type that is none": member((4,), "|PY", bytes(64)),
    "a header that calls": member("__import__('os').mkdir('canary')", data=bytes(64)),
    "a long header": b"\x93NUMPY\x01\x00\xff\xff" + b"(" * 65535,
    "deeply nested": b"\x93NUMPY\x02\x00" + struct.pack("<I", 200_000) + b"[" * 200_000,
    "an unknown version": member((4, 1, 4, 4), data=bytes(64), version=(9, 9)),
    "not an array": b"#!/bin/sh\n",
    "nothing": b"",
    "a pickle": pickle.dumps([1, 2]),
}


def test_the_arrays_to_be_spoiled_are_whole(tmp_path):
    assert len(load_data(npz(tmp_path / "d.npz", **GOOD), GREY).split("tuning")) == 2


@pytest.mark.parametrize("spoiled", ["x", "y"])
@pytest.mark.parametrize("what", ARRAYS)
def test_crafted_arrays_are_one_sentence(what, spoiled, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    source = npz(tmp_path / "d.npz", **(GOOD | {spoiled: ARRAYS[what]}))
    assert one_sentence(load_data, source, GREY).startswith(f"'{spoiled}' in 'd.npz' ")
    assert inside(tmp_path) == ["d.npz"]


def test_pickled_arrays_run_no_code(tmp_path, canary):
    for name in ("x", "y", "class_names"):
        plain_arrays = {"x": np.zeros((4, 1, 4, 4), np.uint8), "y": [0, 1, 0, 1]}
        np.savez(tmp_path / "d.npz", **plain_arrays | {name: np.array([Crafted(canary)] * 4)})
        said = one_sentence(load_data, f"npz:{tmp_path / 'd.npz'}", GREY)
        assert said == f"'{name}' in 'd.npz' holds Python objects, which could run code; store plain numbers."
    (tmp_path / "d.npz").write_bytes(pickle.dumps(Crafted(canary)))
    assert "'d.npz' is damaged or not an .npz file" in one_sentence(
        load_data, f"npz:{tmp_path / 'd.npz'}", GREY
    )


def test_a_bomb_of_arrays_is_refused_by_its_header(tmp_path):
    path = tmp_path / "d.npz"
    claimed = 5 * 1024**3  # bytes; the entry below holds a thousandth and lies about it
    start = member((claimed // 16, 1, 4, 4))
    packed = zlib.compressobj(9, zlib.DEFLATED, -15)
    body = packed.compress(start + bytes(5_000_000)) + packed.flush()
    source = npz(path, **GOOD)
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("y.npy", GOOD["y"])
        info = zipfile.ZipInfo("x.npy")
        file.writestr(info, body)
        info.compress_type, info.file_size = (
            zipfile.ZIP_DEFLATED,
            len(start) + claimed - 2**32,
        )  # 32 bits of the directory
    one_sentence(load_data, source, GREY)
    assert path.stat().st_size < 10_000


def test_large_claims_are_refused_before_memory_is_taken(tmp_path, monkeypatch):
    monkeypatch.setattr("explorer.data.arrays.MAX_BYTES", 10)
    task = load_data(npz(tmp_path / "d.npz", **GOOD), GREY)  # reads the form alone
    assert "needs 32 bytes; up to 10 are read" in one_sentence(task.split, "tuning")  # two samples of 16


def test_a_flipped_bit_is_noticed(tmp_path):
    path = tmp_path / "d.npz"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("x.npy", GOOD["x"])
        file.writestr("y.npy", GOOD["y"])
    content = bytearray(path.read_bytes())
    content[content.index(b"\n" + bytes(20)) + 10] = 1
    path.write_bytes(content)

    def read():
        return load_data(f"npz:{path}", GREY).split("tuning")

    assert one_sentence(read) == "'x' in 'd.npz' is damaged; write the file again with numpy.savez."


def test_names_in_an_archive_choose_no_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    source = npz(tmp_path / "in" / "d.npz", **{"../outside": GOOD["y"], "/tmp/outside": GOOD["y"]})
    assert "it takes two arrays" in one_sentence(load_data, source, GREY)
    load_data(npz(tmp_path / "in" / "d.npz", **GOOD, **{"../outside": GOOD["y"]}), GREY).split("tuning")
    assert inside(tmp_path) == ["in"] and inside(tmp_path / "in") == ["d.npz"]


# --------------------------------------------------------------------------- pictures


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width, height, *extra):
    """A PNG that claims a size and holds next to nothing."""
    start = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return start + b"".join(extra) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")


def saved(kind, **options):
    buffer = io.BytesIO()
    Image.new("RGB", (50, 50)).save(buffer, kind, **options)
    return buffer.getvalue()


BLOWN_UP = b"k\0\0" + zlib.compress(bytes(64_000_000))
PRINTED = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n(x) run\n"
PICTURES = {
    "a million pixels each way": (png(10**6, 10**6), "has"),
    "more pixels than are read": (png(9000, 9000), "has 9000 x 9000 pixels; up to 64,000,000 are read"),
    "next to no data": (png(500, 500), "is damaged"),
    "no size": (png(0, 0), "is damaged"),
    "a text that unpacks to 64 MB": (png(5, 5, chunk(b"zTXt", BLOWN_UP)), "is damaged"),
    "a colour profile that unpacks to 64 MB": (png(5, 5, chunk(b"iCCP", BLOWN_UP)), "is damaged"),
    "a program for printers": (PRINTED, "of no known format"),
    "half a JPEG": (saved("JPEG")[:300], "is damaged"),
    "half a TIFF": (saved("TIFF")[:200], "is damaged"),
    "half a GIF": (saved("GIF")[:20], "is damaged"),
    "half a WebP": (saved("WEBP")[:40], "is damaged"),
    "a page": (b"<html><script>alert(1)</script>", "of no known format"),
    "a drawing": (b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", "of no known format"),
    "a pickle": (pickle.dumps([1]), "of no known format"),
    "nothing": (b"", "of no known format"),
}


@pytest.mark.parametrize("what", PICTURES)
def test_crafted_pictures_are_one_sentence(what, tmp_path, monkeypatch):
    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: pytest.fail("a program was started"))
    content, sentence = PICTURES[what]
    (tmp_path / "class").mkdir()
    for name in ("1.png", "2.jpg"):
        (tmp_path / "class" / name).write_bytes(content)
    task = load_data(f"folder:{tmp_path}", Reader((3, 4, 4), 1, Preset()))
    said = one_sentence(task.split, "tuning")
    assert said.startswith("Picture '") and sentence in said


def test_a_whole_picture_passes_that_check(tmp_path):
    (tmp_path / "p.png").write_bytes(saved("PNG"))
    assert pictures.open_picture(tmp_path / "p.png", "p").size == (50, 50)


@pytest.mark.skipif(find_spec("torchvision") is None, reason="torchvision is not installed")
def test_a_crafted_batch_of_cifar_is_refused_by_its_checksum(tmp_path, canary):
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    for name in ("batches.meta", "test_batch", *(f"data_batch_{n}" for n in range(1, 6))):
        (folder / name).write_bytes(pickle.dumps(Crafted(canary)))
    said = one_sentence(load_data, f"torchvision:CIFAR10@{tmp_path}", Reader((3, 32, 32), 10))
    assert "was not found whole" in said


# --------------------------------------------------------------------------- memory, in a process of its own


BOMBS = {
    "safetensors": "load('digits-mlp', checkpoint=place)",
    "shape": "convert(place, place + '.converted')",
    "picture": "load_data('folder:' + place, Reader((3, 4, 4), 1, Preset())).split('tuning')",
    "bytes": "convert(place, place + '.converted')",
}


def bomb(what, tmp_path):
    path = tmp_path / "bomb"
    if what == "safetensors":
        start = header({"hidden1.weight": entry([64, 10**9], 0, 256 * 10**9)})
        with path.open("wb") as file:
            file.write(start)
            file.truncate(len(start) + 256 * 10**9)
    if what == "shape":
        torch.save({str(k): torch.zeros(1).expand(10**10) for k in range(5)}, path)
    if what == "picture":
        (path / "class").mkdir(parents=True)
        Image.new("1", (20_000, 10_000)).save(
            path / "class" / "1.png"
        )  # 25 kB that unpack to 200 million pixels
        Image.new("1", (20_000, 10_000)).save(path / "class" / "2.png")
    if what == "bytes":  # a pickle that asks for a bytearray of a tenth of a terabyte
        path.write_bytes(b"\x80\x02cbuiltins\nbytearray\nJ\xff\xff\xff\x7f\x85R.")
    return path


@pytest.mark.skipif(sys.platform != "linux", reason="needs a limit on address space")
def test_bombs_stay_within_a_limit_on_memory(tmp_path):
    lines = []
    for what, call in BOMBS.items():
        folder = tmp_path / what
        folder.mkdir()
        lines.append(f"attempt(lambda place: {call}, {str(bomb(what, folder))!r})")
    program = f"""
import resource
from explorer.loaders.pt_weights import convert
from explorer.data.source_text import load_data
from explorer.data.reader import Reader
from explorer.errors import ExplorerError
from explorer.loaders.model_text import load
from explorer.values.subject import Preset
def attempt(action, place):
    try:
        action(place)
        print("no refusal")
    except ExplorerError as error:
        print("refused:", str(error)[:60])
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 2**30, used + 2**30))
{chr(10).join(lines)}
print("peak", next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    words = [sys.executable, "-W", "ignore", "-c", program]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, env=environment)
    said = done.stdout.splitlines()
    assert done.returncode == 0, done.stderr[-2000:]
    assert [line.partition(":")[0] for line in said[:-1]] == ["refused"] * len(BOMBS), done.stdout
    assert int(said[-1].split()[1]) < 1_500_000, "kilobytes"


# --------------------------------------------------------------------------- names that are not what they
# seem


NAMES = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "=cmd|' /C calc'!A0",
    "@SUM(1)",
    "-1+1",
    "+1",
    '"]; evil [label="x',
    "$\\x$",
]
LAYERS = [name for name in NAMES if not set(name) & set("\"'\\")]


@pytest.fixture(scope="module")
def named(tmp_path_factory):
    """A model with layers under such names, but for quotes and backslashes: torch.fx writes names into the
    code it makes.
    """
    path = tmp_path_factory.mktemp("named") / "named.py"
    path.write_text(f"import torch\nfrom torch import nn\nNAMES = {LAYERS!r}\ninput_shape = (6,)\n" + NAMED)
    return load(f"{path}:Named")


NAMED = """
class Named(nn.Module):
    def __init__(self):
        super().__init__()
        for name in NAMES:
            self.add_module(name, nn.Linear(6, 6))

    def forward(self, x):
        for name in NAMES:
            x = torch.relu(getattr(self, name)(x))
        return x
"""


def test_layers_of_any_name_are_analysed_and_pruned(named):
    graph = graph_of(named)
    assert {layer.name for layer in graph.profile.layers} == set(LAYERS)
    report = prune(
        Analysed(named, graph), Recipe(weights=dict.fromkeys(LAYERS, 0.5)), Conditions(latency=False)
    )
    assert report.pruned.nonzero_params < report.baseline.nonzero_params


def test_no_cell_of_a_table_is_a_formula(named):
    profile = graph_of(named).profile
    for frame in (tables.layers(profile), tables.groups(profile)):
        cells = (
            pd.read_csv(io.StringIO(tables.to_csv(frame)), dtype=str, keep_default_na=False)
            .to_numpy()
            .ravel()
        )
        assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@"))]


def test_names_are_shown_and_not_run():
    for name in NAMES:
        assert "<" not in text(name) and "<" not in plain(name).replace("\\<", "")


def test_a_refusal_quotes_no_more_than_the_beginning_of_a_name(tmp_path):
    path = tmp_path / "w.safetensors"
    path.write_bytes(safetensors.torch.save({"x" * 100_000: torch.zeros(1)}))
    assert len(one_sentence(load, MLP, checkpoint=str(path))) < 700


def test_class_names_of_a_file_are_plain_text_of_one_line(tmp_path):
    names = ["<b>\n</b>\x00\x1b[31m", "x" * 1000]
    np.savez(tmp_path / "d.npz", x=np.zeros((4, 1, 4, 4), np.uint8), y=[0, 1, 0, 1], class_names=names)
    assert load_data(f"npz:{tmp_path / 'd.npz'}", GREY).class_names == ("<b> </b> [31m", "x" * 120)


def test_errors_are_explorer_errors():
    assert issubclass(LoadError, ExplorerError)
