"""One spelling inside, and older ones at the border."""

import pytest

from explorer.errors import UnknownNameError
from explorer.values.granularity import (
    BLOCK,
    CHANNEL,
    GRADED,
    GRANULARITIES,
    PLURALS,
    read_graded,
    read_granularity,
)
from explorer.values.recipe import Recipe


@pytest.mark.parametrize("one", GRANULARITIES)
def test_the_plural_of_older_files_means_the_same(one):
    assert read_granularity(one) == read_granularity(PLURALS[one]) == one
    assert PLURALS[one] in Recipe(blocks=("a",)).to_json()


@pytest.mark.parametrize("one", GRADED)
def test_the_parts_of_a_graded_one_have_ratios(one):
    assert read_graded(PLURALS[one]) == one
    assert Recipe().with_ratios(one, {"a": 0.5}).to_json()[PLURALS[one]] == {"a": 0.5}


@pytest.mark.parametrize("text", ["head", "", "Channel", None, 1, ["channel"]])
def test_anything_else_is_refused_with_what_there_is(text):
    with pytest.raises(UnknownNameError, match="block, channel, weight"):
        read_granularity(text)


def test_a_block_has_no_ratio():
    with pytest.raises(UnknownNameError, match="Available: channel, weight"):
        read_graded(BLOCK)
    assert CHANNEL in GRADED
