"""Weights as people have them: in the wrappings of training programs, in pieces, in several files, with
another head. What is read equals what torch itself reads; nothing in a file is run.
"""

import argparse
import collections
import datetime
import enum
import json
import os
import pathlib
import pickle
import types
import zipfile
from importlib.util import find_spec

import numpy as np
import pytest
import safetensors.torch
import torch
from converted import converted
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils import parametrizations, prune

from explorer.commands.main import main
from explorer.errors import ExplorerError, LoadError, UnknownNameError
from explorer.loaders import pt_archives
from explorer.loaders.model_text import count_classes, load
from explorer.loaders.pickled_calls import CodeFoundError, PickledCall
from explorer.loaders.pickled_data import read_pickle
from explorer.loaders.pt_weights import convert
from explorer.loaders.weights import load_weights
from explorer.machine import optional_packages


class Net(nn.Module):
    """Ties, norms and a buffer that is not kept."""

    def __init__(self):
        super().__init__()
        self.enter, self.norm = nn.Linear(3, 4, bias=False), nn.BatchNorm1d(4)
        self.first, self.second = nn.Linear(4, 4), nn.Linear(4, 4)
        self.second.weight = self.first.weight
        self.register_buffer("passing", torch.ones(2), persistent=False)

    def forward(self, x):
        return self.second(self.first(self.norm(self.enter(x))))


class Colour(enum.Enum):
    RED = 1


class Options(dict):
    """A mapping of a class of its own, as configurations are."""


def same(found, wanted):
    assert found.keys() == wanted.keys()
    for name, tensor in wanted.items():
        assert found[name].dtype == tensor.dtype and found[name].shape == tensor.shape, name
        assert torch.equal(found[name].reshape(-1).view(torch.uint8), tensor.reshape(-1).view(torch.uint8))


def weights():
    torch.manual_seed(3)
    return {name: tensor.clone() for name, tensor in Net().state_dict().items()}


BESIDE = {
    "numbers of numpy": {"best": np.float64(0.9), "step": np.int64(3), "on": np.bool_(True)},
    "arrays of numpy": {"curve": np.arange(6.0).reshape(2, 3), "names": np.array(["a", "b"])},
    "paths": {"args": {"out": pathlib.Path("/x/y"), "pure": pathlib.PurePosixPath("z")}},
    "times": {"when": datetime.datetime(2024, 1, 2), "took": datetime.timedelta(seconds=3)},
    "mappings": {"seen": collections.defaultdict(int, a=1), "c": collections.Counter("aab")},
    "words of a command line": {"args": argparse.Namespace(lr=0.1), "more": types.SimpleNamespace(x=1)},
    "classes of its own": {"options": Options(a=1), "colour": Colour.RED},
    "others": {"r": range(3), "s": {1, 2}, "f": frozenset("ab"), "z": 1j, "d": torch.float16, "b": b"x"},
    "functions": {"act": torch.relu, "kind": nn.Linear, "join": os.path.join},
    "an optimiser": {"optimizer": {"state": {0: {"exp_avg": torch.ones(4, 3)}}, "param_groups": [{}]}},
    "nothing": {},
}


@pytest.mark.parametrize("is_zip", [True, False], ids=["archive", "older form"])
@pytest.mark.parametrize("what", BESIDE)
def test_what_stands_next_to_the_weights_does_not_matter(what, is_zip, tmp_path):
    path, wanted = tmp_path / "w.pt", weights()
    torch.save({"model": wanted, "epoch": 3, **BESIDE[what]}, path, _use_new_zipfile_serialization=is_zip)
    same(converted(path), torch.load(path, weights_only=False)["model"])
    model = Net()
    load_weights(model, path)
    same(model.state_dict(), wanted)


WRAPPINGS = {
    "plain": lambda w: w,
    **{
        key: lambda w, key=key: {key: w, "epoch": 1}
        for key in (
            *("state_dict", "model_state_dict", "model", "module", "net", "model_state", "params_ema"),
            *("weights", "network", "net_state_dict", "teacher", "generator", "a name of its own"),
        )
    },
    "three deep": lambda w: {"checkpoint": {"state": {"model": w}}},
    "in a list": lambda w: [{"epoch": 1}, w],
    "in an object": lambda w: argparse.Namespace(model=w, epoch=2),
    "with prefixes": lambda w: {"state_dict": {f"module._orig_mod.{k}": v for k, v in w.items()}},
    "beside a criterion": lambda w: {"state_dict": {f"model.{k}": v for k, v in w.items()} | EXTRA},
    "an average, too": lambda w: {"model": w, "model_ema": {k: v + 1 for k, v in w.items()}},
    "a single tensor beside it": lambda w: {"centre": torch.ones(5), "student": w},
    "as parameters": lambda w: {"model": {k: nn.Parameter(v, False) for k, v in w.items()}},
    "as arrays of numpy": lambda w: {"model": {k: v.numpy() for k, v in w.items()}},
    "in one order by columns": lambda w: {
        "model": {k: np.asfortranarray(v.numpy()) if v.dim() > 1 else v.numpy() for k, v in w.items()}
    },
}
EXTRA = {"loss.weight": torch.ones(3)}


