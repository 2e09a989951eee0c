"""A recipe is checked where it comes in, once, and trusted from there on."""

import json
import sys

import pytest

import explorer
from explorer.commands import prune  # imported before the check is counted, which it then uses, too
from explorer.commands.main import main
from explorer.engine import measure
from explorer.errors import RecipeError, UnknownNameError
from explorer.graph.analysed import Analysed
from explorer.pruning import checks
from explorer.pruning.decision import decide
from explorer.ui.session import recipes, state
from explorer.values.choice import Choice
from explorer.values.recipe import Recipe

FOREIGN = Recipe(channels={"nowhere": 0.5})


@pytest.fixture
def checked(monkeypatch):
    """The recipes that are checked against a model, wherever the check was imported to."""
    seen, original = [], checks.check_recipe

    def counting(profile, recipe):
        seen.append(recipe)
        return original(profile, recipe)

    for name, module in list(sys.modules.items()):
        if name.startswith("explorer") and getattr(module, "check_recipe", None) is original:
            monkeypatch.setattr(module, "check_recipe", counting)
    return seen


def pruned(*flags: str) -> int:
    return main(["prune", "digits-mlp", *flags, "--no-latency", "--samples", "20"])


@pytest.mark.parametrize(
    "flags",
    [
        ["--weights", "0.5"],
        ["--recipe", "FILE", "--round-to", "2"],
        ["--channels", "0.3", "--weights", "0.5", "--allocator", "uniform"],
        ["--weights", "0.5", "--repaired", "--keep", "a note"],
    ],
    ids=["flags", "file", "allocator", "repaired and kept"],
)
def test_the_command_line_checks_a_recipe_once(checked, flags, tmp_path, capsys):
    (tmp_path / "recipe.json").write_text(json.dumps(Recipe(channels={"hidden1": 0.5}).to_json()))
    assert pruned(*(str(tmp_path / "recipe.json") if flag == "FILE" else flag for flag in flags)) == 0
    assert len(checked) == 1
    assert "accuracy" in capsys.readouterr().out


def test_a_second_check_is_counted(checked, monkeypatch, capsys):
    monkeypatch.setattr(prune, "stream", checks.bordering(measure.stream))
    assert pruned("--weights", "0.5") == 0 and len(checked) == 2
    capsys.readouterr()


def test_the_page_checks_an_edit_once(checked, monkeypatch):
    model = explorer.analyse(explorer.load("digits-mlp"))
    monkeypatch.setattr(recipes, "profile", lambda: model.profile)
    token = state.held.set(state.State("digits-mlp", "cpu"))
    try:
        recipes.set_recipe(Recipe(weights={"hidden1": 0.5}), "an edit")
        assert decide(model, recipes.recipe()).outcomes and len(checked) == 1
        recipes.bring_recipe(Recipe(weights={"hidden2": 0.5}), "a file")
        assert decide(model, recipes.recipe()).outcomes and len(checked) == 2
        with pytest.raises(UnknownNameError, match="nowhere"):
            recipes.set_recipe(FOREIGN, "an edit")
        with pytest.raises(RecipeError, match="Choose the model that this recipe was made for"):
            recipes.bring_recipe(FOREIGN, "a file")
        assert recipes.recipe() == Recipe(weights={"hidden2": 0.5})
    finally:
        state.held.reset(token)


@pytest.mark.parametrize("verb", sorted(explorer.TAKING_RECIPES))
def test_a_verb_of_the_package_refuses_a_recipe_that_does_not_fit(verb):
    model = explorer.analyse(explorer.load("digits-mlp"))
    for recipe in (FOREIGN, Recipe(criterion=Choice("l9")), Recipe(criterion=Choice("l1", {"p": 3}))):
        with pytest.raises(UnknownNameError):
            getattr(explorer, verb)(model, recipe)


def test_a_verb_keeps_its_name_its_words_and_its_result():
    model = explorer.analyse(explorer.load("digits-mlp"))
    assert explorer.prune.__doc__ == measure.prune.__doc__ and explorer.prune.__name__ == "prune"
    masks = explorer.masks_for(model, recipe=Recipe(weights={"hidden1": 0.5}))
    assert masks.weights["hidden1"].float().mean() == pytest.approx(0.5, abs=0.01)
    assert isinstance(model, Analysed)
