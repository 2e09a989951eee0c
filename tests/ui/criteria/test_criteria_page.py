"""The Criteria page: agreement of all criteria, what is disputed, and the measurement, on a shipped model."""

from types import SimpleNamespace

import pytest
import torch
from apps import charts, offering, opened, until
from streamlit.testing.v1 import AppTest

from explorer.figures.criteria_agreement import criteria_agreement
from explorer.figures.criteria_duel import criteria_duel
from explorer.measuring.statistics import paired_drop
from explorer.studies.criteria_agreement import ALL, Agreement
from explorer.studies.criteria_duel import CONTROL, Duel
from explorer.values.recipe import Recipe
from explorer.values.report import Drop


@pytest.fixture(autouse=True)
def offered():
    with offering("digits-mlp", "digits-cnn"):
        yield


def drawn() -> AppTest:
    return until(opened("criteria"), lambda page: any(chart["data"] for chart in charts(page).values()))


# --------------------------------------------------------------------------- figures


def test_the_heat_map_shows_the_matrix_and_gaps_where_nothing_is_known():
    scores = {"a": torch.arange(4.0), "b": -torch.arange(4.0), "c": torch.ones(4)}
    drawn = criteria_agreement(Agreement("g", scores, 0.5), "spearman")
    cells, _ = drawn.data
    assert cells.z[0][1] == pytest.approx(-1) and cells.z[0][2] is None and list(cells.x) == ["a", "b", "c"]
    assert (cells.zmin, cells.zmax) == (-1, 1)
    assert criteria_agreement(Agreement("g", scores, 0.5), "overlap").data[0].z[0][1] == 0.0
    assert not criteria_agreement(None, "kendall").data


def report(b, seed=0):
    measured = SimpleNamespace(samples=1000, value=0.5, loss=1.25)
    return SimpleNamespace(recipe=Recipe(seed=seed), drop=paired_drop(b, 0, 1000), pruned=measured)


def test_the_duel_shows_every_criterion_and_each_seed_of_chance():
    found = Duel("g", 0.5, {CONTROL: (report(200), report(300, 1)), "a": (report(100),)}, {}, 0.95, 3)
    drawn = criteria_duel(found)
    criteria, chance = drawn.data
    assert criteria.customdata[0][-1] == 1.25 and "loss" in criteria.hovertemplate
    assert (
        list(criteria.x) == [-10.0] and list(chance.x) == [-20.0, -30.0] and list(chance.y) == [CONTROL] * 2
    )
    band = drawn.layout.shapes[0]
    assert (band.x0, band.x1) == (-30.0, -20.0)
    drop = paired_drop(100, 0, 1000)
    assert criteria.error_x.array[0] == pytest.approx(100 * (drop.estimate - drop.low))
    assert not criteria_duel(None).data


def test_the_duel_of_a_regressor_has_its_own_unit_and_direction():
    drop = Drop(-0.4, -0.6, -0.2, "different", 0.95, "mae", "m", "lower", 0.02)
    measured = SimpleNamespace(samples=1000, value=0.9, loss=1.25)
    one = SimpleNamespace(recipe=Recipe(), drop=drop, pruned=measured)
    (dots, chance) = (
        drawn := criteria_duel(Duel("g", 0.5, {CONTROL: (one,), "a": (one,)}, {}, 0.95, 2))
    ).data
    title, axis = drawn.layout.title.text, drawn.layout.xaxis.title.text
    assert "mean absolute error" in title and axis == "Change of mean absolute error (m)"
    assert list(dots.x) == list(chance.x) == [0.4] and "points" not in dots.hovertemplate
    assert (dots.error_x.array[0], dots.error_x.arrayminus[0]) == pytest.approx((0.2, 0.2))
    assert (drawn.layout.shapes[0].x0, drawn.layout.shapes[0].x1) == (0.4, 0.4)


# --------------------------------------------------------------------------- the page


def test_the_criteria_are_compared_and_one_can_be_taken():
    page = drawn()
    (chart,) = (chart for chart in charts(page).values() if "Spearman" in chart["layout"]["title"]["text"])
    assert {"l1", "random", "taylor"} <= set(chart["data"][0]["x"])
    page.button_group(key="criteria_measure").set_value("overlap").run()
    assert "Kept channels in common" in charts(page)
    page.selectbox(key="criteria_use").set_value("taylor").run()
    page.button(key="use criterion").click().run()
    assert any("**taylor**" in caption.value for caption in page.caption) and not page.exception


def test_disputes_of_one_group_are_listed():
    page = drawn()
    assert any("Choose one group" in caption.value for caption in page.caption)
    group = next(name for name in page.selectbox(key="criteria_group").options if name != ALL)
    page.selectbox(key="criteria_group").set_value(group).run()
    (table,) = page.dataframe
    assert len(table.value) and set(table.value.columns) >= {"Channel", "Kept by", "Removed by"}


def test_who_is_right_is_measured_on_request():
    page = drawn()
    assert page.button(key="start duel")
    page.button(key="start duel").click()
    until(
        page,
        lambda page: any("Better than each of 5 random choices" in caption.value for caption in page.caption),
    )
    found = charts(page)["Change of accuracy if each criterion chooses"]
    assert {"criterion", "random, each seed"} <= {trace["name"] for trace in found["data"]}
    assert [button.key for button in page.button if button.key == "start duel"] == []