@pytest.mark.parametrize("what", WRAPPINGS)
def test_weights_are_found_in_all_usual_wrappings(what, tmp_path):
    path, wanted = tmp_path / "w.pt", weights()
    torch.save(WRAPPINGS[what](wanted), path)
    model = Net()
    load_weights(model, path)
    same(model.state_dict(), wanted)
    convert(path, tmp_path / "w.safetensors")
    again = Net()
    load_weights(again, tmp_path / "w.safetensors")
    same(again.state_dict(), wanted)


def test_what_was_left_out_is_said(tmp_path):
    names = {f"model.{name}": tensor for name, tensor in weights().items()}
    torch.save({"state_dict": names | EXTRA}, tmp_path / "w.pt")
    assert load_weights(Net(), tmp_path / "w.pt") == " (those of 'state_dict') without 'loss.weight'"
    torch.save({"state_dict": weights() | EXTRA}, tmp_path / "w.pt")
    with pytest.raises(LoadError, match=r"has 'loss\.weight', which the model has not"):
        load_weights(Net(), tmp_path / "w.pt")


def test_a_whole_model_gives_its_weights_and_runs_nothing(tmp_path, monkeypatch):
    path, model = tmp_path / "w.pt", Net()
    torch.save({"model": model, "epoch": 1}, path)
    monkeypatch.setattr(Net, "__setstate__", lambda *_: pytest.fail("built"), raising=False)
    same(converted(path), model.state_dict())


def test_a_scripted_model_gives_its_weights(tmp_path):
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.Sequential(nn.ReLU(), nn.Linear(4, 2)))
    torch.jit.trace(model.eval(), torch.zeros(1, 3, 4, 4)).save(str(tmp_path / "w.pt"))
    same(converted(tmp_path / "w.pt"), model.state_dict())


NUMBERS = (
    *(torch.float16, torch.bfloat16, torch.float64, torch.uint8, torch.int8, torch.int16, torch.int32),
    *(torch.int64, torch.bool),
)


@pytest.mark.parametrize("is_zip", [True, False])
def test_tensors_of_every_kind_equal_those_that_torch_reads(is_zip, tmp_path):
    whole, path = torch.arange(24.0).view(2, 3, 4), tmp_path / "w.pt"
    content = {
        **{str(kind): torch.arange(6).to(kind) for kind in (torch.float16, torch.bfloat16, torch.float64)},
        **{
            str(kind): torch.arange(6).to(kind) for kind in (torch.uint8, torch.int8, torch.int16, torch.bool)
        },
        "turned": whole.permute(2, 0, 1),
        "part": whole[:, 1],
        "tied": whole,
        "again": whole,
        "copied": torch.tensor([[1.0], [2.0]]).expand(2, 5),
        "number": torch.tensor(2.5),
        "empty": torch.zeros(0, 3),
        "complex": torch.tensor([1 + 2j]),
    }
    if is_zip:  # torch itself does not write it in the older form
        content["float8"] = torch.ones(4, dtype=torch.float8_e4m3fn)
    torch.save(content, path, _use_new_zipfile_serialization=is_zip)
    same(converted(path), {name: tensor.contiguous() for name, tensor in torch.load(path).items()})


# --------------------------------------------------------------------------- several places


def test_the_place_is_said_and_can_be_chosen(tmp_path, capsys):
    path, out, one = tmp_path / "w.pt", tmp_path / "w.safetensors", weights()
    two = {name: tensor + 1 for name, tensor in one.items()}
    torch.save({"model": one, "model_ema": two}, path)
    assert main(["convert", str(path), str(out)]) == 0
    said = capsys.readouterr().err
    assert "7 tensors from 'model'" in said.replace(f"{len(one)} tensors", "7 tensors")
    assert "There are weights in 'model_ema', too; choose with --key NAME." in said
    same(safetensors.torch.load_file(out), one)
    assert main(["convert", str(path), str(out), "--key", "model_ema"]) == 0
    same(safetensors.torch.load_file(out), two)
    assert main(["convert", str(path), str(out), "--key", "none"]) == 2
    assert (
        "No key with tensors in 'w.pt' named 'none'. Available: model, model_ema." in capsys.readouterr().err
    )
    with pytest.raises(LoadError, match="takes no --key"):
        convert(out, tmp_path / "x", key="model")


