"""Exports at other sizes of the input: right, or refused with one sentence; never another answer."""

import importlib.util
import io
import json
import math
import subprocess
import sys
import zipfile

import onnxruntime
import pytest
import torch
from rows import some
from torch import Tensor, nn
from torch.nn import functional

from explorer.compaction.compact import compact
from explorer.errors import CompactionError
from explorer.exporters.export import export
from explorer.exporters.input_sizes import one_size, sized
from explorer.exporters.load_pruned import check_size, holds, load_pruned
from explorer.graph.analysed import Analysed, analyse
from explorer.pruning.decision import masks_for
from explorer.values.identity import subject_id
from explorer.values.recipe import Recipe
from explorer.values.subject import Subject

SIDE, NEAR = 16, 1e-4
OTHERS = ((32, 32), (8, 8), (24, 16), (17, 19), (12, 40), (4, 64), (16, 15), (64, 16))


class Net(nn.Module):
    """A convolution whose channels are cut, and something in between that knows how large the picture is."""

    def __init__(self, between, features=8):
        super().__init__()
        torch.manual_seed(0)
        self.a, self.b, self.between = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 4, 3, padding=1), between
        self.positions = nn.Parameter(torch.randn(1, 8, SIDE, SIDE))
        self.fc = nn.Linear(8 * SIDE * SIDE if between is flat else 8, 4)

    def forward(self, x):
        return self.between(self, torch.relu(self.a(x)), x)


def mean_by_hand(net, y, x):
    return net.fc(y.sum((2, 3)) / (x.shape[2] * x.shape[3]))


def scaled(net, y, x):
    return net.fc(y.sum((2, 3)) / math.sqrt(x.shape[2] * x.shape[3]))


def resized_back(net, y, x):
    return functional.interpolate(net.b(functional.avg_pool2d(y, 2)), size=x.shape[-2:])


def cropped(net, y, x):
    return net.b(functional.pad(y, (3, 3, 3, 3)))[:, :, : x.shape[2], : x.shape[3]]


def masked(net, y, x):
    mask = torch.zeros(x.shape[0], 1, x.shape[2], x.shape[3]).to(x.device, torch.bool)
    return net.fc((y * ~mask).mean((2, 3)))


def ramp(net, y, x):
    return net.fc((y * torch.linspace(0, 1, x.shape[3])).mean((2, 3)))


def counted(net, y, x):
    return net.fc((y * torch.arange(x.shape[2])[:, None]).mean((2, 3)))


