"""How many samples a split has is known without making it, where its size is."""

import pytest
import torch

from explorer.registry import DATA
from explorer.values.samples import Split
from explorer.values.subject import SizedSplits, Task

SPLITS = ("training", "tuning", "held_out")


@pytest.fixture
def calls() -> list[str]:
    return []


@pytest.fixture
def make(calls):
    def load(name: str) -> Split:
        calls.append(name)
        return Split(torch.zeros(4, 3), torch.zeros(4, dtype=torch.int64))

    return load


SIZES = {"training": 4, "tuning": 4, "held_out": 0}


def test_a_split_of_known_size_is_not_made(make, calls):
    task = Task("own", load_split=SizedSplits(make, SIZES))
    assert [task.has(name) for name in SPLITS] == [True, True, False] and task.size_of("tuning") == 4
    assert calls == []
    assert len(task.split("training")) == 4 and calls == ["training"]


def test_another_is_made(make, calls):
    """The control."""
    assert all(map(Task("own", load_split=make).has, SPLITS)) and calls == list(SPLITS)
    assert not Task("own", load_split=lambda name: None).has("training")


@pytest.mark.parametrize("name", ["shapes", "shapes-masks", "shapes-scenes"])
def test_drawn_data_has_as_many_samples_as_it_says(name):
    task = DATA[name]()
    assert isinstance(task.load_split, SizedSplits) and set(task.load_split.sizes) == set(SPLITS)
    assert len(task.split("tuning")) == task.size_of("tuning") > 0