def test_names_in_bytes_are_read_as_text(tmp_path):
    torch.save({name.encode(): tensor for name, tensor in weights().items()}, tmp_path / "w.pt")
    same(converted(tmp_path / "w.pt"), weights())


def test_what_else_would_fit_is_said(tmp_path):
    torch.save({"student": Net().state_dict(), "teacher": Net().state_dict(), "step": 3}, tmp_path / "w.pt")
    model = Net()
    assert load_weights(model, tmp_path / "w.pt") == " (those of 'student'; 'teacher' would fit, too)"
    stored = torch.load(tmp_path / "w.pt")["student"]
    assert all(torch.equal(tensor, stored[name]) for name, tensor in model.state_dict().items())


def test_a_file_of_very_many_tensors_is_refused_soon(tmp_path, monkeypatch):
    monkeypatch.setattr(pt_archives, "MAX_RECORDS", 50)
    torch.save({f"layer.{k}": torch.empty(0) for k in range(60)}, tmp_path / "w.pt")
    with pytest.raises(
        LoadError, match=r"'w\.pt' holds 6\d tensors and other records; up to 50 are read; save"
    ):
        convert(tmp_path / "w.pt", tmp_path / "w.safetensors")


def test_equally_likely_places_are_listed(tmp_path):
    path = tmp_path / "w.pt"
    torch.save({"teacher": weights(), "student": weights()}, path)
    with pytest.raises(LoadError, match=r"in several places, 'teacher', 'student'; choose one with --key"):
        convert(path, tmp_path / "o")
    same(converted(path, key="student"), weights())


def test_parts_of_a_model_are_put_together_where_the_model_is_known(tmp_path):
    model, path = nn.ModuleDict({"encoder": nn.Linear(3, 2), "decoder": nn.Linear(2, 3)}), tmp_path / "w.pt"
    parts = {name: part.state_dict() for name, part in model.items()}
    torch.save({**parts, "optimizer": {"state": {0: {"exp_avg": torch.ones(2)}}}}, path)
    again = nn.ModuleDict({"encoder": nn.Linear(3, 2), "decoder": nn.Linear(2, 3)})
    load_weights(again, path)
    same(again.state_dict(), model.state_dict())


def test_two_models_under_prefixes_of_one_file_are_not_guessed(tmp_path):
    path, one = tmp_path / "w.pt", weights()
    flat = {f"{part}.{name}": tensor for part in ("query", "momentum") for name, tensor in one.items()}
    torch.save(flat, path)
    with pytest.raises(LoadError, match=r"under 'query\.' and 'momentum\.'; write one .* --key query"):
        load_weights(Net(), path)
    same(converted(path, key="query"), one)


def test_a_file_without_weights_says_what_it_holds(tmp_path):
    torch.save({"epoch": 3, "best": torch.tensor(0.5)}, tmp_path / "w.pt")
    with pytest.raises(LoadError, match=r"holds no tensors by name \(its keys are 'epoch', 'best'\)"):
        converted(tmp_path / "w.pt")


def test_no_tensor_is_lost_to_another_of_the_same_name(tmp_path):
    torch.save({1: torch.zeros(2), "1": torch.ones(3)}, tmp_path / "w.pt")
    with pytest.raises(LoadError, match="holds two tensors called '1', once as a number and once as a text"):
        convert(tmp_path / "w.pt", tmp_path / "o")
    torch.save({1: torch.zeros(2), "2": torch.ones(3)}, tmp_path / "w.pt")
    assert set(converted(tmp_path / "w.pt")) == {"1", "2"}, "numbers alone are names"


def test_no_place_is_lost_to_another_of_the_same_name(tmp_path):
    one, other = {"weight": torch.zeros(2)}, {"weight": torch.ones(3)}
    torch.save({"state_dict": {1: one, "1": other}}, tmp_path / "w.pt")
    with pytest.raises(LoadError, match=r"holds weights in several places, .*choose one with --key"):
        convert(tmp_path / "w.pt", tmp_path / "o")
    same(converted(tmp_path / "w.pt", key="state_dict.1"), one)
    same(converted(tmp_path / "w.pt", key="state_dict.'1'"), other)
    torch.save({"state_dict": {1: one, "2": other}}, tmp_path / "w.pt")
    same(converted(tmp_path / "w.pt", key="state_dict.2"), other)