def unfolded(net, y, x):
    b, c, h, w = y.shape
    return net.fc(y.view(b, c, h // 4, 4, w // 4, 4).amax((3, 5)).mean((2, 3)))


def as_tokens(net, y, x):
    tokens = y.flatten(2).transpose(1, 2)
    return net.fc(functional.layer_norm(tokens, tokens.shape[2:]).mean(1))


def normed_whole(net, y, x):
    return net.fc(functional.layer_norm(y, y.shape[1:]).mean((2, 3)))


def plain(net, y, x):
    return net.fc(net.b(y).mean((2, 3)).repeat(1, 2))


def pooled(net, y, x):
    return net.fc(functional.adaptive_avg_pool2d(y, 1).flatten(1))


def split_in_two(net, y, x):
    left, right = y.split([x.shape[3] // 2, x.shape[3] - x.shape[3] // 2], 3)
    return net.fc(left.mean((2, 3)) - right.mean((2, 3)))


COMPUTED = (mean_by_hand, resized_back, cropped, masked, counted, as_tokens, plain, pooled, split_in_two)


def flat(net, y, x):
    return net.fc(y.flatten(1))


def placed(net, y, x):
    return net.fc((y + net.positions).mean((2, 3)))


def turned(net, y, x):
    return net.fc((y + y.transpose(2, 3)).mean((2, 3)))


def two_ways(net, y, x):
    return net.fc(y.mean((2, 3)) * (2 if x.shape[2] * x.shape[3] > 300 else 3))


def threshold(net, y, x):
    return net.fc(y.mean((2, 3)) * (2 if x.shape[2] > 20 else 3))


def row_by_row(net, y, x):
    found = 0
    for row in range(x.shape[2]):
        found = found + y[:, :, row].mean(2) * (row + 1)
    return net.fc(found)


def rounded(net, y, x):
    return net.fc(y.mean((2, 3)) * int(math.log2(x.shape[2])))


def whole_numbers(net, y, x):
    return net.fc(y.mean((2, 3)) * len(x[0, 0]))


ASSUMED = (flat, placed, turned, two_ways, threshold, row_by_row, rounded, whole_numbers)
ASSUMED += (scaled, unfolded, ramp)
WHOLE = (as_tokens, normed_whole, placed)  # what is silenced in front of these is not what they lose with it
ALL = (*COMPUTED, *ASSUMED, normed_whole)


def model_of(between) -> Analysed:
    model = Net(between).eval()
    name = between.__name__
    return analyse(Subject(subject_id(model), name, model, None, torch.randn(2, 3, SIDE, SIDE)))


def silenced(model: Analysed, recipe: Recipe, x: Tensor) -> Tensor | None:
    """The dense model's own answer with its channels held at zero; None where it cannot read the input."""
    (kept,) = masks_for(model, recipe).channels.values()
    network = model.subject.model
    hook = network.a.register_forward_hook(lambda m, i, out: out * kept.view(1, -1, 1, 1))
    try:
        with torch.no_grad():
            return network(x)
    except RuntimeError:
        return None
    finally:
        hook.remove()


def loaded(packed: bytes, folder):
    zipfile.ZipFile(io.BytesIO(packed)).extractall(folder)
    return load_pruned(folder)[0]


def python_file(packed: bytes, folder):
    (folder / "pruned.py").write_bytes(packed)
    spec = importlib.util.spec_from_file_location("pruned", folder / "pruned.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.build()


def pt2(packed: bytes, folder):
    return torch.export.load(io.BytesIO(packed)).module()


def onnx(packed: bytes, folder):
    session = onnxruntime.InferenceSession(packed, providers=["CPUExecutionProvider"])
    return lambda x: torch.from_numpy(session.run(None, {"inputs": x.numpy()})[0])


OPENED = {"safetensors": loaded, "python_snippet": python_file, "pt2": pt2, "onnx": onnx}


def answer(network, x: Tensor) -> Tensor | Exception:
    try:
        with torch.no_grad():
            return network(x)
    except Exception as error:
        return error


def apart(found: Tensor, right: Tensor) -> float:
    if found.shape != right.shape:
        return math.inf
    return float((found - right).abs().max() / right.abs().max())


def verdicts(model: Analysed, format: str, folder, samples=3) -> dict[tuple[int, int], str]:
    """Size -> what an export does there: "right", "refused" or "wrong"."""
    whole = "a" not in model.profile.free_groups or model.subject.name in [f.__name__ for f in WHOLE]
    recipe = Recipe() if whole else Recipe(channels={"a": 0.5})
    network, verdict_of = OPENED[format](export(model, recipe, format), folder), {}
    for size in ((SIDE, SIDE), *OTHERS):
        x = torch.randn(samples, 3, *size, generator=torch.Generator().manual_seed(1))
        given = answer(network, x)
        right = silenced(model, recipe, x) if not recipe.is_empty else answer(model.subject.model, x)
        if isinstance(given, Exception):
            assert "\n" not in str(given) or format in ("pt2", "onnx") or not isinstance(given, ValueError)
            verdict_of[size] = "refused"
        else:
            is_right = isinstance(right, Tensor) and apart(given, right) < NEAR
            verdict_of[size] = "right" if is_right else "wrong"
    return verdict_of


@pytest.mark.parametrize("between", some(ALL, 4))
@pytest.mark.parametrize("format", ["safetensors", "python_snippet"])
def test_an_export_is_right_at_another_size_or_refuses_it(between, format, tmp_path):
    found = verdicts(model_of(between), format, tmp_path)
    assert found[SIDE, SIDE] == "right" and "wrong" not in found.values(), found
    if between in COMPUTED:
        assert list(found.values()).count("right") >= len(OTHERS) - 2, found


@pytest.mark.parametrize("between", some([mean_by_hand, cropped, two_ways, threshold, placed, plain], 4))
@pytest.mark.parametrize("format", ["pt2", "onnx"])
def test_so_do_exports_for_other_runtimes(between, format, tmp_path):
    found = verdicts(model_of(between), format, tmp_path)
    assert found[SIDE, SIDE] == "right" and "wrong" not in found.values(), found


def test_the_sentence_says_both_shapes_and_what_to_do(tmp_path):
    packed = export(model_of(two_ways), Recipe(channels={"a": 0.5}))
    with pytest.raises(ValueError, match=r"\(3, 16, 16\).*\(3, 32, 32\).*export") as caught:
        loaded(packed, tmp_path)(torch.zeros(1, 3, 32, 32))
    assert "\n" not in str(caught.value)


def test_without_conditions_a_wrong_answer_would_be_given(tmp_path):
    """The negative control: the same export, as version 1 wrote it."""
    zipfile.ZipFile(io.BytesIO(export(model_of(two_ways), Recipe()))).extractall(tmp_path)
    path = tmp_path / "architecture.json"
    about = json.loads(path.read_text())
    assert about["version"] == 2 and about["input"].pop("conditions")
    path.write_text(json.dumps(about | {"version": 1}))
    x = torch.ones(1, 3, 32, 32)
    network = load_pruned(tmp_path)[0]
    with torch.no_grad():
        assert apart(network(x), model_of(two_ways).subject.model(x)) > 0.1


def test_the_file_that_loads_an_export_checks_sizes_by_itself(tmp_path):
    """Beside the unpacked export, where this program cannot be imported."""
    zipfile.ZipFile(io.BytesIO(export(model_of(threshold), Recipe()))).extractall(tmp_path)
    program = (
        "import sys; sys.modules['explorer'] = None; import torch; from load_pruned import load_pruned\n"
        "model, about = load_pruned('.')\n"
        "print(model(torch.zeros(1, 3, 20, 30)).shape)\n"
        "model(torch.zeros(1, 3, 21, 30))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True)
    assert "torch.Size([1, 4])" in done.stdout and done.stderr.splitlines()[-1].startswith(
        "ValueError: This model"
    )


class OfOneBatch(nn.Module):
    """Its code takes the number of samples for a constant, so its graph reads two at once."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.a, self.fc = nn.Conv2d(3, 8, 3, padding=1), nn.Linear(8, 4)

    def forward(self, x):
        return self.fc(torch.relu(self.a(x)).view(len(x), 8, -1).mean(2))


@pytest.mark.parametrize("format", ["safetensors", "python_snippet"])
def test_a_graph_of_one_batch_answers_any_number_of_samples(format, tmp_path):
    model = OfOneBatch().eval()
    analysed = analyse(Subject(subject_id(model), "own", model, None, torch.randn(2, 3, SIDE, SIDE)))
    assert sized(analysed).to_json()["batch"] == 2
    recipe = Recipe(channels={"a": 0.5})
    network = OPENED[format](export(analysed, recipe, format), tmp_path)
    for samples in (1, 2, 3, 5):
        x = torch.randn(samples, 3, SIDE, SIDE)
        with torch.no_grad():
            assert apart(network(x), silenced(analysed, recipe, x)) < NEAR
    with pytest.raises(ValueError, match="exported for"):
        network(torch.zeros(2, 3, 8, 8))


@pytest.mark.parametrize("between", [mean_by_hand, cropped, two_ways])
def test_a_smaller_model_in_memory_refuses_other_sizes(between):
    model = model_of(between)
    small = compact(model, masks_for(model, Recipe(channels={"a": 0.5})))
    assert len(small(torch.zeros(3, 3, SIDE, SIDE))) == 3
    with pytest.raises(CompactionError, match=r"\(3, 16, 16\).*\(3, 32, 32\)"):
        small(torch.zeros(1, 3, 32, 32))


# --------------------------------------------------------------------------- conditions


@pytest.mark.parametrize(
    ("condition", "size", "expected"),
    [
        ("size[2] == 16", (1, 3, 16), True),
        ("size[2] % 8 == 0", (1, 3, 20), False),
        ("(size[1]*size[2] // 4) != 1", (1, 2, 2), False),
        ("max(1, size[1] - 3) <= 4 and not size[0] > 2", (2, 7), True),
        ("size[1] < 3 or -size[0] < 0", (1, 9), True),
    ],
)
def test_conditions_are_arithmetic(condition, size, expected):
    assert holds(condition, size) is expected


CRAFTED = [
    "__import__('os').system('x')",
    "size.__class__",
    "size[0] == 1 or open('x')",
    "[1][0]",
    "print(1)",
]


@pytest.mark.parametrize("condition", CRAFTED)
def test_a_crafted_condition_runs_nothing(condition):
    with pytest.raises((ValueError, SyntaxError)):
        holds(condition, (1, 2))


def test_files_of_version_1_are_read_as_before():
    check_size((1, 3, 99, 99), {"shape": [3, 16, 16]})
    with pytest.raises(ValueError, match="exported for"):
        check_size((1, 3, 99, 99), {"shape": [3, 16, 16], "conditions": ["size[2] == 16"]})
    with pytest.raises(ValueError, match="exported for"):
        check_size((3, 16), {"shape": [3, 16, 16], "conditions": []})


class Unreadable(nn.Module):
    """The reader of graphs gives up on it where sizes are open."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 4, 3)

    def forward(self, x):
        y = torch.relu(self.a(x))
        if not isinstance(x.shape[2], int):
            raise RuntimeError("no open sizes")
        return self.b(y).mean((2, 3))


def test_a_model_that_cannot_be_read_with_open_sizes_holds_for_one(tmp_path):
    model = Unreadable().eval()
    analysed = analyse(Subject(subject_id(model), "own", model, None, torch.randn(2, 3, SIDE, SIDE)))
    found = sized(analysed)
    assert found.model is analysed and found.conditions == one_size(analysed.subject.example)
    assert set(verdicts(analysed, "safetensors", tmp_path).values()) == {"right", "refused"}
