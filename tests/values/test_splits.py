"""Whether a task has a split is known without making it, where all three are certain."""

import pytest
import torch

from explorer.registry import DATA
from explorer.values.samples import Split
from explorer.values.subject import EverySplit, Task

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


def test_a_certain_split_is_not_made(make, calls):
    task = Task("own", load_split=EverySplit(make))
    assert all(map(task.has, SPLITS)) and calls == []
    assert len(task.split("training")) == 4 and calls == ["training"]


def test_another_is_made(make, calls):
    """The control."""
    assert all(map(Task("own", load_split=make).has, SPLITS)) and calls == list(SPLITS)
    assert not Task("own", load_split=lambda name: None).has("training")


@pytest.mark.parametrize("name", ["digits", "mnist", "stdlib"])
def test_data_that_comes_with_the_program_has_all_three(name):
    task = DATA[name]()
    assert all(task.has(split) and len(task.split(split)) for split in SPLITS)