# --------------------------------------------------------------------------- in pieces, in several files


def pruned(model):
    for module in (model[0], model[2]):
        prune.l1_unstructured(module, "weight", amount=0.5)
    prune.random_unstructured(model[2], "bias", amount=0.3)
    return model


def normed_now(model):
    parametrizations.weight_norm(model[0])
    return model


def normed_whole(model):
    parametrizations.weight_norm(model[2], dim=None)
    return model


def normed_before(model):
    nn.utils.weight_norm(model[0])
    nn.utils.weight_norm(model[2], dim=1)
    return model


def chain():
    torch.manual_seed(5)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 2, 3))


@pytest.mark.parametrize("prefix", ["", "model."])
@pytest.mark.parametrize("store", [pruned, normed_now, normed_whole, normed_before])
@pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning")
def test_weights_in_pieces_are_put_together(store, prefix, tmp_path):
    stored = store(chain())
    with torch.no_grad():
        for parameter in stored.parameters():
            parameter.mul_(1.7)
    torch.save({f"{prefix}{name}": tensor for name, tensor in stored.state_dict().items()}, tmp_path / "w.pt")
    model, x = chain(), torch.randn(2, 3, 7, 7)
    load_weights(model, tmp_path / "w.pt")
    assert torch.allclose(model(x), stored(x), atol=1e-6)


def test_a_model_that_has_the_pieces_takes_them_as_they_are(tmp_path):
    stored, model = pruned(chain()), pruned(chain())
    torch.save(stored.state_dict(), tmp_path / "w.pt")
    load_weights(model, tmp_path / "w.pt")
    same(model.state_dict(), stored.state_dict())


def parts(folder, state, **changes):
    """A model in two files with an index, as transformers writes large ones."""
    names, folder = list(state), folder / "parts"
    folder.mkdir(exist_ok=True)
    where = {name: f"{1 + (place > 2)}.safetensors" for place, name in enumerate(names)}
    for file in set(where.values()):
        own = {name: state[name].clone() for name in names if where[name] == file}
        safetensors.torch.save_file(own, folder / file)
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {}, "weight_map": where | changes}))
    return index


def test_a_model_in_several_files_is_read_by_its_index_or_its_folder(tmp_path):
    index = parts(tmp_path, weights())
    for place in (index, index.parent):
        model = Net()
        load_weights(model, place)
        same(model.state_dict(), weights())
    convert(index, tmp_path / "w.safetensors")
    same(safetensors.torch.load_file(tmp_path / "w.safetensors"), weights())


@pytest.mark.parametrize(
    "changes, sentence",
    [
        ({"x": "../w.safetensors"}, r"refers to '\.\./w\.safetensors', outside of its folder"),
        ({"x": "/etc/passwd"}, "refers to '/etc/passwd', outside of its folder"),
        ({"x": "3.safetensors"}, r"needs '3\.safetensors' next to it, which is not there"),
        ({"x": "1.safetensors"}, r"'1\.safetensors' lacks 'x', which '.*' says is in it"),
        ({"x": 7}, "is damaged or not a safetensors file"),
    ],
)
def test_an_index_that_is_not_true_is_one_sentence(changes, sentence, tmp_path):
    with pytest.raises(LoadError, match=sentence):
        load_weights(Net(), parts(tmp_path, weights(), **changes))


KINDS = {
    "m.gguf": (b"GGUF\x03\0\0\0" + bytes(64), "is a GGUF file, the format of llama"),
    "m.onnx": (b"\x08\x08\x12\x07pytorch" + bytes(64), "is an ONNX model"),
    "m.h5": (b"\x89HDF\r\n\x1a\n" + bytes(64), "is an HDF5 file, the format of Keras"),
    "m.npy": (b"\x93NUMPY\x01\0" + bytes(64), "is an array of numpy"),
    "m.tflite": (b"\x1c\0\0\0TFL3" + bytes(64), "is a model of TensorFlow Lite"),
    "pointer.safetensors": (b"version https://git-lfs.github.com/spec/v1\n", "get it with 'git lfs pull'"),
    "page.pt": (b"<!DOCTYPE html><html>", "is a web page, as a failed download leaves it"),
    "m.pt.gz": (b"\x1f\x8b\x08" + bytes(64), r"is a packed file \(gzip\); unpack it first"),
}


