"""A repair that begins where the last one was the same gives the same model and solves only the rest."""

import pytest
import torch
from rows import some
from zoo import ZOO, odd

from explorer.compaction.compact import compact
from explorer.engine.candidate import prepare
from explorer.graph.analysed import analyse
from explorer.loaders.model_text import load
from explorer.pruning.decision import decide
from explorer.repair import least_squares, trail
from explorer.repair.least_squares import LeastSquares
from explorer.repair.trail import RepairPlace, begun, held_bytes
from explorer.values.profile import Masks
from explorer.values.recipe import Recipe


def recipe(**channels: float) -> Recipe:
    return Recipe(channels=channels, after="least_squares")


@pytest.fixture
def solved(monkeypatch):
    """The layers that were solved for."""
    names: list[str] = []
    real = least_squares.solution_of

    def counted(model, uses, mask):
        names.append(uses[0].contraction.weight)
        return real(model, uses, mask)

    monkeypatch.setattr(least_squares, "solution_of", counted)
    trail._trails.clear()
    return names


def test_a_moved_fader_repairs_only_from_there_on(one_thread, solved):
    model = analyse(load("digits-cnn"))
    prepare(model, recipe(conv1=0.5, conv2=0.5, conv3=0.5))
    assert solved == ["conv2.weight", "conv3.weight", "fc.weight"]
    solved.clear()
    moved = prepare(model, recipe(conv1=0.5, conv2=0.5, conv3=0.25))
    assert solved == ["conv3.weight", "fc.weight"]
    trail._trails.clear()
    fresh = prepare(model, recipe(conv1=0.5, conv2=0.5, conv3=0.25))
    a, b = moved.model.state_dict(), fresh.model.state_dict()
    assert all(torch.equal(a[name], b[name]) for name in a) and moved.notes == fresh.notes


def test_a_moved_first_fader_repairs_everything(one_thread, solved):
    model = analyse(load("digits-cnn"))
    prepare(model, recipe(conv1=0.5, conv2=0.5))
    solved.clear()
    prepare(model, recipe(conv1=0.25, conv2=0.5))
    assert solved == ["conv2.weight", "conv3.weight"]


@pytest.mark.parametrize("name", some(ZOO, 3))
def test_every_odd_model_can_be_gone_on_with_at_every_place(name, one_thread):
    model = analyse(odd(name))
    masks = decide(model, Recipe(channels=dict.fromkeys(model.profile.free_groups, 0.5))).masks
    batches = [torch.randn(16, *model.subject.example.shape[1:]) for _ in range(5)]

    def work():
        small = compact(model, masks)
        return LeastSquares(
            model, masks, small, compact(model, Masks({}, {})), batches, begun(model, small, batches)
        )

    whole = work()
    list(whole.run())
    for mark in whole.trail.marks if whole.trail else ():
        part = work()
        part.resume(mark)
        list(part.run())
        a, b = whole.small.state_dict(), part.small.state_dict()
        assert all(torch.equal(a[key], b[key]) for key in a) and part.result == whole.result


def test_places_are_let_go_when_there_is_no_room(monkeypatch):
    def mark(place: int) -> RepairPlace:
        values = ({"x": torch.zeros(1000)},)
        return RepairPlace(place, (place, values), (place, values), {}, ((), (), ()))

    kept = trail.RepairTrail(compact(analyse(odd("chain")), Masks({}, {})), [])
    assert held_bytes([mark(0), mark(1)]) == 8000
    monkeypatch.setattr(trail, "KEPT_BYTES", 3 * 4000)
    for place in range(6):
        kept.add(mark(place))
    assert len(kept.marks) <= 3 and kept.marks[0].place == 0
