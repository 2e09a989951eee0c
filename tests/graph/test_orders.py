"""Channels that the model's code puts into an order of its own, which is the same for every input, can go."""

import json

import onnxruntime
import pytest
import torch
from torch import Tensor, nn

from explorer.audit.audit import audit
from explorer.engine.candidate import prepare
from explorer.errors import CompactionError
from explorer.exporters.architecture import describe
from explorer.exporters.export import export
from explorer.exporters.load_pruned import PrunedModel
from explorer.graph.analysed import analyse
from explorer.values.recipe import Recipe
from explorer.values.subject import Subject

ORDER = [2, 0, 1, 5, 4, 3]


class Ordered(nn.Module):
    """Six channels in another order, between two convolutions."""

    def __init__(self, way: str):
        super().__init__()
        self.way = way
        self.register_buffer("order", torch.tensor(ORDER))
        self.first, self.second = nn.Conv2d(3, 6, 1), nn.Conv2d(3, 6, 1)
        self.last = nn.Conv2d(6, 4, 3)

    def forward(self, x: Tensor) -> Tensor:
        ways = {
            "written": lambda x: x[:, ORDER],
            "held": lambda x: x[:, self.order],
            "selected": lambda x: x.index_select(1, self.order),
            "tensor": lambda x: torch.index_select(x, -3, torch.tensor(ORDER)),
            "counted": lambda x: x[:, torch.arange(5, -1, -1)],
            "computed": lambda x: x[:, self.order.argsort()],
            "negative": lambda x: x[:, [-1, 0, -2, 1, 2, 3]],
            "halves": lambda x: x.unflatten(1, (2, 3))[:, [1, 0]].flatten(1, 2),
            "rolled": lambda x: x.roll(2, 1),
            "rolled back": lambda x: x.roll((1, -2, 1), (2, 1, 1)),
            "twice": lambda x: x[:, self.order].roll(1, 1)[:, self.order],
        }
        return self.last(ways[self.way](self.first(x)) * self.second(x))


def subject_of(model: nn.Module, way: str) -> Subject:
    torch.manual_seed(0)
    example = torch.randn(2, 3, 6, 6)
    return Subject(f"{type(model).__name__} {way}", way, model.eval(), None, example)


WAYS = [
    *"written held selected tensor counted computed negative halves rolled twice".split(),
    "rolled back",
]


@pytest.mark.parametrize("way", WAYS)
def test_channels_in_another_order_are_cut_and_proven(way):
    subject = subject_of(Ordered(way), way)
    analysed = analyse(subject)
    (group,) = analysed.profile.free_groups.values()
    assert group.units == (3 if way == "halves" else 6)
    report = audit(analysed)
    assert report.verified and report.max_rel_diff < 1e-8, report.reason


@pytest.mark.parametrize("way", ["held", "written", "rolled"])
def test_the_order_goes_along_into_every_export(way):
    subject = subject_of(Ordered(way), way)
    analysed = analyse(subject)
    recipe = Recipe(channels=dict.fromkeys(analysed.profile.free_groups, 0.5))
    small = prepare(analysed, recipe).model
    assert small.first.out_channels == 3
    assert set(small.state_dict()) == set(subject.model.state_dict())
    x = torch.randn(3, 3, 6, 6)
    expected = small(x).detach()
    about = json.loads(json.dumps(describe(small)))
    tensors = {name: small.get_buffer(name) for name in about["tensors"] if name not in small.state_dict()}
    rebuilt = PrunedModel(about, {**small.state_dict(), **tensors}).eval()
    assert torch.allclose(rebuilt(x), expected, atol=1e-6)
    module: dict = {"__name__": "pruned"}
    exec(compile(export(analysed, recipe, "python_snippet"), "pruned.py", "exec"), module)
    assert torch.allclose(module["build"]()(x), expected, atol=1e-6)
    session = onnxruntime.InferenceSession(export(analysed, recipe, "onnx"))
    (given,) = session.run(None, {session.get_inputs()[0].name: x.numpy()})
    assert torch.allclose(torch.from_numpy(given), expected, atol=1e-5)


class Picked(nn.Module):
    """Some channels, some of them twice; the others only count through the second reader."""

    def __init__(self, order: list[int], moves: bool = False):
        super().__init__()
        self.moves = moves
        self.register_buffer("order", torch.tensor(order))
        self.first, self.other = nn.Conv2d(3, 6, 1), nn.Conv2d(6, 2, 1)
        self.last = nn.Conv2d(len(order), 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        y = self.last(x[:, self.order]) + self.other(x)
        if self.moves:
            self.order.copy_(self.order.roll(1))
        return y


def test_channels_that_are_read_twice_or_not_at_all_are_cut_and_proven():
    analysed = analyse(subject_of(Picked([0, 0, 4, 1]), "twice"))
    assert sum(group.units for group in analysed.profile.free_groups.values()) == 6
    assert audit(analysed).verified


def test_the_only_channel_that_is_read_stays():
    analysed = analyse(subject_of(Picked([3]), "one"))
    assert [group.units for group in analysed.profile.free_groups.values()] == [5]
    assert audit(analysed).verified


def test_an_order_that_changes_from_call_to_call_is_not_taken_for_known():
    groups = analyse(subject_of(Picked(ORDER, moves=True), "moves")).profile.groups
    first = next(group for group in groups if group.name == "first")
    assert first.frozen == "looked up by position in the model"


class TakenBySteps(nn.Module):
    """Every second channel of ten; with `writes` the rest of the model sees what is written into them."""

    def __init__(self, writes: bool):
        super().__init__()
        self.writes = writes
        self.first, self.even, self.all = nn.Conv2d(3, 10, 1), nn.Conv2d(5, 4, 1), nn.Conv2d(10, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        even = x[:, ::2]
        if self.writes:
            even.add_(1.0)
        return self.even(even) * self.all(x)


GONE = [1, 2, 3, 7]  # of the even ones 0, 4, 6, 8 stay, which are not equally far apart among those left


def by_hand(writes: bool):
    model = analyse(subject_of(TakenBySteps(writes), f"steps {writes}"))
    removed: dict[str, list[int]] = {}
    for group in model.profile.free_groups.values():
        (slot, *_) = [slot for slot in group.slots if slot.tensor == "first.weight"]
        gone = {slot.unit_of[i] for i in GONE} - {-1}
        removed[group.name] = sorted(gone)
    return model, Recipe(remove={name: tuple(gone) for name, gone in removed.items()})


def test_channels_taken_by_steps_are_those_of_the_dense_model():
    model, recipe = by_hand(writes=False)
    small = prepare(model, recipe).model
    assert small.first.out_channels == 6
    network, x = model.subject.model, torch.randn(3, 3, 6, 6)
    with torch.no_grad():
        y = network.first(x)
        y[:, GONE] = 0
        assert torch.allclose(small(x), network.even(y[:, ::2]) * network.all(y), atol=1e-6)


def test_a_copy_never_stands_for_a_slice_that_is_written_into():
    model, recipe = by_hand(writes=True)
    with pytest.raises(CompactionError, match="cannot be renumbered"):
        prepare(model, recipe)