@pytest.mark.parametrize("name", KINDS)
def test_files_of_other_programs_are_named_for_what_they_are(name, tmp_path):
    content, sentence = KINDS[name]
    (tmp_path / name).write_bytes(content)
    for action in (lambda path: load_weights(Net(), path), lambda path: convert(path, tmp_path / "o")):
        with pytest.raises(LoadError, match=sentence) as caught:
            action(tmp_path / name)
        assert "damaged" not in str(caught.value)


def test_archives_of_other_programs_are_named_for_what_they_are(tmp_path):
    np.savez(tmp_path / "m.npz", a=np.zeros(3))
    with pytest.raises(LoadError, match=r"is a file of numpy arrays \(\.npz\)"):
        load_weights(Net(), tmp_path / "m.npz")
    with zipfile.ZipFile(tmp_path / "m.pt", "w") as file:
        file.writestr("a/readme.txt", "x")
    with pytest.raises(LoadError, match="is a zip archive without weights of torch"):
        load_weights(Net(), tmp_path / "m.pt")


# --------------------------------------------------------------------------- another head


@pytest.mark.skipif(find_spec("torchvision") is None, reason="torchvision is not installed")
@pytest.mark.parametrize("name", ["resnet18", "squeezenet1_1", "googlenet"])
def test_the_head_of_a_torchvision_model_is_as_large_as_its_weights(name, tmp_path):
    models = optional_packages.torchvision().models
    options = {"init_weights": True} if name == "googlenet" else {}
    torch.save(
        models.get_model(name, weights=None, num_classes=10, **options).state_dict(), tmp_path / "w.pt"
    )
    subject = load(f"torchvision:{name}", checkpoint=str(tmp_path / "w.pt"))
    assert count_classes(subject) == 10 and subject.preset.class_names == ()
    assert "whose head tells 10 classes apart" in subject.card["description"]


@pytest.mark.skipif(find_spec("timm") is None, reason="timm is not installed")
def test_the_head_of_a_timm_model_is_as_large_as_its_weights(tmp_path):
    timm = optional_packages.uses_torchvision("timm")
    torch.save(timm.create_model("test_vit", num_classes=7).state_dict(), tmp_path / "w.pt")
    subject = load("timm:test_vit", checkpoint=str(tmp_path / "w.pt"))
    assert count_classes(subject) == 7 and "tells 7 classes apart" in subject.card["description"]


@pytest.mark.skipif(find_spec("transformers") is None, reason="transformers is not installed")
def test_the_head_of_a_transformers_model_is_as_large_as_its_weights(tmp_path):
    transformers = optional_packages.uses_torchvision("transformers")

    def network(labels):
        config = transformers.ResNetConfig(embedding_size=4, hidden_sizes=[4], depths=[1], num_labels=labels)
        return transformers.ResNetForImageClassification(config)

    network(2).save_pretrained(tmp_path / "net")
    torch.save(network(9).state_dict(), tmp_path / "w.pt")
    assert count_classes(load(f"hf:{tmp_path / 'net'}", checkpoint=str(tmp_path / "w.pt"))) == 9
    assert count_classes(load(f"hf:{tmp_path / 'net'}")) == 2


@pytest.mark.skipif(find_spec("torchvision") is None, reason="torchvision is not installed")
def test_weights_that_differ_in_more_than_the_head_are_refused(tmp_path):
    models = optional_packages.torchvision().models
    torch.save(models.resnet34(num_classes=10).state_dict(), tmp_path / "w.pt")
    with pytest.raises(LoadError, match="only weights of the same architecture fit"):
        load("torchvision:resnet18", checkpoint=str(tmp_path / "w.pt"))


# --------------------------------------------------------------------------- data, not code


class Crafted:
    def __init__(self, function, *args):
        self.function, self.args = function, args

    def __reduce__(self):
        return self.function, self.args


