"""How far criteria agree: by hand-made rankings, and through real ones."""

import math

import pytest
import torch
from calibrated import with_data
from zoo import odd

from explorer.errors import ExplorerError, UnknownNameError
from explorer.graph.analysed import analyse
from explorer.registry import CRITERIA
from explorer.studies.criteria_agreement import (
    ALL,
    Agreement,
    Overall,
    Ratings,
    kept,
    rate,
)
from explorer.studies.rank_correlation import kendalls, ranks, spearman
from explorer.values.progress import outcome
from explorer.values.recipe import Recipe

UP, DOWN = torch.arange(5.0), -torch.arange(5.0)


def kendall(a, b):
    return kendalls(torch.stack([a, b]))[0][1]


def test_ranks_share_their_mean_where_values_are_equal():
    assert ranks(torch.tensor([5.0, 1.0, 5.0, 5.0])).tolist() == [3.0, 1.0, 3.0, 3.0]


@pytest.mark.parametrize("measure", [spearman, kendall])
def test_correlations_of_same_opposite_and_constant_rankings(measure):
    assert measure(UP, UP.exp()) == pytest.approx(1.0) and measure(UP, DOWN) == pytest.approx(-1.0)
    assert measure(UP, torch.ones(5)) is None


def test_correlations_with_ties_by_hand():
    a, b = torch.tensor([1.0, 2.0, 2.0, 3.0]), torch.tensor([1.0, 3.0, 2.0, 4.0])
    # ranks (1, 2.5, 2.5, 4) and (1, 3, 2, 4); of six pairs five are concordant and one is tied in a
    assert spearman(a, b) == pytest.approx(4.5 / math.sqrt(4.5 * 5))
    assert kendall(a, b) == pytest.approx(5 / math.sqrt(5 * 6))


def test_what_is_kept_is_what_a_cut_keeps():
    assert kept(torch.tensor([3.0, 1.0, 1.0, 2.0]), 0.5).tolist() == [True, False, False, True]
    assert kept(torch.ones(4), 0.25).tolist() == [False, True, True, True]


def test_an_agreement_by_hand():
    scores = {
        "a": torch.tensor([1.0, 2.0, 3.0, 4.0]),
        "b": torch.tensor([2.0, 1.0, 3.0, 4.0]),
        "c": torch.tensor([4.0, 3.0, 2.0, 1.0]),
    }
    agreement = Agreement("conv", scores, 0.5)
    assert agreement.criteria == ("a", "b", "c")
    assert [row[0] for row in agreement.overlap] == [1.0, 1.0, 0.0]
    assert agreement.spearman[0][1] == pytest.approx(0.8) and agreement.kendall[0][1] == pytest.approx(4 / 6)
    assert all(agreement.spearman[i][j] == agreement.spearman[j][i] for i in range(3) for j in range(3))
    assert [(d.channel, d.kept_by, d.removed_by) for d in agreement.disputed] == [
        (0, ("c",), ("a", "b")),
        (1, ("c",), ("a", "b")),
        (2, ("a", "b"), ("c",)),
        (3, ("a", "b"), ("c",)),
    ]
    assert agreement.disputed[0].share == pytest.approx(1 / 3)


def test_criteria_that_agree_have_no_disputes():
    assert Agreement("conv", {"a": UP, "b": 2 * UP}, 0.4).disputed == ()


def test_the_most_even_votes_come_first():
    scores = {
        "a": torch.tensor([0.0, 1, 2, 3]),
        "b": torch.tensor([0.0, 1, 3, 2]),
        "c": torch.tensor([3.0, 0, 1, 2]),
        "d": torch.tensor([3.0, 0, 2, 1]),
    }
    disputed = Agreement("conv", scores, 0.25).disputed
    assert [(d.channel, d.share) for d in disputed] == [(0, 0.5), (1, 0.5)]
    assert Agreement("conv", {**scores, "e": torch.tensor([0.0, 1, 2, 3])}, 0.25).disputed[
        0
    ].share == pytest.approx(0.4)


def test_all_criteria_of_a_model_are_compared():
    subject = with_data("residual")
    steps = list(rate(analyse(subject), Recipe()))
    result = steps[-1].value
    assert isinstance(result, Ratings) and not any(step.value for step in steps[:-1])
    every = result.at(ALL, 0.5)
    assert isinstance(every, Overall) and not result.left_out
    assert [one.group for one in every.groups] == ["stem", "a"]
    assert every.groups[0].criteria == tuple(CRITERIA)
    l1, l2 = (every.groups[0].criteria.index(name) for name in ("l1", "l2"))
    assert every.groups[0].spearman[l1][l2] > 0.5


def test_criteria_that_cannot_rate_the_model_are_left_out_with_their_reason():
    subject = odd("no_bias")
    result = outcome(rate(analyse(subject), Recipe()))
    assert {"taylor", "wanda", "bn_scale"} <= set(result.left_out) and "l1" in result.scores
    assert "training data" in result.left_out["taylor"] and "norms" in result.left_out["bn_scale"]


def test_a_choice_of_criteria():
    subject = odd("chain")
    result = outcome(rate(analyse(subject), Recipe(), criteria=["random", "l1"]))
    assert result.at(ALL, 0.5).criteria == ("random", "l1")
    with pytest.raises(UnknownNameError):
        list(rate(analyse(subject), Recipe(), criteria=["l1", "l3"]))


def test_nothing_to_compare_is_said():
    class Alone(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = torch.nn.Linear(3, 4)

        def forward(self, x):
            return self.fc(x)

    from calibrated import subject_of

    subject = subject_of(Alone(), torch.randn(4, 3))
    with pytest.raises(ExplorerError, match="nothing to compare"):
        list(rate(analyse(subject), Recipe()))


def test_many_channels_are_compared_in_portions(monkeypatch):
    a, b = torch.rand(40, generator=torch.Generator().manual_seed(0)), torch.arange(40.0)
    whole = kendall(a, b)
    monkeypatch.setattr("explorer.studies.rank_correlation.PAIRS", 100)
    pairs = [(float(a[i] - a[j])) * (float(b[i] - b[j])) for i in range(40) for j in range(i)]
    assert (
        kendall(a, b)
        == pytest.approx(whole)
        == pytest.approx(sum(1 if p > 0 else -1 for p in pairs) / len(pairs))
    )


def test_the_mean_over_groups_passes_over_what_is_not_known():
    one = Agreement("one", {"a": UP, "b": UP, "c": torch.ones(5)}, 0.4)
    two = Agreement("two", {"a": UP, "b": DOWN, "c": UP}, 0.4)
    both = Overall((one, two))
    assert both.group == ALL and both.disputed == ()
    assert both.matrix("spearman")[0][1] == pytest.approx(0.0) and both.matrix("kendall")[0][
        2
    ] == pytest.approx(1.0)
    assert Overall((one,)).matrix("spearman")[0][2] is None and one.matrix("overlap") == one.overlap


def test_ratings_answer_for_any_ratio_and_for_all_groups():
    subject = with_data("residual")
    ratings = outcome(rate(analyse(subject), Recipe(), criteria=["l1", "random"]))
    assert isinstance(ratings, Ratings) and set(ratings.scores["l1"]) == {"stem", "a"}
    assert ratings.at("stem", 0.25).ratio == 0.25 and ratings.at("stem", 0.0).disputed == ()
    assert ratings.at(ALL, 0.5).matrix("overlap")[0][0] == pytest.approx(1.0)
