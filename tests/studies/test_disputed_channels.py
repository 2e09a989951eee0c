"""The disputed channels are measured themselves: alone, all together, and beside as many that
chance removes.
"""

from dataclasses import replace

import pytest
from apps import keys, offering, opened, until, words

from explorer.engine.conditions import Conditions
from explorer.engine.measure import prune
from explorer.errors import ExplorerError
from explorer.graph.analysed import Analysed
from explorer.graph.export import graph_of
from explorer.loaders.model_text import load
from explorer.measuring.statistics import looks_level
from explorer.studies.criteria_agreement import ALL
from explorer.studies.disputed_channels import SEEDS, settle
from explorer.ui.criteria.disputed_channels import CHANGE
from explorer.values.progress import values_of
from explorer.values.recipe import Recipe

FEW = Conditions(samples=100, latency=False)


@pytest.fixture(scope="module")
def mlp():
    subject = load("digits-mlp")
    return subject, graph_of(subject)


def test_each_channel_goes_alone_and_all_go_together_beside_chance(mlp):
    steps = list(
        settle(Analysed(*mlp), Recipe(channels={"hidden1": 0.9}, round_to=8), "hidden1", (3, 5, 40), FEW)
    )
    found = list(values_of(steps))
    last = found[-1]
    assert len(found) == last.expected == 3 + 1 + SEEDS and last.finished and not found[-2].finished
    assert any(step.progress for step in steps) and last.level == looks_level(4) and last.samples == 100
    how = replace(FEW, level=last.level)
    for channels, drop in (((3,), last.alone[3]), ((40,), last.alone[40]), ((3, 5, 40), last.together)):
        assert prune(Analysed(*mlp), Recipe(remove={"hidden1": channels}), how).drop == drop
    assert len(last.chance) == SEEDS and len({drop.estimate for drop in last.chance}) > 1


def test_what_cannot_be_measured_is_said(mlp):
    with pytest.raises(ExplorerError, match="nothing to measure"):
        next(settle(Analysed(*mlp), Recipe(), "hidden1", (), FEW))
    with pytest.raises(ExplorerError, match="no data"):
        next(settle(Analysed(replace(mlp[0], task=None), mlp[1]), Recipe(), "hidden1", (1,), FEW))


def test_the_page_measures_them_on_request(own_cache):
    with offering("digits-mlp"):
        page = until(opened("criteria"), "Choose one group")
        assert "start disputes" not in keys(page)
        group = next(name for name in page.selectbox(key="criteria_group").options if name != ALL)
        page.selectbox(key="criteria_group").set_value(group).run()
        assert CHANGE not in page.dataframe[0].value
        page.button(key="start disputes").click()
        until(
            page,
            lambda page: (
                "chosen at random, 5 times" in words(page)
                and not {"stop disputes", "start disputes"} & keys(page)
            ),
        )
        assert all(page.dataframe[0].value[CHANGE]) and "Without all 24: " in words(page)
