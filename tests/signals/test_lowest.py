"""The selection in pieces chooses what a selection of one tensor chooses, ties and signs included."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from explorer.allocators import context
from explorer.signals import lowest
from explorer.signals.lowest import kth_lowest, lowest_of

FLOATS = (torch.float64, torch.float32, torch.float16, torch.bfloat16)
NUMBERS = st.sampled_from([0.0, -0.0, 1.0, -1.0, 0.5, 1e-30, -3e-39, 65_000.0, float("inf"), float("-inf")])
VALUES = st.lists(NUMBERS | st.floats(-2, 2, width=16), min_size=1, max_size=40)


def sorted_choice(values: torch.Tensor, count: int) -> torch.Tensor:
    """The oracle: a stable sort."""
    chosen = torch.zeros(len(values), dtype=torch.bool)
    chosen[torch.argsort(values, stable=True)[:count]] = True
    return chosen


def ratios_of_one_tensor(values: dict[str, torch.Tensor], count: int) -> dict[str, float]:
    """The oracle: everything in one tensor, the best of each part infinite."""
    flat = torch.cat([v.flatten().index_fill(0, v.argmax(), torch.inf) for v in values.values()])
    gone = sorted_choice(flat, count).split([v.numel() for v in values.values()])
    return {part: int(g.sum()) / len(g) for part, g in zip(values, gone, strict=True)}


@pytest.fixture
def small_pieces(monkeypatch):
    """Every tensor counts as large, and its pieces hold three values."""
    for module in (lowest, context):
        monkeypatch.setattr(module, "PIECE", 3)
    monkeypatch.setattr(lowest, "LARGE", 0)


@pytest.mark.parametrize("dtype", FLOATS)
@settings(max_examples=60, deadline=None)
@given(numbers=VALUES, share=st.floats(0, 1))
def test_the_value_at_a_place_is_that_of_kthvalue(dtype, numbers, share):
    values = torch.tensor(numbers, dtype=dtype)
    count = 1 + round(share * (len(values) - 1))
    assert kth_lowest(lambda: values.split(3), count, dtype) == values.kthvalue(count).values


@pytest.mark.parametrize("dtype", FLOATS)
def test_the_lowest_of_a_large_tensor_are_those_of_a_stable_sort(dtype, small_pieces):
    values = torch.randn(500, generator=torch.Generator().manual_seed(0)).to(dtype)
    values[::3], values[1::7], values[2::7] = values[0].clone(), 0.0, -0.0
    for count in (0, 1, 100, 167, 250, 499, 500):
        assert torch.equal(lowest_of(values, count), sorted_choice(values, count))


def test_a_tensor_beyond_the_limit_is_read_in_pieces():
    values = torch.randint(0, 50, (lowest.LARGE + 5,), generator=torch.Generator().manual_seed(0)).float()
    chosen = lowest_of(values, 400_000)
    assert torch.equal(chosen, sorted_choice(values, 400_000))


def test_negative_control_bits_of_negative_numbers_alone_have_the_wrong_order():
    values = torch.tensor([-2.0, -1.0, 1.0])
    assert values.view(torch.int32).argsort().tolist() != [0, 1, 2]
    assert lowest._in_order(values).argsort().tolist() == [0, 1, 2]


@pytest.mark.usefixtures("small_pieces")
@pytest.mark.parametrize("seed", range(6))
def test_ratios_over_parts_are_those_of_one_tensor(seed):
    generator = torch.Generator().manual_seed(seed)
    values = {
        "ties": torch.randint(0, 3, (4, 5), generator=generator).float(),
        "one": torch.rand(1, generator=generator),
        "wide": torch.rand(31, generator=generator, dtype=torch.float64),
        "same": torch.ones(10),
    }
    total = sum(v.numel() for v in values.values())
    for target in (0.0, 0.1, 0.3, 0.5, 0.8, 0.93):
        found = context.lowest("test", values, target)
        assert found == ratios_of_one_tensor(values, min(round(target * total), total - len(values)))
