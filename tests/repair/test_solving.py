"""The closed forms against numpy's own solver, with a mask and without, and what they promise."""

import numpy
import pytest
import torch

from explorer.repair.gram import Sums, sums_of
from explorer.repair.masked import column_by_column, exact, masked_change
from explorer.repair.ridge import chosen_strength, damped, digits_lost, solved

TINY = 1e-12


def problem(rows: int = 400, n: int = 12, out: int = 5, seed: int = 0):
    generator = torch.Generator().manual_seed(seed)
    mixed = torch.randn(n, n, generator=generator, dtype=torch.double)
    x = torch.randn(rows, n, generator=generator, dtype=torch.double) @ mixed + 3
    noise = torch.randn(rows, out, generator=generator, dtype=torch.double)
    return x, x @ torch.randn(n, out, generator=generator, dtype=torch.double) + noise + 2


def summed(x, e, parts: int = 4, origin: bool = False) -> Sums:
    start = x[:10].mean(0)[None] if origin else None
    pieces = [
        sums_of(a[None], b[None], start, torch.double)
        for a, b in zip(x.tensor_split(parts), e.tensor_split(parts), strict=True)
    ]
    return sum(pieces[1:], pieces[0])


def test_the_solution_is_that_of_numpy():
    x, e = problem()
    expected = numpy.linalg.lstsq(x.numpy(), e.numpy(), rcond=None)[0]
    assert numpy.allclose(solved(summed(x, e), TINY)[0], expected, atol=1e-6)


@pytest.mark.parametrize("origin", [False, True])
def test_a_free_bias_is_one_more_column(origin):
    x, e = problem()
    one = torch.ones(len(x), 1, dtype=torch.double)
    expected = numpy.linalg.lstsq(torch.cat([x, one], 1).numpy(), e.numpy(), rcond=None)[0]
    sums = summed(x, e, origin=origin)
    change = solved(sums.centred(), TINY)
    assert numpy.allclose(change[0], expected[:-1], atol=1e-6)
    assert numpy.allclose(sums.bias(change)[0], expected[-1], atol=1e-5)


def test_errors_follow_from_the_sums():
    x, e = problem()
    change = torch.randn(1, 12, 5, dtype=torch.double)
    assert torch.allclose(summed(x, e).error(change)[0], (e - x @ change[0]).square().sum(0))


@pytest.mark.parametrize("strength", [1e-6, 1e-2, 1.0, 100.0])
def test_however_strong_the_ridge_no_change_is_never_better(strength):
    sums = summed(*problem()).centred()
    assert bool((sums.error(solved(sums, strength)) <= sums.error()).all())


def test_held_back_rows_choose_the_ridge():
    """With as many columns as rows the strongest fit is the worst; noise alone is not fitted at all."""
    x, e = problem(40, 30)
    fit, held = summed(x[:32], e[:32]), summed(x[32:], e[32:])
    best = chosen_strength(fit, held)
    assert best is not None
    errors = {s: float(held.error(solved(fit, s)).sum()) for s in (best, 1e-6)}
    assert errors[best] <= errors[1e-6]
    noise = torch.randn(2, 40, 5, dtype=torch.double, generator=torch.Generator().manual_seed(1))
    assert chosen_strength(summed(x[:32], noise[0, :32]), summed(x[32:], noise[1, 32:])) is None


def test_a_column_that_is_zero_everywhere_can_be_solved():
    x, e = problem()
    x[:, 3] = 0
    found = solved(summed(x, e), 1e-6)
    assert bool(found.isfinite().all()) and bool((found[0, 3] == 0).all())


def test_a_badly_conditioned_problem_says_so():
    x, e = problem()
    assert digits_lost(summed(x, e).centred().gram, TINY) < 1e6
    x[:, 1] = x[:, 0] * (1 + 1e-9)
    assert digits_lost(summed(x, e).gram, 0.0) > 1e9


# --------------------------------------------------------------------------- with a mask


def masked_problem(density: float = 0.5):
    x, e = problem()
    generator = torch.Generator().manual_seed(5)
    mask = torch.rand(1, 5, 12, generator=generator) < density
    mask[..., 0] = True
    weight = torch.randn(1, 5, 12, generator=generator, dtype=torch.double) * mask
    return x, e, mask, weight


def test_each_row_is_the_solution_over_its_own_columns():
    x, e, mask, _ = masked_problem()
    solution = exact(summed(x, e), mask, TINY)
    for row in range(5):
        own = mask[0, row].nonzero().flatten()
        expected = numpy.linalg.lstsq(x[:, own].numpy(), e[:, row].numpy(), rcond=None)[0]
        assert numpy.allclose(solution[0, own, row], expected, atol=1e-6)
        assert bool((solution[0, ~mask[0, row], row] == 0).all())


def test_column_by_column_is_nearly_exact_and_better_than_leaving_weights_as_they_are(monkeypatch):
    x, e, mask, weight = masked_problem()
    sums = summed(x, e)
    best = sums.error(exact(sums, mask, 1e-6)).sum()
    monkeypatch.setattr("explorer.repair.masked.EXACT_WORK", 0)
    swept = masked_change(sums, weight, mask, 1e-6)
    outside = ~mask.transpose(1, 2)
    assert bool(((weight.transpose(1, 2) + swept)[outside] == 0).all())
    assert best <= sums.error(swept).sum() < sums.error().sum()
    assert bool((sums.error(swept) <= sums.error()).all())


def test_blocks_of_columns_change_nothing(monkeypatch):
    x, e, mask, _ = masked_problem()
    sums = summed(x, e)
    whole, gram = solved(sums, 1e-6)[0].t(), damped(sums.gram, 1e-6)[0]
    at_once = column_by_column(whole, mask[0], gram)
    monkeypatch.setattr("explorer.repair.masked.BLOCK", 5)
    assert torch.allclose(column_by_column(whole, mask[0], gram), at_once, atol=1e-9)


def test_the_last_column_of_a_sweep_is_set_as_one_weight_alone_would_be():
    """One weight of a row goes, in the first column: the surgeon's formula moves the others."""
    x, e, _, _ = masked_problem()
    sums = summed(x, e)
    whole, gram = solved(sums, 1e-6)[0].t(), damped(sums.gram, 1e-6)[0]
    mask = torch.ones(5, 12, dtype=torch.bool)
    mask[:, 0] = False
    inverse = torch.linalg.inv(gram)
    expected = whole - whole[:, :1] / inverse[0, 0] * inverse[:1]
    assert torch.allclose(column_by_column(whole, mask, gram), expected, atol=1e-8)
