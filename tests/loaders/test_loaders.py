"""Models from elsewhere: what loads, and what each refusal says."""

import argparse
import itertools
import json
import socket
import sys
import threading
from contextlib import nullcontext
from importlib.util import find_spec

import pytest
import safetensors.torch
import torch
from converted import converted
from torch import nn

from explorer.audit.audit import audit
from explorer.engine.conditions import Conditions
from explorer.engine.measure import prune
from explorer.errors import ExplorerError, GraphError, LoadError, UnknownNameError
from explorer.graph import size_limits
from explorer.graph.analysed import Analysed, analyse
from explorer.graph.export import graph_of
from explorer.loaders import pt_weights
from explorer.loaders.model_text import is_local_only, load, split_spec
from explorer.loaders.uploads import upload
from explorer.loaders.weights import load_weights
from explorer.machine import optional_packages
from explorer.pruning.checks import check_recipe
from explorer.registry import LOADERS
from explorer.values.identity import subject_id, weights_id
from explorer.values.recipe import Recipe
from explorer.values.subject import Normalisation, Subject


def needs(package):
    return pytest.mark.skipif(find_spec(package) is None, reason=f"{package} is not installed")


FILE = '''
import sys
import torch
from torch import nn

input_shape = (3, 8, 8)
answer = 42

class Net(nn.Module):
    def __init__(self, width=6):
        super().__init__()
        self.conv, self.norm, self.fc = nn.Conv2d(3, width, 3), nn.BatchNorm2d(width), nn.Linear(width, 4)

    def forward(self, x):
        return self.fc(torch.relu(self.norm(self.conv(x))).mean((2, 3)))

class Branching(Net):
    def forward(self, x):
        return super().forward(x) if float(x.sum()) > 0 else -super().forward(x)

class OneSample(Net):
    def forward(self, x):
        return super().forward(x.view(1, 3, 8, 8))

class Pictures(Net):
    """Of two inputs."""
    input_shape = [(3, 8, 8), (4,)]

    def forward(self, x, y):
        return super().forward(x) * y

class Tutorial(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.fc = nn.Conv2d(3, 6, 3), nn.Conv2d(6, 8, 3), nn.Linear(8 * 4 * 4, 4)

    def forward(self, x):
        return self.fc(torch.relu(self.b(torch.relu(self.a(x)))).view(-1, 8 * 4 * 4))

class Vectors(nn.Sequential):
    input_shape = [7]

def build():
    return Net()

def half():
    return Net().half()

def lazy():
    return nn.Sequential(nn.LazyConv2d(5, 3), nn.Flatten(), nn.LazyLinear(4))

def vectors():
    return Vectors(nn.Linear(7, 5), nn.Linear(5, 2))

def number():
    return 7

def failing():
    raise RuntimeError("no such\\nthing")

def leaving():
    sys.exit(3)

ready = Net(3)
'''


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "nets.py"
    path.write_text(FILE)
    return path


def saved(tensors, path):
    path.write_bytes(safetensors.torch.save({name: tensor.contiguous() for name, tensor in tensors.items()}))
    return str(path)


# --------------------------------------------------------------------------- names


@pytest.mark.parametrize(
    "spec, expected",
    [
        ("nets.py", ("python_file", "nets.py")),
        ("a b/nets.py:build@3x8x8", ("python_file", "a b/nets.py:build@3x8x8")),
        ("hf:microsoft/resnet-18", ("hf", "microsoft/resnet-18")),
        ("timm:vit_base_patch16_224.augreg_in1k", ("timm", "vit_base_patch16_224.augreg_in1k")),
    ],
)
def test_a_spec_names_its_loader(spec, expected):
    assert split_spec(spec) == expected


def test_what_reads_paths_or_runs_code_is_for_the_command_line_only():
    assert {name: is_local_only(f"{name}:x") for name in LOADERS if name != "python_file"} == {
        "sample": False,
        "torchvision": False,
        "timm": False,
        "hf": True,
    }
    assert is_local_only("x.py:build") and not is_local_only("digits-cnn")


@pytest.mark.parametrize("name", ["model.pt2", "model.pt", "a/model.pth", "model.onnx", "model.safetensors"])
def test_files_of_models_are_not_opened(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        LoadError, match=r"is a file, and files of models are not opened, .* --checkpoint FILE\.safetensors"
    ):
        load(name)


@pytest.mark.parametrize(
    "package, extra", [("torchvision", "zoo"), ("timm", "zoo"), ("transformers", "hf"), ("PIL.Image", "zoo")]
)
def test_a_missing_package_says_what_to_install(package, extra, monkeypatch):
    def missing(name):
        raise ImportError(f"No module named {name!r}")

    monkeypatch.setattr(optional_packages.importlib, "import_module", missing)
    with pytest.raises(LoadError, match=rf"cannot be imported .* pip install 'pruning-explorer\[{extra}\]'"):
        optional_packages.optional(package)