@pytest.mark.parametrize("protocol", range(6))
def test_no_name_of_a_pickle_is_looked_up(protocol, tmp_path, monkeypatch):
    canary = tmp_path / "made"
    (tmp_path / "foreign_module.py").write_text(f"open({str(canary)!r}, 'w')\ndef run(*args): pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    content = pickle.dumps({"a": Crafted(making_a_folder, str(canary))}, protocol)
    content = content.replace(b"making_a_folder", b"run").replace(b"test_checkpoints", b"foreign_module")
    if protocol < 4:  # later ones keep the lengths of names, which would have to be changed, too
        assert read_pickle(content)["a"].name == "foreign_module.run"
    found = read_pickle(pickle.dumps({"a": Crafted(making_a_folder, str(canary))}, protocol))
    assert isinstance(found["a"], PickledCall) and found["a"].args == (str(canary),) and not canary.exists()
    for function in (os.mkdir, eval, exec, os.system):
        with pytest.raises(CodeFoundError):
            read_pickle(pickle.dumps([Crafted(function, "x")], protocol))


def making_a_folder(path):
    pathlib.Path(path).mkdir()


def test_that_pickle_would_make_a_folder_elsewhere(tmp_path):
    pickle.loads(pickle.dumps(Crafted(making_a_folder, str(tmp_path / "made"))))
    assert (tmp_path / "made").is_dir(), "the canary would have been seen"


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: (
        st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text() | st.integers(), inner)
    ),
    max_leaves=30,
)


@settings(max_examples=200, deadline=None)
@given(PLAIN, st.integers(0, 5))
def test_plain_data_is_what_python_reads(value, protocol):
    content = pickle.dumps(value, protocol)
    if protocol < 3 and (b"_codecs" in content or b"bytes" in content):
        return  # bytes of old protocols are written as a call, which stays described
    assert read_pickle(content) == value


@pytest.mark.parametrize("is_zip", [True, False])
def test_a_mangled_file_is_one_sentence_or_the_same_weights(is_zip, tmp_path):
    path, chance = tmp_path / "w.pt", np.random.RandomState(7)
    torch.save({"model": weights(), "epoch": 3}, path, _use_new_zipfile_serialization=is_zip)
    whole, refused = path.read_bytes(), 0
    for _ in range(300):
        content = bytearray(whole)
        for place in chance.randint(0, len(content), 1 + chance.randint(8)):
            content[place] = chance.randint(256)
        if chance.rand() < 0.2:
            del content[chance.randint(len(content)) :]
        path.write_bytes(content)
        try:
            found = converted(path)
            assert all(tensor.numel() < 1000 for tensor in found.values())
        except (LoadError, UnknownNameError) as error:
            assert "\n" not in str(error) and len(str(error)) < 700
            refused += 1
    assert refused > 30, "some are damaged beyond reading"


BOMBS = {
    "views of one number": {str(k): torch.zeros(1).expand(10**6) for k in range(200)},
    "one tensor under many names": dict.fromkeys(map(str, range(300)), torch.zeros(10**5)),
}


@pytest.mark.parametrize("what", BOMBS)
def test_weights_that_repeat_numbers_are_not_written_out(what, tmp_path):
    torch.save(BOMBS[what], tmp_path / "w.pt")
    with pytest.raises(LoadError, match=r"need \d.* bytes, though the file has .*: they repeat"):
        convert(tmp_path / "w.pt", tmp_path / "o")
    assert not (tmp_path / "o").exists()


def repeating(call, times):
    """A pickle that makes something of one long list again and again."""
    items = b"(" + b"K\x01K\x02\x86" * 50_000 + b"e"
    return b"\x80\x02]q\x00" + items + b"(" + (b"c" + call + b"\nh\x00\x85R") * times + b"l."


@pytest.mark.parametrize("call", [b"collections\nOrderedDict", b"builtins\nlist", b"builtins\nset"])
def test_a_pickle_cannot_copy_one_list_without_end(call):
    try:
        found = read_pickle(repeating(call, 2000))
        assert len(found) == 2000 and len({id(item) for item in found}) == 1, "no copy was made"
    except ValueError as error:
        assert "copies too much" in str(error)


ODD = {
    "sparse": torch.eye(3).to_sparse(),
    "quantised": torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.qint8),
    "without values": torch.zeros(3, device="meta"),
    "nested": torch.nested.nested_tensor([torch.ones(2), torch.ones(3)]),
}


@pytest.mark.parametrize("kind", ODD)
@pytest.mark.filterwarnings("ignore")
def test_tensors_of_odd_kinds_are_named(kind, tmp_path):
    torch.save({"a": ODD[kind], "b": torch.ones(2)}, tmp_path / "w.pt")
    with pytest.raises(LoadError, match=rf"'a' in 'w\.pt' is {kind}; convert a model with plain weights"):
        convert(tmp_path / "w.pt", tmp_path / "o")


def test_errors_are_of_this_program():
    assert issubclass(LoadError, ExplorerError)
