"""Recipes, plans, runs and lessons with parts missing, doubled, or replaced by anything: what is not allowed
is one sentence of this program, never another exception.
"""

import copy
import datetime
import json
import random
import time
import tomllib

import pytest

from explorer.engine.conditions import Conditions
from explorer.engine.measure import prune
from explorer.errors import ExplorerError
from explorer.graph.analysed import Analysed
from explorer.graph.export import graph_of
from explorer.lessons.lesson_files import CONTENT, TEMPLATE, parse
from explorer.loaders.model_text import load
from explorer.pruning.checks import check_brought, check_recipe
from explorer.recovery.training_plan import RecoveryPlan
from explorer.runs.store import Store
from explorer.runs.stored_run import Run
from explorer.values.recipe import Recipe

ANYTHING = (
    *(
        None,
        True,
        0,
        -1,
        3.5,
        float("nan"),
        float("inf"),
        10**400,
        -(10**400),
        1e308,
        "",
        "x" * 5000,
        "\ud800",
    ),
    *("a\nb", "2:4", "9999999999999999:4", "0:0", [], [1], [[]], {}, {"a": 1}, {"": 1}, [{}], [{"a": 1}]),
    *([float("nan")], {"name": 5}, {"criterion": [1]}, {"epochs": 10**30}, datetime.date(2024, 1, 2)),
    *({"hidden1": value} for value in (float("nan"), 10**400, "x" * 3000, [1], [-1], [0, 0, 10**30])),
)
KEYS = (
    "x",
    "keep",
    "remove",
    "seed",
    "seeds",
    "pattern",
    "round_to",
    "model",
    "points",
    "training",
    "x" * 3000,
)
TIMES = 1500


def places(value, path=()):
    """Where something is in nested data."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield (*path, key)
        yield from places(item, (*path, key))


def mangled(data, chance):
    """The data with one or two of its parts gone, added, or replaced."""
    data = copy.deepcopy(data)
    for _ in range(chance.choice((1, 1, 2))):
        found = list(places(data))
        if not found:
            break
        *path, last = chance.choice(found)
        inner = data
        for key in path:
            inner = inner[key]
        what = chance.random()
        if what < 0.12:
            del inner[last]
        elif what < 0.25 and isinstance(inner, dict):
            inner[chance.choice(KEYS)] = copy.deepcopy(chance.choice(ANYTHING))
        else:
            inner[last] = copy.deepcopy(chance.choice(ANYTHING))
    return data


def check(data, read, seed=1):
    """Most of it is refused, by this program's own sentence."""
    chance, refused = random.Random(seed), 0
    for turn in range(TIMES):
        changed = copy.deepcopy(chance.choice(ANYTHING)) if turn % 50 == 0 else mangled(data, chance)
        try:
            read(changed)
        except ExplorerError as error:
            assert 20 < len(str(error)) <= 1200
            refused += 1
    assert refused > TIMES // 4


@pytest.fixture(scope="module")
def graph():
    return graph_of(load("digits-mlp"))


def test_recipes(graph):
    def read(data):
        recipe = Recipe.from_json(data)
        check_brought(graph.profile, recipe)
        check_recipe(graph.profile, recipe)
        assert Recipe.from_url(recipe.to_url()) == recipe

    recipe = Recipe(channels={"hidden1": 0.5}, weights={"hidden1": 0.3}, remove={"hidden2": (1, 2)})
    check(json.loads(json.dumps(recipe.to_json())), read)


def test_recovery_plans():
    check(json.loads(json.dumps(RecoveryPlan().to_json())), RecoveryPlan.from_json)


@pytest.mark.parametrize("path", [TEMPLATE, *sorted(CONTENT.glob("*.toml"))[:4]], ids=lambda path: path.stem)
def test_lessons(path):
    check(tomllib.loads(path.read_text(encoding="utf-8")), lambda data: parse("x", data))


def test_kept_runs(graph, tmp_path):
    """A run that cannot be read is not there; what can be read can be listed."""
    subject = load("digits-mlp")
    report = prune(
        Analysed(subject, graph), Recipe(channels={"hidden1": 0.5}), Conditions(samples=50, latency=False)
    )
    data = json.loads(json.dumps(Run("a" * 24, time.time(), report, "note", ("tag",)).to_json()))
    store, chance = Store(tmp_path), random.Random(3)
    path = store._path(subject.id, "a" * 24)
    path.parent.mkdir(parents=True)
    found = 0
    for _ in range(TIMES // 5):
        path.write_text(json.dumps(mangled(data, chance), default=str))
        found += len(store.runs())
    assert 0 < found < TIMES // 5
