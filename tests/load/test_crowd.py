"""A small crowd, always; a class of thirty is `python tests/load/crowd.py`."""

from load.crowd import CrowdResult, change_of, crowd, difference

from explorer.graph.analysed import analyse
from explorer.loaders.model_text import load
from explorer.values.recipe import Recipe


def test_each_of_a_few_people_sees_the_numbers_of_the_own_recipe(server):
    before = len(server.log.read_text(encoding="utf-8"))
    found = crowd(server, "digits-cnn", sessions=3, moves=3, every=0.2)
    assert "Traceback" not in server.log.read_text(encoding="utf-8")[before:]
    assert (found.foreign, found.failed) == ([], [])
    assert len(found.seconds) == 3 * 3 and str(found)


def test_negative_control_a_number_of_another_recipe_is_seen():
    model = analyse(load("digits-cnn"))
    own, other = (change_of(model, Recipe(channels={"conv2": ratio})) for ratio in (0.3, 0.5))
    cards = {"Parameters": {"change": own}}
    assert difference(cards, own) is None
    assert difference(cards, other) == f"shown are parameters {own}, expected {other}"
    assert difference({}, own) is not None


def test_the_summary_by_hand():
    found = CrowdResult([0.1] * 19 + [2.0], ["x"], [], [100, 100, 100, 100, 110])
    assert round(found.growth, 3) == 0.1
    assert 0.1 < found.p95 <= 2.0
    assert "20 first numbers, median 0.10 s" in str(found) and "1 of another recipe, 0 failures" in str(found)