# --------------------------------------------------------------------------- torchvision


@needs("torchvision")
def test_a_torchvision_model_loads_the_same_each_time():
    state = torch.random.get_rng_state()
    first, again = load("torchvision:squeezenet1_1"), load("torchvision:squeezenet1_1")
    assert torch.equal(state, torch.random.get_rng_state()), (
        "the random state of the process is left as found"
    )
    assert first.id == again.id and first.task is None and first.name == "torchvision:squeezenet1_1"
    assert sum(p.numel() for p in first.model.parameters()) == 1_235_496
    assert first.example.shape == (2, 3, 224, 224) and not first.model.training
    assert first.preset.normalisation == Normalisation(1 / 255, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    assert (first.preset.resize, first.preset.fit, first.preset.interpolation) == (256, "crop", "bilinear")
    assert len(first.preset.class_names) == 1000 and first.preset.class_names[0] == "tench"
    assert "random weights" in first.card["description"]


@needs("torchvision")
def test_a_torchvision_model_is_analysed_and_pruned_without_data():
    subject = load("torchvision:squeezenet1_1")
    graph = graph_of(subject)
    report = prune(Analysed(subject, graph), Recipe(channels={"features.0": 0.5}), Conditions(latency=False))
    assert report.pruned.params < report.baseline.params and report.pruned.accuracy is None


@needs("torchvision")
def test_models_of_other_input_sizes_say_so():
    torchvision = optional_packages.torchvision()
    from explorer.loaders.torchvision_models import _reads

    reads = {
        name: _reads(torchvision.models, name)
        for name in ("inception_v3", "efficientnet_b1", "vit_h_14", "swin_v2_t")
    }
    assert {name: shape[1] for name, (shape, _) in reads.items()} == {
        "inception_v3": 299,
        "efficientnet_b1": 240,
        "vit_h_14": 224,
        "swin_v2_t": 256,
    }
    assert reads["efficientnet_b1"][1].interpolation == "bicubic"


@needs("torchvision")
def test_published_weights_with_heads_for_training_fit_googlenet(tmp_path):
    published = optional_packages.torchvision().models.googlenet(
        weights=None, init_weights=False, aux_logits=True
    )
    path = saved(published.state_dict(), tmp_path / "w.safetensors")
    subject = load("torchvision:googlenet", checkpoint=path)
    assert torch.equal(subject.model.fc.weight, published.fc.weight)
    assert not any(name.startswith("aux") for name in subject.model.state_dict())
    assert subject.model.transform_input and subject.model(subject.example).shape == (2, 1000)


@needs("torchvision")
def test_an_unknown_torchvision_model_lists_what_there_is():
    with pytest.raises(
        UnknownNameError, match=r"No torchvision classification model named 'resnet19'\. Available: alexnet, "
    ):
        load("torchvision:resnet19")
    with pytest.raises(UnknownNameError, match="maskrcnn"):
        load("torchvision:maskrcnn_resnet50_fpn")


def test_operators_are_declared_only_when_torchvision_asks_for_them(monkeypatch):
    monkeypatch.setattr(optional_packages, "_declared", [])
    declared = []
    monkeypatch.setattr(optional_packages, "_declare", lambda: declared.append(True))
    answers = iter(
        [ModuleNotFoundError("here"), RuntimeError("operator torchvision::nms does not exist"), "whole"]
    )

    def optional(name):
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(optional_packages, "optional", lambda name: "whole")
    assert optional_packages.torchvision() == "whole" and not declared
    monkeypatch.setattr(optional_packages, "optional", optional)
    with pytest.raises(ModuleNotFoundError):
        optional_packages.torchvision()
    assert optional_packages.torchvision() == "whole" and declared == [True]


def test_a_torchvision_that_does_not_fit_is_one_sentence(monkeypatch):
    def broken(name):
        raise RuntimeError("undefined symbol")

    monkeypatch.setattr(optional_packages, "optional", broken)
    with pytest.raises(LoadError, match=r"does not fit torch .* \(undefined symbol\)"):
        optional_packages.torchvision()


# --------------------------------------------------------------------------- timm


@needs("timm")
def test_a_timm_model_loads_with_the_preset_of_its_tag():
    plain, tagged = load("timm:test_vit"), load("timm:test_vit.r160_in1k")
    assert plain.example.shape == tagged.example.shape == (2, 3, 160, 160)
    assert tagged.preset.normalisation.mean == (0.5, 0.5, 0.5) and tagged.preset.interpolation == "bicubic"
    assert tagged.preset.resize == int(160 / 0.95) and tagged.preset.class_names[:2] == ("tench", "goldfish")
    assert plain.id == load("timm:test_vit").id
    assert graph_of(plain).profile.free_groups


@needs("timm")
@pytest.mark.parametrize(
    "name", ["resnet19", "hf-hub:owner/name", "local-dir:/etc", "resnet18.nothing", "../resnet18"]
)
def test_other_names_of_timm_are_refused_with_what_there_is(name):
    with pytest.raises(UnknownNameError, match=r"No timm model named .* Available: "):
        load(f"timm:{name}")


@needs("timm")
def test_near_names_of_timm_come_first():
    with pytest.raises(UnknownNameError, match=r"Available: resnet18, resnet18\.a1_in1k"):
        load("timm:resnet18.nothing")


# --------------------------------------------------------------------------- transformers


def no_network(*_, **__):
    raise AssertionError("the network was asked")


@pytest.fixture
def classifier(tmp_path, monkeypatch):
    """A folder as transformers saves it."""
    transformers = optional_packages.uses_torchvision("transformers")
    labels = {0: "cat", 1: "dog", 2: "emu\n<b>"}
    config = transformers.ViTConfig(
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=24,
        image_size=32,
        patch_size=8,
        id2label=labels,
    )
    folder = tmp_path / "vit"
    transformers.ViTForImageClassification(config).save_pretrained(folder)
    rules = {
        "size": {"height": 32, "width": 32},
        "image_mean": [0.4, 0.5, 0.6],
        "image_std": [0.2, 0.2, 0.2],
        "resample": 3,
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(rules))
    monkeypatch.setattr(socket.socket, "connect", no_network)
    return folder


def rewritten(path, **changes):
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@needs("transformers")
def test_a_folder_of_transformers_loads_without_network(classifier):
    subject = load(f"hf:{classifier}")
    transformers = optional_packages.uses_torchvision("transformers")
    own = transformers.AutoModelForImageClassification.from_pretrained(
        classifier, local_files_only=True
    ).eval()
    with torch.no_grad():
        assert torch.equal(subject.model(subject.example), own(subject.example).logits)
    assert (subject.name, subject.example.shape) == ("hf:vit", (2, 3, 32, 32))
    assert subject.preset.class_names == ("cat", "dog", "emu <b>")
    assert subject.preset.normalisation == Normalisation(1 / 255, (0.4, 0.5, 0.6), (0.2, 0.2, 0.2))
    assert (subject.preset.fit, subject.preset.interpolation) == ("stretch", "bicubic")
    assert graph_of(subject).profile.free_groups


@needs("transformers")
@pytest.mark.parametrize(
    "rules, resize, fit",
    [
        ({"size": {"shortest_edge": 36}, "crop_size": {"height": 32, "width": 32}}, 36, "crop"),
        ({"size": {"shortest_edge": 32}, "crop_pct": 0.875}, 36, "crop"),
        ({"size": 32}, 32, "stretch"),
        ({}, 32, "stretch"),
    ],
)
def test_rules_for_pictures_are_read_as_transformers_writes_them(classifier, rules, resize, fit):
    (classifier / "preprocessor_config.json").write_text(json.dumps(rules))
    preset = load(f"hf:{classifier}").preset
    assert (preset.resize, preset.fit) == (resize, fit)


@needs("transformers")
def test_other_weights_for_a_folder_of_transformers(classifier, tmp_path):
    own = safetensors.torch.load_file(classifier / "model.safetensors")
    path = saved({name: tensor + 1 for name, tensor in own.items()}, tmp_path / "w.safetensors")
    subject = load(f"hf:{classifier}", checkpoint=path)
    assert torch.equal(subject.model.classifier.bias, own["classifier.bias"] + 1)
    assert subject.id != load(f"hf:{classifier}").id
    torch.save({"model": {name: tensor + 2 for name, tensor in own.items()}}, tmp_path / "w.pt")
    subject = load(f"hf:{classifier}", checkpoint=str(tmp_path / "w.pt"))
    assert torch.equal(subject.model.classifier.bias, own["classifier.bias"] + 2)
    del own["classifier.bias"]
    with pytest.raises(
        LoadError, match=r"w\.safetensors' lacks 'classifier\.bias', so it is not a trained image classifier"
    ):
        load(f"hf:{classifier}", checkpoint=saved(own, tmp_path / "w.safetensors"))


@needs("transformers")
def test_a_folder_without_a_trained_head_is_refused(classifier):
    weights = safetensors.torch.load_file(classifier / "model.safetensors")
    del weights["classifier.weight"], weights["classifier.bias"]
    saved(weights, classifier / "model.safetensors")
    with pytest.raises(
        LoadError, match=r"lacks 'classifier\.bias' and 1 more, so it is not a trained image classifier"
    ):
        load(f"hf:{classifier}")


@needs("transformers")
@pytest.mark.parametrize("name", ["/no/such/folder", "../x/y", "a/b/c", "owner/na me", "http://host/x"])
def test_what_is_neither_a_folder_nor_an_id_is_refused_at_once(name, monkeypatch):
    monkeypatch.setattr(socket.socket, "connect", no_network)
    with pytest.raises(LoadError, match=r"There is no folder .*; give one with config\.json"):
        load(f"hf:{name}")


@needs("transformers")
@pytest.mark.parametrize(
    "config",
    ["{", "[]", "{}", '{"model_type": "nothing"}', '{"model_type": "bert"}', '{"model_type": "vit"}'],
)
def test_a_folder_that_is_no_classifier_is_one_sentence(config, tmp_path):
    (tmp_path / "config.json").write_text(config)
    with pytest.raises(
        LoadError, match=r"it takes an image classifier, .* with config\.json and model\.safetensors"
    ) as caught:
        load(f"hf:{tmp_path}")
    assert "\n" not in str(caught.value)


# --------------------------------------------------------------------------- files of the user


def test_a_factory_of_a_file_gives_the_model(file):
    subject = load(f"{file}:build")
    assert (subject.name, subject.example.shape) == ("nets.py:build", (2, 3, 8, 8))
    assert subject.id == load(f"{file}:build").id
    report = prune(analyse(subject), Recipe(channels={"conv": 0.5}), Conditions(latency=False))
    assert report.pruned.params == 3 * 27 + 3 + 2 * 3 + 4 * 3 + 4


@pytest.mark.parametrize(
    "name, shape",
    [
        ("Net", (3, 8, 8)),
        ("ready", (3, 8, 8)),
        ("vectors", (7,)),
        ("build@3x16x8", (3, 16, 8)),
        ("lazy", (3, 8, 8)),
    ],
)
def test_classes_models_and_declared_shapes_work(file, name, shape):
    subject = load(f"{file}:{name}")
    assert subject.example.shape[1:] == shape
    assert subject.model(subject.example).dim() == 2


def test_the_id_tells_shapes_and_code_apart(file, monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", False)  # as users have it: the change is within a second
    first, larger = load(f"{file}:build"), load(f"{file}:build@3x16x16")
    file.write_text(FILE.replace("torch.relu", "torch.tanh"))
    changed = load(f"{file}:build")
    assert weights_id(first.model) == weights_id(changed.model), "the weights do not show it"
    assert len({first.id, larger.id, changed.id}) == 3


def test_a_model_in_half_precision_is_measured_in_float32(file):
    model = load(f"{file}:half").model
    assert {tensor.dtype for tensor in model.state_dict().values()} == {torch.float32, torch.int64}


def test_a_file_imports_what_stands_beside_it(file):
    (file.parent / "beside_of_a_test.py").write_text("from torch import nn\nmodel = nn.Linear(3, 2)\n")
    file.write_text("from beside_of_a_test import model\ninput_shape = (3,)\ndef build(): return model\n")
    assert load(f"{file}:build").model.out_features == 2


REFUSED = {
    "none.py:build": r"There is no file '.*none\.py'",
    "nets.py": r"nets\.py needs a factory after it; name what builds the model, as nets\.py:NAME\. It holds: "
    r"Net, Branching, ",
    "nets.py:bild": r"nets\.py has no 'bild'; .* It holds: Net, Branching, OneSample, Pictures, Tutorial, "
    r"Vectors, build, ",
    "nets.py:build@axb": r"is named path/file\.py:factory or path/file\.py:factory@3x32x32, got "
    r"'.*nets\.py:build@axb'",
    "nets.py:build@0x8x8": r"input_shape of '.*' must hold whole numbers from 1, such as \(3, 32, 32\), got "
    r"\(0, 8, 8\)",
    "nets.py:build@7": r"The model of nets\.py does not run on an input of shape \(2, 7\) "
    r"\(nets\.py, line 15, fails with RuntimeError: ",
    "nets.py:number": r"nets\.py gives a int instead of a torch\.nn\.Module",
    "nets.py:answer": r"nets\.py gives a int instead of a torch\.nn\.Module",
    "nets.py:failing": r"nets\.py, line 59, fails with RuntimeError: no such thing$",
    "nets.py:leaving": r"nets\.py, line 62, fails with SystemExit: 3",
    "shapeless.py:build": r"Nothing says which shape one input of '.*' has; add it as .*\.py:build@3x32x32, "
    r"or write input_shape",
    "broken.py:build": r"broken\.py fails with SyntaxError: ",
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_wrong_with_a_file_is_one_sentence(name, file, tmp_path):
    (tmp_path / "broken.py").write_text("def build(:\n")
    (tmp_path / "shapeless.py").write_text("from torch import nn\ndef build(): return nn.Linear(2, 2)\n")
    with pytest.raises(LoadError, match=REFUSED[name]) as caught:
        load(str(tmp_path / name))
    assert "\n" not in str(caught.value)


def test_a_model_of_one_sample_at_a_time_is_pruned_and_proven(file):
    subject = load(f"{file}:OneSample")
    graph = graph_of(subject)
    assert subject.example.shape == (1, 3, 8, 8) and "one sample at a time" in subject.card["description"]
    assert subject.model(torch.randn(3, 3, 8, 8)).shape == (3, 4) and audit(Analysed(subject, graph)).verified
    report = prune(Analysed(subject, graph), Recipe(channels={"conv": 0.5}), Conditions(latency=False))
    assert report.pruned.params == 3 * 27 + 3 + 2 * 3 + 4 * 3 + 4


@pytest.mark.parametrize("name", ["Pictures", "Pictures@3x8x8+4"])
def test_several_inputs_lie_side_by_side_in_one_row(file, name):
    subject = load(f"{file}:{name}")
    graph = graph_of(subject)
    x, y = torch.randn(5, 3, 8, 8), torch.randn(5, 4)
    own = type(subject.model).__mro__[1].forward
    assert subject.example.shape == (2, 196) and "conv.weight" in subject.model.state_dict()
    assert torch.equal(subject.model(torch.cat([x.flatten(1), y], 1)), own(subject.model, x, y))
    assert set(graph.profile.free_groups) == {"conv"} and audit(Analysed(subject, graph)).verified
    assert prune(Analysed(subject, graph), Recipe(channels={"conv": 0.5})).pruned.latency_ms is not None


def test_a_view_of_a_picture_survives_the_order_in_memory(file):
    subject = load(f"{file}:Tutorial")
    report = prune(analyse(subject), Recipe(channels={"b": 0.5}))
    assert report.pruned.latency_ms is not None and report.pruned.params < report.baseline.params


def test_a_model_that_cannot_be_exported_still_loses_single_weights(file):
    subject = load(f"{file}:Branching")
    graph = graph_of(subject)
    assert (
        "uses the values of a tensor as Python numbers" in graph.profile.error and graph.profile.groups == ()
    )
    report = prune(
        Analysed(subject, graph), Recipe(weights={"conv": 0.5, "fc": 0.5}), Conditions(latency=False)
    )
    assert report.baseline.nonzero_params - report.pruned.nonzero_params == 81 + 12
    with pytest.raises(
        ExplorerError, match=r"Channels of this model cannot be pruned: nets\.py, line 19, uses"
    ):
        check_recipe(graph.profile, Recipe(channels={"conv": 0.5}))


# --------------------------------------------------------------------------- weights


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.enter, self.norm = nn.Linear(3, 4, bias=False), nn.BatchNorm1d(4)
        self.first, self.second = nn.Linear(4, 4), nn.Linear(4, 4)
        self.second.weight = self.first.weight

    def forward(self, x):
        return self.second(self.first(self.norm(self.enter(x))))


def test_everything_that_does_not_fit_is_listed_at_once(tmp_path):
    weights = Tied().state_dict()
    for name in ("norm.weight", "norm.bias", "norm.running_mean", "norm.running_var"):
        del weights[name]
    weights |= {
        "head.weight": torch.zeros(2),
        "enter.weight": torch.zeros(4, 1),
        "first.bias": torch.zeros(9),
    }
    path = saved({name: tensor.clone() for name, tensor in weights.items()}, tmp_path / "w.safetensors")
    with pytest.raises(LoadError) as caught:
        load_weights(Tied(), path)
    assert str(caught.value) == (
        "'w.safetensors' lacks 'norm.weight', 'norm.bias', 'norm.running_mean' and 1 more; 'w.safetensors' "
        "has 'head.weight', "
        "which the model has not; 'enter.weight' in 'w.safetensors' has shape (4, 1) instead of (4, 3) (and "
        "1 more have other "
        "shapes); only weights of the same architecture fit; choose the model that they were trained for."
    )


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64, torch.float8_e4m3fn])
def test_floats_of_another_width_become_the_models(dtype, tmp_path):
    model, wanted = Tied(), Tied().state_dict()
    cast = {
        name: (tensor.to(dtype) if tensor.is_floating_point() else tensor).clone()
        for name, tensor in wanted.items()
    }
    load_weights(model, saved(cast, tmp_path / "w.safetensors"))
    assert model.enter.weight.dtype == torch.float32
    assert torch.equal(model.enter.weight, wanted["enter.weight"].to(dtype).float())


@pytest.mark.parametrize("dtype", [torch.int8, torch.bool, torch.uint8])
def test_whole_numbers_are_no_weights(dtype, tmp_path):
    weights = {name: tensor.clone() for name, tensor in Tied().state_dict().items()}
    weights["enter.weight"] = weights["enter.weight"].to(dtype)
    with pytest.raises(
        LoadError, match=r"holds 'enter\.weight' as \w+, not as numbers of the model's kind; only weights"
    ):
        load_weights(Tied(), saved(weights, tmp_path / "w.safetensors"))


def test_a_tied_tensor_is_needed_once_and_the_counter_of_norms_not_at_all(tmp_path):
    model, wanted = Tied(), {name: tensor.clone() for name, tensor in Tied().state_dict().items()}
    del wanted["second.weight"], wanted["norm.num_batches_tracked"]
    load_weights(model, saved(wanted, tmp_path / "w.safetensors"))
    assert torch.equal(model.second.weight, wanted["first.weight"])
    del wanted["first.weight"]
    with pytest.raises(LoadError, match=r"lacks 'first\.weight', 'second\.weight'; only"):
        load_weights(model, saved(wanted, tmp_path / "w.safetensors"))


@pytest.mark.parametrize("prefix", ["module.", "model.net."])
def test_what_training_programs_put_before_every_name_is_left_out(prefix, tmp_path):
    model, wanted = Tied(), Tied().state_dict()
    load_weights(
        model,
        saved({prefix + name: tensor.clone() for name, tensor in wanted.items()}, tmp_path / "w.safetensors"),
    )
    assert torch.equal(model.enter.weight, wanted["enter.weight"])


@pytest.mark.parametrize("suffix", [".pt", ".pth", ".bin", ".ckpt"])
def test_what_is_no_file_of_torch_is_one_sentence(suffix, tmp_path):
    (tmp_path / f"w{suffix}").write_bytes(b"anything")
    with pytest.raises(LoadError, match=r"is damaged or not a file of torch\.save; copy it again"):
        load("digits-mlp", checkpoint=str(tmp_path / f"w{suffix}"))


# --------------------------------------------------------------------------- uploads


def test_an_upload_is_the_same_architecture_with_other_weights():
    subject = load("digits-mlp")
    before = {name: tensor.clone() for name, tensor in subject.model.state_dict().items()}
    uploaded = upload(subject, safetensors.torch.save({name: tensor * 2 for name, tensor in before.items()}))
    assert uploaded.task is subject.task and uploaded.id == weights_id(uploaded.model) != subject.id
    assert all(torch.equal(uploaded.model.state_dict()[name], tensor * 2) for name, tensor in before.items())
    assert all(torch.equal(subject.model.state_dict()[name], tensor) for name, tensor in before.items()), (
        "the offered one stays"
    )
    assert uploaded.card.keys() == {"description"} and not uploaded.model.training


def test_an_upload_keeps_apart_what_weights_do_not_show(file):
    subject, larger = load(f"{file}:build"), load(f"{file}:build@3x16x16")
    content = safetensors.torch.save(subject.model.state_dict())
    assert upload(subject, content).id != upload(larger, content).id


@pytest.mark.parametrize(
    "content, sentence",
    [
        (b"", "'uploaded file' is damaged or not a safetensors file"),
        (b"/etc/passwd", "'uploaded file' is damaged or not a safetensors file"),
        (b"\x80\x04cposix\nsystem\n", "'uploaded file' is damaged or not a safetensors file"),
        (
            safetensors.torch.save({"a": torch.zeros(1)}),
            "'uploaded file' lacks 'hidden1.weight', .* 'uploaded file' has 'a'",
        ),
        (b"x" * 100_001, r"The uploaded file has 100,001 bytes; up to 100,000 are taken"),
    ],
)
def test_uploads_that_do_not_fit_are_one_sentence(content, sentence):
    with pytest.raises(LoadError, match=sentence) as caught:
        upload(load("digits-mlp"), content, limit=100_000)
    assert "/tmp" not in str(caught.value)


# --------------------------------------------------------------------------- conversion


def test_containers_and_prefixes_are_taken_off(tmp_path):
    weights, path = Tied().state_dict(), tmp_path / "w.pt"
    for content in (
        weights,
        {"model": weights},
        {"state_dict": {"model": weights}, "epoch": 3},
        {"optimizer": {"state": {}}, "net": weights},
        {"state_dict": {f"module._orig_mod.{name}": tensor for name, tensor in weights.items()}},
        {"model_state_dict": {f"_orig_mod.module.{name}": tensor for name, tensor in weights.items()}},
    ):
        torch.save(content, path)
        found = converted(path)
        assert found.keys() == weights.keys() and all(
            torch.equal(found[name], weights[name]) for name in weights
        )


def test_the_words_of_a_training_program_beside_the_weights_do_no_harm(tmp_path):
    torch.save({"model": Tied().state_dict(), "args": argparse.Namespace(lr=0.1)}, tmp_path / "w.pt")
    assert "enter.weight" in converted(tmp_path / "w.pt")


def test_tied_and_turned_tensors_are_stored_each_on_its_own(tmp_path):
    whole = torch.arange(12.0).view(3, 4)
    torch.save({"a": whole, "b": whole, "c": whole.T, "d": whole[1]}, tmp_path / "w.pt")
    assert (
        pt_weights.convert(tmp_path / "w.pt", tmp_path / "w.safetensors").bytes
        == (tmp_path / "w.safetensors").stat().st_size
    )
    found = safetensors.torch.load_file(tmp_path / "w.safetensors")
    assert (
        torch.equal(found["a"], found["b"])
        and torch.equal(found["c"], whole.T)
        and found["d"].tolist() == [4, 5, 6, 7]
    )


def test_odd_tensors_and_odd_targets_are_one_sentence(tmp_path):
    torch.save({"a": torch.eye(3).to_sparse()}, tmp_path / "w.pt")
    with pytest.raises(LoadError, match=r"'a' in 'w\.pt' is sparse; convert a model with plain weights"):
        converted(tmp_path / "w.pt")
    torch.save({"a": torch.eye(3)}, tmp_path / "w.pt")
    with pytest.raises(LoadError, match=r"'.*none/w' cannot be written \(No such file or directory\)"):
        pt_weights.convert(tmp_path / "w.pt", tmp_path / "none" / "w")
    torch.save([1], tmp_path / "w.pt")
    with pytest.raises(LoadError, match="holds no tensors by name"):
        converted(tmp_path / "w.pt")


# --------------------------------------------------------------------------- limits


class Loop(nn.Module):
    """Thousands of steps in a small model."""

    def __init__(self, steps):
        super().__init__()
        self.steps, self.fc = steps, nn.Linear(4, 4)

    def forward(self, x):
        for _ in range(self.steps):
            x = x + 1
        return self.fc(x)


class Wide(nn.Module):
    """One huge activation and no more than four parameters."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(1, 2)

    def forward(self, x):
        return self.fc(x.expand(len(x), 2**30).contiguous().mean(1, keepdim=True))


def subject_of(model, *shape):
    return Subject(subject_id(model), "odd", model.eval(), None, torch.zeros(2, *shape))


@pytest.mark.parametrize("clock, counts", [("monotonic", False), ("thread_time", True)])
def test_only_the_own_processor_time_counts(clock, counts, monkeypatch):
    """A busy machine lets hours pass between two steps."""
    hours = itertools.count(0.0, 3600.0)
    monkeypatch.setattr(f"explorer.graph.size_limits.time.{clock}", lambda: next(hours))
    verdict = pytest.raises(size_limits.TooLarge, match="processor seconds") if counts else nullcontext()
    with verdict, size_limits.bounded_build():
        model = nn.Sequential(nn.Linear(3, 3), nn.ReLU())
    with verdict:
        size_limits.measure(nn.Linear(3, 3), torch.zeros(2, 3), size_limits.Limits())
    assert counts or len(model) == 2


def test_a_model_is_sized_without_memory():
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Flatten(), nn.Linear(8 * 36, 5))
    size = size_limits.measure(model, torch.zeros(2, 3, 8, 8), size_limits.Limits())
    assert (size.parameters, size.macs) == (8 * 27 + 8 + 8 * 36 * 5 + 5, 8 * 27 * 36 + 8 * 36 * 5)
    assert size.activation_bytes == 8 * 36 * 4 and size.operators >= 3
    with torch.device("meta"):
        huge = nn.Linear(400_000, 400_000)
    with pytest.raises(size_limits.TooLarge, match="160,000,400,000 parameters"):
        size_limits.measure(huge, torch.zeros(1, 1), size_limits.Limits())


def test_the_sized_model_stays_as_it_was():
    model = Tied().eval()
    before = {name: (tensor.data_ptr(), tensor.clone()) for name, tensor in model.state_dict().items()}
    size_limits.measure(model, torch.zeros(2, 3), size_limits.Limits())
    after = model.state_dict()
    assert all(
        after[name].data_ptr() == place and torch.equal(after[name], kept)
        for name, (place, kept) in before.items()
    )
    twin = size_limits.shadow(model)
    assert twin.second.weight is twin.first.weight and twin.first.weight.is_meta


def test_attention_is_counted_as_what_it_multiplies():
    model = nn.MultiheadAttention(8, 2, batch_first=True).eval()

    class Attention(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = model

        def forward(self, x):
            return self.inner(x, x, x, need_weights=False)[0]

    size = size_limits.measure(Attention().eval(), torch.zeros(2, 5, 8), size_limits.Limits())
    assert size.macs == 5 * 8 * 24 + 2 * 5 * 5 * 8 + 5 * 8 * 8


@pytest.mark.parametrize(
    "model, shape, sentence",
    [
        (
            Wide(),
            (1,),
            r"'odd' is too large: 4,294,967,296 bytes in one activation of one sample are more than the "
            r"268,435,456",
        ),
        (nn.Linear(4, 4), (10**5, 4), None),
    ],
)
def test_what_could_not_run_is_refused_when_it_is_loaded(model, shape, sentence):
    def check():
        return size_limits.check_loadable(model.eval(), torch.zeros(2, *shape), "odd")

    if sentence is None:
        return check()
    with pytest.raises(LoadError, match=sentence) as caught:
        check()
    assert str(caught.value).endswith("allow more with the variable PRUNING_EXPLORER_MAX_ACTIVATION_BYTES.")
    return None


def test_a_graph_of_too_many_steps_is_not_analysed_but_the_model_loads(monkeypatch):
    subject = subject_of(Loop(300), 4)
    monkeypatch.setenv("PRUNING_EXPLORER_MAX_OPERATORS", "200")
    size_limits.check_loadable(subject.model, subject.example, "loop")
    with pytest.raises(
        GraphError,
        match=r"too large to analyse \(201 steps in its graph are more than the 200 .*unstructured",
    ):
        size_limits.check_analysable(subject.model, subject.example)
    size_limits.check_analysable(Loop(100).eval(), subject.example)


def test_the_operator_sets_other_limits(monkeypatch, file):
    monkeypatch.setenv("PRUNING_EXPLORER_MAX_PARAMETERS", "100")
    with pytest.raises(
        LoadError,
        match=r"'nets\.py:build' is too large: 221 parameters are more than the 100 that are allowed",
    ):
        load(f"{file}:build")
    monkeypatch.setenv("PRUNING_EXPLORER_MAX_PARAMETERS", "many")
    with pytest.raises(
        ExplorerError, match="PRUNING_EXPLORER_MAX_PARAMETERS must be a whole number from 1, got 'many'"
    ):
        load(f"{file}:build")


@needs("torchvision")
def test_a_large_architecture_is_refused_before_it_is_built(monkeypatch):
    monkeypatch.setenv("PRUNING_EXPLORER_MAX_PARAMETERS", "1000000")
    monkeypatch.setattr("explorer.loaders.foreign_model.seeded", lambda make: pytest.fail("built"))
    with pytest.raises(
        LoadError, match=r"'vit_h_14' is too large: 632,045,800 parameters are more than the 1,000,000"
    ):
        load("torchvision:vit_h_14")


def test_a_model_that_is_foreign_to_the_meta_device_is_sized_by_its_parameters(file):
    subject = load(f"{file}:Branching")
    assert size_limits.size_of(subject.model, subject.example) == size_limits.Size(
        6 * 27 + 6 + 4 * 6 + 1 + 28
    )


# --------------------------------------------------------------------------- threads


def test_threads_that_load_and_analyse_at_once_do_not_disturb_each_other(file):
    specs = [f"{file}:build@3x{side}x{side}" for side in (7, 9, 11)] + ["digits-cnn"]
    alone = {spec: load(spec).id for spec in specs}
    results_of, failed = {}, []

    def work(spec):
        try:
            for _ in range(2):
                subject = load(spec)
                profile = graph_of(subject).profile
                with torch.inference_mode():
                    assert subject.model(subject.example).shape[0] == 2
                results_of.setdefault(spec, []).append(
                    (subject.id, profile.error, len(profile.free_groups) > 0)
                )
        except Exception as error:  # told by the assertion below
            failed.append(f"{spec}: {error!r}")

    threads = [threading.Thread(target=work, args=(spec,)) for spec in specs for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert {spec: set(results) for spec, results in results_of.items()} == {
        spec: {(alone[spec], None, True)} for spec in specs
    }
