"""Names of models that come from files, links and pages: none of them opens a file or runs code."""

import ast
from pathlib import Path

import pytest

from explorer.commands.main import main
from explorer.errors import ExplorerError, LoadError, UnknownNameError
from explorer.lessons.lesson_files import TEMPLATE, course, lessons
from explorer.loaders.model_text import check_named, load, load_named
from explorer.ui.shared.settings import Settings

PACKAGE = Path(__file__).parents[2] / "explorer"
FOREIGN = ("{place}/own.py:f", "{place}/own.py:f@4", "python_file:{place}/own.py:f", "hf:{place}", "hf:a/b")
OWN = """
from pathlib import Path
from torch import nn
input_shape = (1, 8, 8)
Path(r"{canary}").mkdir(exist_ok=True)
def f(): return nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
"""


@pytest.fixture
def canary(tmp_path):
    """A folder that the file of a model makes when its code runs."""
    place = tmp_path / "code ran"
    (tmp_path / "own.py").write_text(OWN.format(canary=place))
    return place


@pytest.mark.parametrize("form", FOREIGN)
def test_the_door_for_foreign_names_opens_nothing(form, tmp_path, canary):
    name = form.format(place=tmp_path)
    with pytest.raises(LoadError, match=r"which only the command line may ask for; name a sample model"):
        load_named(name)
    assert not canary.exists()


def test_the_door_of_the_command_line_runs_that_code(tmp_path, canary):
    load(f"{tmp_path}/own.py:f")
    assert canary.exists(), "the canary would have been seen"


def test_samples_and_published_architectures_pass():
    assert load_named("digits-mlp").name == "digits-mlp"
    check_named("torchvision:resnet18")
    with pytest.raises(UnknownNameError, match="No loader named 'evil'"):
        check_named("evil:x")


# --------------------------------------------------------------------------- lessons


PLACES = {
    "the model": ('model = "digits-mlp"', 'model = "{name}"'),
    "a choice": ('models = ["digits-mlp", "digits-cnn"]', 'models = ["digits-mlp", "{name}"]'),
    "the arms": ("[[experiment.arms]]", '[[experiment.arms]]\nmodel = "{name}"'),
}


def lesson_file(folder, name, place):
    """A lesson that names a model at one of the places where a lesson can."""
    folder.mkdir(exist_ok=True)
    before, after = PLACES[place]
    text = TEMPLATE.read_text(encoding="utf-8")
    assert before in text
    (folder / "own.toml").write_text(text.replace(before, after.format(name=name)), encoding="utf-8")
    return folder


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("form", FOREIGN)
def test_no_lesson_runs_code(place, form, tmp_path, canary, capsys):
    folder = lesson_file(tmp_path / "lessons", form.format(place=tmp_path), place)
    with pytest.raises(ExplorerError, match="which only the command line may ask for"):
        course(folder)
    assert main(["lessons", "--folder", str(folder)]) == 2
    assert capsys.readouterr().err.startswith("Lesson 'own', experiment")
    assert not canary.exists()


@pytest.mark.parametrize("place", PLACES)
def test_a_lesson_of_another_sample_is_read(place, tmp_path):
    assert "own" in lessons(lesson_file(tmp_path / "lessons", "shapes-vit", place))


def test_the_command_line_may_measure_a_lesson_on_code_of_its_own(tmp_path, canary, capsys):
    folder = lesson_file(tmp_path / "lessons", "digits-mlp", "the model")
    assert main(["lessons", "--folder", str(folder), "--model", f"{tmp_path}/own.py:f"]) == 2
    assert canary.exists() and "one and the same in this model" in capsys.readouterr().err


# --------------------------------------------------------------------------- the page


def test_a_page_opens_only_what_the_server_offers(tmp_path, canary):
    own = f"{tmp_path}/own.py:f"
    with pytest.raises(UnknownNameError, match="No model on this server named"):
        Settings().opened(own)
    assert not canary.exists()
    assert Settings((own,), load=load).opened(own).name == "own.py:f" and canary.exists()


def imported_names(path):
    """(module, name) of all that a module imports from this package."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            yield from ((node.module or "", alias.name) for alias in node.names)


def test_only_the_command_line_takes_names_unchecked():
    """What reads files, links and pages imports `load_named`, not `load`."""
    takers = {
        path.relative_to(PACKAGE).parts[0]
        for path in PACKAGE.rglob("*.py")
        if ("model_text", "load") in {(module.split(".")[-1], name) for module, name in imported_names(path)}
    }
    assert takers == {
        "commands",  # names of whoever started the program
        "bench",  # names of its own
        "cluster",  # a worker: the name that the command line of its client has loaded
        "__init__.py",  # the public function
    }
