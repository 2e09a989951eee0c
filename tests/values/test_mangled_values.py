"""Recipes, plans, runs and lessons with parts missing, doubled, or replaced by anything: what is not allowed
is one sentence of this program, never another exception.
"""

import copy
import json
import random
import tomllib

import pytest
from mangling import ANYTHING, mangled

from explorer.errors import ExplorerError
from explorer.graph.export import graph_of
from explorer.lessons.lesson_files import CONTENT, TEMPLATE, parse
from explorer.loaders.model_text import load
from explorer.pruning.checks import check_brought, check_recipe
from explorer.recovery.training_plan import RecoveryPlan
from explorer.values.recipe import Recipe

TIMES = 1500


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
