"""An audit: every wrong wiring is found, no right one is blamed, and the graph is that of the model."""

import itertools
import os
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest
import torch
from rows import some
from torch import Tensor, nn
from torch.nn import functional

from explorer.audit.audit import OWN_TOLERANCE, REJECTED, TOLERANCE, audit
from explorer.audit.comparison import Expected, expected_answers
from explorer.audit.conditioned_model import conditioned_state, portions, random_inputs
from explorer.audit.faults import Swap
from explorer.audit.float64_run import widened
from explorer.audit.negative_control import LOST, MASKED, SWAPPED
from explorer.audit.own_answers import difference_of_graph
from explorer.compaction.compact import compact
from explorer.graph.analysed import Analysed, analyse
from explorer.graph.export import ModelGraph, graph_of
from explorer.loaders.model_text import load
from explorer.planning.allocate import allocate
from explorer.planning.allocation import Allocation
from explorer.pruning.decision import masks_once
from explorer.pruning.masks import positions
from explorer.registry import SAMPLES
from explorer.values.choice import Choice
from explorer.values.identity import subject_id
from explorer.values.recipe import Recipe
from explorer.values.subject import Subject

FAULTS = "PRUNING_EXPLORER_FAULTS"  # how many are planted into a sample; "all" takes some minutes
FEW = 40
FLOAT64 = 1e-11  # what rounding alone makes of equal numbers, with room


def subject_of(model: nn.Module, *shape: int) -> Subject:
    model = model.eval()
    return Subject(subject_id(model), "own", model, None, torch.randn(2, *shape))


def last(steps):
    try:
        while True:
            next(steps)
    except StopIteration as end:
        return end.value


class Audited:
    """The two sides of an audit at ratio 0.5, so that faults can be planted into one of them."""

    def __init__(self, subject: Subject):
        model = analyse(subject)
        self.profile = model.profile
        self.masks = masks_once(model, allocate(model, Recipe(), Allocation(Choice("uniform"), 0.5)))
        state = last(conditioned_state(model))
        inputs = portions(random_inputs(model), model.graph)
        self.expected: list[Expected] = last(expected_answers(model.graph, self.masks, state, inputs))
        self.twin = compact(model, self.masks, state=state)._apply(widened)

    def swaps(self) -> list[Swap]:
        """Every two neighbours among the kept units of a slot, on that slot alone."""
        tensors = dict(self.twin.named_parameters(remove_duplicate=False))
        tensors |= dict(self.twin.named_buffers(remove_duplicate=False))
        surviving = positions(self.profile, self.masks.channels)
        swaps = []
        for group in self.profile.free_groups.values():
            for slot in (slot for slot in group.slots if slot.tensor in tensors):
                line = surviving[slot.tensor][slot.dim]
                after, first = line.cumsum(0) - 1, {}
                for old in (line & (slot.units >= 0)).nonzero().flatten().tolist():
                    first.setdefault(int(slot.units[old]), int(after[old]))
                places = list(first.values())
                tensor = tensors[slot.tensor]
                swaps += [Swap(tensor, None, slot.dim, a, b) for a, b in itertools.pairwise(places)]
        return swaps

    def is_found(self, swap: Swap) -> bool:
        return any(one.difference(self.twin, swap) > TOLERANCE for one in reversed(self.expected))

    def difference(self) -> float:
        return max(one.difference(self.twin) for one in self.expected)


