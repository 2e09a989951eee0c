"""One measurement for many: begun once, seen by all, given up when nobody is left."""

import pytest

from explorer.background.lane import Lane
from explorer.background.lanes import Lanes
from explorer.background.shared_measurements import Sharing
from explorer.engine.conditions import Conditions
from explorer.engine.measure import stream
from explorer.errors import ExplorerError
from explorer.graph.analysed import Analysed
from explorer.graph.export import graph_of
from explorer.lessons.class_board import Classroom
from explorer.loaders.model_text import load
from explorer.machine.cache import Cache
from explorer.values.progress import PAUSE, Step, reached, values_of
from explorer.values.recipe import Recipe

CLASS = 30
LIVE = Lane("live")


@pytest.fixture
def sharing():
    return Sharing(Cache(8))


class Measured:
    """A measurement of some steps that counts what is asked of it."""

    def __init__(self, *values, fails: Exception | None = None):
        self.values, self.fails = values, fails
        self.begun = self.closed = 0
        self.taken = []

    def __call__(self):
        self.begun += 1
        try:
            for value in self.values:
                self.taken.append(value)
                yield Step(value)
            if self.fails is not None:
                raise self.fails
        finally:
            self.closed += 1


def test_who_comes_later_gets_the_result_at_once(sharing):
    measure = Measured("live", "final")
    assert list(values_of(sharing.steps("a", measure))) == ["live", "final"]
    assert list(sharing.steps("a", measure)) == [Step("final")]
    assert list(values_of(sharing.steps("b", measure))) == ["live", "final"]
    assert measure.begun == 2


def test_who_comes_meanwhile_joins_and_all_see_the_end(sharing):
    measure = Measured(1, 2, 3, 4)
    one, other = sharing.steps("a", measure), sharing.steps("a", measure)
    assert [next(each).value for each in (one, other, one, other)] == [1, 2, 3, 4]
    assert list(one) == [Step(4)] and list(other) == []
    assert measure.begun == 1 and measure.taken == [1, 2, 3, 4]


def test_who_was_not_looking_when_a_value_came_gets_it_with_the_next_step(sharing):
    def measure():
        yield from (Step("live"), reached(1, 2), PAUSE)

    one, other = sharing.steps("a", measure), sharing.steps("a", measure)
    assert [next(one), next(one)] == [Step("live"), reached(1, 2)]
    assert next(other) == Step("live") and list(other) == [], "its own turn took the pause"
    assert list(one) == [PAUSE] and sharing.results.get("a") == "live"


def test_it_goes_on_while_one_is_left_and_is_given_up_after_that(sharing):
    measure = Measured(1, 2, 3)
    one, other = sharing.steps("a", measure), sharing.steps("a", measure)
    next(one), next(other)
    one.close()
    assert measure.closed == 0
    assert list(other) == [Step(3)]
    cut_off = sharing.steps("b", unfinished := Measured(1, 2))
    next(cut_off)
    cut_off.close()
    assert unfinished.closed == 1 and sharing.results.get("b") is None
    assert list(values_of(sharing.steps("b", unfinished))) == [1, 2]


@pytest.mark.parametrize("error", [ExplorerError("no data"), ZeroDivisionError("oh")])
def test_a_failure_is_told_to_all_and_is_no_result(sharing, error):
    measure = Measured(1, 2, fails=error)
    one, other = sharing.steps("a", measure), sharing.steps("a", measure)
    next(one), next(other)
    with pytest.raises(type(error)):
        list(one)
    with pytest.raises(ExplorerError, match=str(error)):
        list(other)
    assert sharing.results.get("a") is None
    with pytest.raises(type(error)):
        list(sharing.steps("a", measure))
    assert measure.begun == 2


def test_equal_recipes_of_a_class_are_measured_once():
    room, begun = Classroom(), []
    subject = load("digits-mlp")
    graph, recipe = graph_of(subject), Recipe(channels={"hidden1": 0.5}, weights={"hidden2": 0.5})

    def measure():
        begun.append(recipe)
        yield from stream(Analysed(subject, graph), recipe, Conditions(latency=False))

    lanes = Lanes()
    try:
        for student in range(CLASS):
            lanes.submit(str(student), LIVE, recipe, lambda: room.measured.steps(recipe, measure))
        states = [lanes.wait(str(student), LIVE, 60) for student in range(CLASS)]
    finally:
        lanes.shutdown()
    assert len(begun) == 1
    assert {state.value.stage for state in states} == {"final"} and all(state.finished for state in states)
    assert len({id(state.value) for state in states}) == 1
