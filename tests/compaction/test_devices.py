"""What a model makes itself is made where its input is, and its attention is counted wherever that may be."""

import importlib.util
import io
import zipfile

import pytest
import torch
from rows import some
from torch import Tensor, fx, nn
from torch.nn import functional

from explorer.compaction.compact import compact
from explorer.compaction.devices import device_of
from explorer.exporters.export import export
from explorer.exporters.load_pruned import load_pruned
from explorer.graph.analysed import Analysed, analyse
from explorer.graph.export import count_macs, graph_of
from explorer.pruning.decision import masks_for
from explorer.values.identity import subject_id
from explorer.values.profile import Masks
from explorer.values.recipe import Recipe
from explorer.values.subject import Subject

TOKENS, WIDTH, HEADS = 9, 16, 4


def positions(x: Tensor) -> Tensor:
    return x + torch.arange(x.shape[1], dtype=x.dtype, device=x.device)[None, :, None] / 100


def without_a_device(x: Tensor) -> Tensor:
    return x * torch.linspace(0.5, 1.0, x.shape[-1])


def zeros_moved(x: Tensor) -> Tensor:
    return x * ~torch.zeros(x.shape[0], x.shape[1], 1).to(x.device, torch.bool)


def moved_alone(x: Tensor) -> Tensor:
    return x + torch.ones(x.shape[1], 1).to(x.device)


def lower_half(x: Tensor) -> Tensor:
    return torch.tril(torch.full((x.shape[1], x.shape[1]), 0.1, device=x.device)) @ x


def unit_matrix(x: Tensor) -> Tensor:
    return x @ torch.eye(x.shape[-1], device=x.device) + torch.scalar_tensor(0.5, device=x.device)


def constant(x: Tensor) -> Tensor:
    return x * torch.tensor([0.5, 2.0])[1]


OWN = [positions, without_a_device, zeros_moved, moved_alone, lower_half, unit_matrix, constant]


class Attention(nn.Module):
    """Self-attention of which the input meets a tensor that the forward makes."""

    def __init__(self, own):
        super().__init__()
        self.qkv, self.proj, self.fc = (
            nn.Linear(WIDTH, 3 * WIDTH),
            nn.Linear(WIDTH, WIDTH),
            nn.Linear(WIDTH, 3),
        )
        self.own = own

    def forward(self, x):
        x = self.own(x)
        split = self.qkv(x).view(x.shape[0], TOKENS, 3, HEADS, WIDTH // HEADS).permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(*split.unbind(0)).transpose(1, 2)
        return self.fc(self.proj(mixed.reshape(x.shape[0], TOKENS, WIDTH)).mean(1))


def subject_of(own) -> Subject:
    torch.manual_seed(0)
    model = Attention(own).eval()
    name = own.__name__
    return Subject(f"{subject_id(model)} {name}", name, model, None, torch.randn(2, TOKENS, WIDTH))


def macs_by_hand(own, width: int) -> int:
    """Of one sample: projections in, the two products of attention that wide, projection out, fc."""
    products = TOKENS * (WIDTH * 3 * width + 2 * TOKENS * width + width * WIDTH) + WIDTH * 3
    mixing = {lower_half: TOKENS * TOKENS * WIDTH, unit_matrix: TOKENS * WIDTH * WIDTH}
    return products + mixing.get(own, 0)


@pytest.mark.parametrize("own", OWN)
def test_attention_is_counted_before_and_after_a_cut(own):
    subject = subject_of(own)
    graph = graph_of(subject)
    (heads,) = (group for group in graph.profile.free_groups.values() if group.is_of_heads)
    assert graph.profile.macs == macs_by_hand(own, WIDTH) == count_macs(subject.model, subject.example[:1])
    whole = compact(Analysed(subject, graph), Masks({}, {}))
    assert count_macs(whole, subject.example[:1]) == graph.profile.macs
    half = compact(
        Analysed(subject, graph), masks_for(Analysed(subject, graph), Recipe(channels={heads.name: 0.5}))
    )
    assert count_macs(half, subject.example[:1]) == macs_by_hand(own, WIDTH // 2)


def python_file(packed: bytes, folder) -> nn.Module:
    (folder / "pruned.py").write_bytes(packed)
    spec = importlib.util.spec_from_file_location("pruned", folder / "pruned.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.build()


@pytest.mark.parametrize("own", some(OWN, 3))
def test_what_is_left_runs_where_its_input_is(own, tmp_path):
    """On the meta device, since a model that makes one tensor on the processor cannot run there."""
    subject = subject_of(own)
    graph = graph_of(subject)
    recipe = Recipe(channels=dict.fromkeys(graph.profile.free_groups, 0.5))
    small = compact(Analysed(subject, graph), masks_for(Analysed(subject, graph), recipe))
    zipfile.ZipFile(io.BytesIO(export(Analysed(subject, graph), recipe))).extractall(tmp_path)
    loaded, _ = load_pruned(tmp_path)
    written = python_file(export(Analysed(subject, graph), recipe, "python_snippet"), tmp_path)
    with torch.no_grad():
        expected = small(subject.example)
        for model in (loaded, written):
            assert torch.equal(model(subject.example), expected)
        for model in (small, loaded, written):
            assert model.to("meta")(subject.example.to("meta")).device.type == "meta"


def test_a_model_tied_to_the_processor_would_be_seen():
    subject = subject_of(positions)
    small = compact(analyse(subject), Masks({}, {}))
    (place,) = (node for node in small.graph.nodes if node.target is device_of)
    for user in list(place.users):
        user.kwargs = {**user.kwargs, "device": torch.device("cpu")}
    small.graph.eliminate_dead_code()
    tied = fx.GraphModule(small, small.graph).to("meta")
    with pytest.raises(RuntimeError, match="meta"):
        tied(subject.example.to("meta"))


class OnTheProcessor(nn.Module):
    """Foreign code that names the processor, so that nothing of it runs on the meta device."""

    def __init__(self, recurrent: bool):
        super().__init__()
        self.recurrent = nn.LSTM(WIDTH, WIDTH, batch_first=True) if recurrent else None
        self.attention = Attention(positions)

    def forward(self, x):
        x = x + torch.zeros(1, device="cpu")
        return self.attention(self.recurrent(x)[0] if self.recurrent else x)


@pytest.mark.parametrize("recurrent", [False, True])
def test_what_cannot_run_without_memory_is_counted_in_parts(recurrent):
    model = OnTheProcessor(recurrent).eval()
    gates = TOKENS * 4 * WIDTH * (WIDTH + WIDTH)  # of an LSTM: four, from the input and from the state
    expected = macs_by_hand(positions, WIDTH) + recurrent * gates
    assert count_macs(model, torch.randn(1, TOKENS, WIDTH)) == expected


def test_counting_leaves_nothing_in_the_model():
    class Keeping(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc, self.kept = nn.Linear(4, 4), None

        def forward(self, x):
            if self.kept is None:
                self.kept = torch.arange(4) / 4
            return self.fc(x + self.kept)

    model = Keeping()
    assert count_macs(model, torch.randn(1, 4)) == 16 and model.kept is None
