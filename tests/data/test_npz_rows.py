"""Rows of an array come into memory alone if it is large, whether it is packed or not."""

import tracemalloc

import numpy as np
import pytest

from explorer.data import arrays as module
from explorer.data.arrays import Arrays
from explorer.errors import LoadError

ROWS, WIDTH = 4_000, 1_000


@pytest.fixture(params=[np.savez, np.savez_compressed], ids=["mapped", "packed"])
def file(request, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "LARGE", 1_000)
    monkeypatch.setattr(module, "AT_ONCE", 50_000)
    values = np.arange(ROWS * WIDTH, dtype=np.uint8).reshape(ROWS, WIDTH)
    request.param(tmp_path / "a.npz", first=np.zeros(3), x=values, y=np.asfortranarray(values[:40]))
    return Arrays(tmp_path / "a.npz"), values


def test_rows_are_those_of_the_array_in_any_order(file):
    arrays, values = file
    numbers = np.array([3_999, 0, 7, 7, 1_234])
    assert np.array_equal(arrays.rows("x", numbers), values[numbers])
    assert np.array_equal(arrays.rows("y", numbers[1:3]), values[numbers[1:3]])
    assert arrays.rows("x", numbers[:0]).shape == (0, WIDTH)


def test_only_they_are_in_memory(file):
    arrays, _ = file
    tracemalloc.start()
    try:
        arrays.rows("x", np.arange(0, ROWS, 1_000))
        few = tracemalloc.get_traced_memory()[1]
        tracemalloc.reset_peak()
        arrays.read("x")
        whole = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert few < ROWS * WIDTH / 5 and whole > ROWS * WIDTH  # the negative control: all of it is seen


def test_what_would_not_fit_is_refused_before_it_is_read(file, monkeypatch):
    arrays, _ = file
    monkeypatch.setattr(module, "MAX_BYTES", 10 * WIDTH)
    assert arrays.form("x")[0] == (ROWS, WIDTH) and len(arrays.rows("x", np.arange(10))) == 10
    for read in (lambda: arrays.read("x"), lambda: arrays.rows("x", np.arange(11))):
        with pytest.raises(LoadError, match="up to 10,000 are read"):
            read()