def planted(swaps: list[Swap]) -> list[Swap]:
    """As many faults as asked for, spread evenly over the model; those that swap equal numbers are none."""
    asked = os.environ.get(FAULTS, str(FEW))
    step = 1 if asked == "all" else max(1, len(swaps) // int(asked))
    return [swap for swap in swaps[::step] if not _is_none(swap)]


def _is_none(swap: Swap) -> bool:
    a, b = (swap.tensor.select(swap.dim, place) for place in (swap.a, swap.b))
    return torch.equal(a, b)


@pytest.mark.parametrize(
    "name",
    some(SAMPLES, 4),
)
def test_no_wrong_wiring_is_missed(name):
    audited = Audited(load(name))
    faults = planted(audited.swaps())
    assert audited.difference() < FLOAT64 and faults
    missed = [fault for fault in faults if not audited.is_found(fault)]
    assert not missed, f"{len(missed)} of {len(faults)}"


class Silent(nn.Module):
    """Two hidden units that a ReLU holds at zero, whatever comes in."""

    def __init__(self, flat=torch.relu):
        super().__init__()
        torch.manual_seed(0)
        self.a, self.b, self.flat = nn.Linear(6, 8), nn.Linear(8, 3), flat
        with torch.no_grad():
            self.a.bias[4:] = -1000.0
            self.a.weight[4:] *= 9  # so that they are kept

    def forward(self, x):
        return self.b(self.flat(self.a(x)))


FLAT = [
    torch.relu,
    torch.nn.ReLU(inplace=True),
    functional.relu6,
    functional.hardtanh,
    functional.hardswish,
    functional.gelu,
    functional.silu,
    torch.sigmoid,
    lambda x: x.clamp(min=0),
    lambda x: functional.threshold(x, 0.5, 0.0),
]


@pytest.mark.parametrize("flat", FLAT)
def test_units_that_are_silent_for_every_input_are_woken(flat):
    audited = Audited(subject_of(Silent(flat), 6))
    assert audited.masks.channels["a"].tolist() == [False] * 4 + [True] * 4
    reader = Swap(audited.twin.get_parameter("b.weight"), None, 1, 0, 1)
    usual, awake = (one.difference(audited.twin, reader) for one in audited.expected)
    assert usual < TOLERANCE, "this is the fault that ordinary inputs do not show"
    assert awake > 1e-3 and audited.is_found(reader) and audited.difference() < FLOAT64


class Logarithm(nn.Module):
    """Awake, its logarithm has no value."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(6, 8), nn.Linear(8, 3)

    def forward(self, x):
        return self.b(torch.log(torch.relu(self.a(x)) + 0.01))


def test_what_cannot_be_woken_is_audited_as_before():
    subject = subject_of(Logarithm(), 6)
    assert len(Audited(subject).expected) == 1 and audit(analyse(subject)).verified


# --------------------------------------------------------------------------- whose graph it is


class Gained(nn.Module):
    def __init__(self, gain):
        super().__init__()
        torch.manual_seed(0)
        self.a, self.b, self.gain = nn.Linear(8, 16), nn.Linear(16, 4), gain

    def forward(self, x):
        return self.b(torch.relu(self.a(x)) * self.gain)


def test_the_graph_of_another_model_is_found_out():
    double, triple = subject_of(Gained(2.0), 8), subject_of(Gained(3.0), 8)
    wrong: ModelGraph = graph_of(double)
    found = audit(Analysed(triple, wrong))
    assert not found.verified and "model itself" in found.reason and found.graph_rel_diff > 0.1
    right = audit(analyse(triple))
    assert right.verified and right.graph_rel_diff < 1e-6 < OWN_TOLERANCE


class Counting(nn.Module):
    """Its forward writes into a buffer."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(4, 8), nn.Linear(8, 3)
        self.register_buffer("calls", torch.zeros(1, dtype=torch.int64))

    def forward(self, x):
        self.calls.add_(1)
        return self.b(torch.relu(self.a(x))) + self.calls


def test_an_audit_calls_the_model_itself_once_and_writes_into_none_of_its_buffers():
    subject = subject_of(Counting(), 4)
    graph = graph_of(subject)
    before = int(subject.model.calls)
    difference_of_graph(Analysed(subject, graph))
    assert int(subject.model.calls) == before + 1
    found = audit(Analysed(subject, graph))
    assert found.verified, found.reason
    assert int(subject.model.calls) == before + 2


# --------------------------------------------------------------------------- models of their own ways


class Both(nn.Module):
    """One weight makes the hidden units and reads them."""

    def __init__(self):
        super().__init__()
        self.a, self.c = nn.Linear(8, 16, bias=False), nn.Linear(8, 3)

    def forward(self, x):
        return self.c(torch.relu(self.a(x)) @ self.a.weight)


class ReadByThree(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = (nn.Linear(8, 16) for _ in range(3))
        self.b.weight = self.c.weight = self.a.weight
        self.o = nn.Linear(16, 3)

    def forward(self, x):
        return self.o(torch.relu(self.a(x)) * torch.relu(self.b(x)) + torch.tanh(self.c(x)))


class TiedHead(nn.Module):
    def __init__(self):
        super().__init__()
        self.e, self.f, self.g = nn.Embedding(20, 8), nn.Linear(8, 16), nn.Linear(16, 8)
        self.h = nn.Linear(8, 20, bias=False)
        self.h.weight = self.e.weight

    def forward(self, x):
        e = self.e((x.abs() * 5).long().clamp(0, 19))
        return self.h(self.g(torch.relu(self.f(e))) + e).mean(1)


class Complex(nn.Module):
    def __init__(self, answer: str):
        super().__init__()
        self.a, self.answer = nn.Linear(8, 16), answer
        self.w = nn.Parameter(torch.randn(16, 5, dtype=torch.cfloat))

    def forward(self, x):
        found = torch.relu(self.a(x)).to(torch.cfloat) @ self.w
        return found.abs() if self.answer == "real" else found


class Noisy(nn.Module):
    """Random numbers before, inside and behind what is cut."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(8, 16), nn.Linear(16, 3)

    def forward(self, x):
        unread = torch.rand(3)
        hidden = functional.dropout(torch.relu(self.a(x + torch.randn_like(x))), 0.3, training=True)
        unread = unread + torch.rand(3)
        return self.b(hidden) + torch.randn(x.shape[0], 3)


class Drawn(nn.Module):
    """An activation that draws its slopes, or drops units, also when it is not trained."""

    def __init__(self, draw: Callable[..., Tensor]):
        super().__init__()
        self.a, self.b, self.draw = nn.Linear(8, 16), nn.Linear(16, 3), draw

    def forward(self, x):
        return self.b(self.draw(self.a(x), training=True))


class OfPlaces(nn.Module):
    """A number of each channel over its places, of which a removed channel has none."""

    def __init__(self, number: Callable[[Tensor], Tensor]):
        super().__init__()
        self.a, self.o, self.number = nn.Conv2d(3, 8, 3), nn.Linear(8, 4), number

    def forward(self, x):
        return self.o(self.number(torch.relu(self.a(x)).flatten(2)))


OWN = {
    "the spread of places": lambda: (OfPlaces(lambda x: x.std(-1)), 3, 8, 8),
    "the spread and the mean of places": lambda: (OfPlaces(lambda x: sum(torch.var_mean(x, 2))), 3, 8, 8),
    "a soft maximum of places": lambda: (OfPlaces(lambda x: x.logsumexp(-1)), 3, 8, 8),
    "a weight that makes and reads": lambda: (Both(), 8),
    "a weight of three layers": lambda: (ReadByThree(), 8),
    "a tied head": lambda: (TiedHead(), 7),
    "complex weights": lambda: (Complex("real"), 8),
    "complex answers": lambda: (Complex("complex"), 8),
    "random numbers": lambda: (Noisy(), 8),
    "random slopes": lambda: (Drawn(functional.rrelu), 8),
    "random slopes in place": lambda: (Drawn(partial(functional.rrelu, inplace=True)), 8),
    "alpha dropout": lambda: (Drawn(functional.alpha_dropout), 8),
    "alpha dropout of features": lambda: (Drawn(functional.feature_alpha_dropout), 8),
    "dropout in place": lambda: (Drawn(partial(functional.dropout, inplace=True)), 8),
}


@pytest.mark.parametrize("kind", OWN)
def test_a_right_wiring_is_not_blamed(kind):
    torch.manual_seed(0)
    subject = subject_of(*OWN[kind]())
    found = audit(analyse(subject))
    assert found.verified, found.reason
    assert found.max_rel_diff < FLOAT64 and found.negative_control > 1e-4
    assert replace(found, seconds=0.0, peak_memory_bytes=0) == replace(
        audit(analyse(subject)), seconds=0.0, peak_memory_bytes=0
    ), "the same again"


@pytest.mark.parametrize("kind", OWN)
def test_a_wrong_wiring_of_them_is_found(kind):
    """But a weight that makes units and reads them may lose its order: then nothing is wrong."""
    torch.manual_seed(0)
    audited = Audited(subject_of(*OWN[kind]()))
    for swap in audited.swaps():
        assert audited.is_found(swap) != (kind == "a weight that makes and reads")


def test_an_audit_leaves_the_random_numbers_of_the_program():
    subject = subject_of(Noisy(), 8)
    graph = graph_of(subject)
    torch.manual_seed(3)
    expected: Tensor = torch.rand(4)
    torch.manual_seed(3)
    audit(Analysed(subject, graph))
    assert torch.equal(torch.rand(4), expected)


class Pair(nn.Module):
    """Groups of two channels, of which a half cut leaves one."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(1)
        self.a, self.b, self.c = nn.Linear(5, 2), nn.Linear(2, 2), nn.Linear(2, 3)

    def forward(self, x):
        return self.c(torch.tanh(self.b(torch.tanh(self.a(x)))))


def test_where_no_two_channels_are_left_one_is_lost_on_purpose():
    found = audit(analyse(subject_of(Pair(), 5)))
    assert found.verified and found.fault == LOST, found.reason
    assert found.max_rel_diff < FLOAT64 and found.negative_control > REJECTED
    wide = audit(analyse(subject_of(nn.Sequential(nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 3)), 5)))
    assert wide.verified and wide.fault == SWAPPED


@pytest.mark.parametrize("pattern", ["free", "2:4"])
def test_masks_of_single_weights_are_proven(pattern):
    subject = subject_of(
        nn.Sequential(nn.Conv2d(4, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(128, 3)), 4, 6, 6
    )
    recipe = Recipe(weights={"0": 0.5, "3": 0.5}, pattern=pattern)
    found = audit(analyse(subject), recipe)
    assert found.verified and found.fault == MASKED, found.reason
    assert found.max_rel_diff < FLOAT64 and found.negative_control > REJECTED
    assert found.params_after == found.params_before


def test_what_is_exported_for_single_weights_is_the_model_with_zeros():
    subject = subject_of(Pair(), 5)
    model, recipe = analyse(subject), Recipe(weights={"a": 0.5, "b": 0.5})
    masks = masks_once(model, recipe).weights
    small = compact(model, masks_once(model, recipe))
    zeros = {f"{layer}.weight": mask for layer, mask in masks.items()}
    state = {name: tensor * zeros.get(name, 1) for name, tensor in subject.model.state_dict().items()}
    assert {name: tensor.tolist() for name, tensor in small.state_dict().items()} == {
        name: tensor.tolist() for name, tensor in state.items()
    }
    x = torch.randn(7, 5)
    assert torch.equal(small(x), torch.func.functional_call(subject.model, state, (x,)))


def test_a_mask_at_the_wrong_place_is_found(monkeypatch):
    model, recipe = analyse(subject_of(Pair(), 5)), Recipe(weights={"a": 0.5})
    wrong = masks_once(model, recipe).weights["a"].roll(1, 0)

    def elsewhere(model, masks, **options):
        return compact(model, replace(masks, weights={"a": wrong}), **options)

    monkeypatch.setattr("explorer.audit.audit.compact", elsewhere)
    found = audit(model, recipe)
    assert not found.verified and "the compact and the masked model differ by" in str(found.reason)


def test_where_nothing_is_removed_nothing_is_proven():
    found = audit(analyse(subject_of(Pair(), 5)), Recipe(weights={"a": 0.01}))
    assert not found.verified and found.reason == "nothing was removed, so there is nothing to prove"


class Unread(nn.Module):
    """Layers whose answer nobody takes; the model's own layers are beside them if `whole`."""

    def __init__(self, whole: bool):
        super().__init__()
        self.a, self.b, self.c, self.o = nn.Linear(5, 8), nn.Linear(8, 8), nn.Linear(5, 8), nn.Linear(8, 3)
        self.plain, self.whole = nn.Linear(5, 3), whole

    def forward(self, x):
        self.b(self.a(x))
        return self.o(torch.relu(self.c(x))) if self.whole else self.plain(x)


def test_where_only_what_nobody_reads_is_cut_nothing_is_proven():
    found = audit(analyse(subject_of(Unread(whole=False), 5)))
    assert not found.verified and found.params_after < found.params_before
    assert (
        found.reason
        == "nothing that was removed reaches an output of the model, so there is nothing to prove"
    )


@pytest.mark.parametrize("recipe", [None, Recipe(weights={"a": 0.5, "c": 0.5})])
def test_what_nobody_reads_is_no_place_for_a_fault(recipe):
    found = audit(analyse(subject_of(Unread(whole=True), 5)), recipe)
    assert found.verified and found.negative_control > REJECTED, found.reason
    unread = audit(analyse(subject_of(Unread(whole=True), 5)), Recipe(weights={"a": 0.5}))
    assert not unread.verified and "reaches an output" in unread.reason
