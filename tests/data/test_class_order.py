"""Which class of the data is which of the model's: always told, and a wrong order is pointed out."""

from importlib.util import find_spec

import numpy as np
import pytest
import torch
from PIL import Image

from explorer.data.class_order import class_order
from explorer.data.reader import Reader
from explorer.data.source_text import load_data
from explorer.engine.conditions import Conditions
from explorer.engine.measure import prune
from explorer.errors import LoadError
from explorer.graph.analysed import analyse
from explorer.loaders.model_text import load, with_data
from explorer.measuring.class_order import renumbered_accuracy, wrong_order
from explorer.values.recipe import Recipe
from explorer.values.subject import Preset

WORDS = "zero one two three four five six seven eight nine".split()
NO_LATENCY = Conditions(latency=False)


def reader(classes, names=()):
    return Reader((1, 8, 8), classes, Preset(class_names=tuple(names)))


@pytest.mark.parametrize(
    ("found", "classes", "places", "names", "told"),
    [
        (["b", "a c"], (3, ["A-C", "x", "B"]), (2, 0), ("A-C", "x", "B"), "matched by their names"),
        (["b", "z"], (2, ["a", "b"]), (0, 1), ("b", "z"), "alphabetical order"),
        (["0", "1", "10", "2"], (11, []), (0, 1, 10, 2), None, "as their names say, from 0"),
        (["1", "10", "2", "3"], (4, []), (0, 1, 2, 3), ("1", "10", "2", "3"), "alphabetical order"),
        (["1", "2", "3"], (3, []), (0, 1, 2), ("1", "2", "3"), "as their names say, from 1"),
        (["07", "03"], (10, []), (7, 3), None, "as their names say, from 0"),
        (["5", "05"], (10, []), (0, 1), ("5", "05"), "alphabetical order"),
        (["1", "2"], (None, []), (0, 1), ("1", "2"), "as their names say, from 1"),
        (["0", "2"], (None, []), (0, 2), ("0", "1", "2"), "as their names say, from 0"),
    ],
)
def test_the_order_and_what_is_said_of_it(found, classes, places, names, told):
    order = class_order(found, reader(*classes))
    assert order.places == places and told in order.sentence
    assert names is None or order.names == names
    assert len(order.names) == (classes[0] or max(places) + 1) or "alphabetical" in told


def test_the_user_gives_the_order(tmp_path):
    order = class_order(["cat", "dog"], reader(3), "dog,emu,cat")
    assert (order.places, order.names) == (
        (2, 0),
        ("dog", "emu", "cat"),
    ) and "that you gave" in order.sentence
    (tmp_path / "names.txt").write_text("dog\nemu, a bird\ncat\n")
    order = class_order(["cat", "dog"], reader(3), str(tmp_path / "names.txt"))
    assert (order.places, order.names) == ((2, 0), ("dog", "emu, a bird", "cat"))


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("cat,dog", "3 of them, got 2"),
        ("cat,dog,CAT", "each once; two of those given are the same"),
        ("cat,emu,fox", "'dog' is among the data and not among them"),
    ],
)
def test_an_order_that_does_not_fit_is_one_sentence(given, sentence):
    with pytest.raises(LoadError, match=sentence):
        class_order(["cat", "dog"], reader(3), given)


@pytest.mark.skipif(find_spec("timm") is None, reason="timm is not installed")
def test_some_folders_of_imagenet_are_matched_by_their_ids():
    names = [f"class {number}" for number in range(1000)]
    order = class_order(["n01440764", "n02102040", "n03888257"], reader(1000, names))
    assert order.places == (0, 217, 701) and order.names[217] == "class 217"
    assert "ids of ImageNet" in order.sentence
    assert "alphabetical" in class_order(["n01440764", "n00000000"], reader(1000, names)).sentence
    assert "alphabetical" in class_order(["n01440764"], reader(10)).sentence


def test_all_folders_of_imagenet_need_no_list():
    ids = [f"n{number:08}" for number in range(1000)]
    assert class_order(ids[::-1], reader(1000)).places == tuple(range(999, -1, -1))


# --------------------------------------------------------------------------- a wrong order is seen


def best_by_hand(predictions, targets, classes):
    """The best permutation, by trying all."""
    from itertools import permutations

    numbers = torch.tensor(list(permutations(range(classes))))
    return max(float((order[targets] == predictions).double().mean()) for order in numbers)


@pytest.mark.parametrize("seed", range(20))
def test_the_share_under_other_numbers_is_never_above_the_best_and_is_it_where_that_is_clear(seed):
    chance = torch.Generator().manual_seed(seed)
    targets = torch.randint(0, 5, (60,), generator=chance)
    order = torch.randperm(5, generator=chance)
    noisy = torch.where(
        torch.rand(60, generator=chance) < 0.3, torch.randint(0, 5, (60,), generator=chance), order[targets]
    )
    found = renumbered_accuracy(noisy, targets, 5)
    assert 0.5 < found <= best_by_hand(noisy, targets, 5) + 1e-9
    assert renumbered_accuracy(order[targets], targets, 5) == 1.0


def test_only_a_wrong_order_is_pointed_out():
    targets = torch.arange(100) % 10
    turned = (targets + 3) % 10
    assert "0.0 % of the dense model's answers are right, and 100.0 %" in wrong_order(turned, targets, 10)
    assert wrong_order(targets, targets, 10) is None
    assert wrong_order(torch.where(targets < 2, turned, targets), targets, 10) is None, "most are right"
    assert wrong_order(torch.zeros_like(targets), targets, 10) is None, "it says the same of all"
    assert wrong_order(turned[:20], targets[:20], 10) is None, "too few to say"
    chance = torch.randint(0, 10, (100,), generator=torch.Generator().manual_seed(0))
    assert wrong_order(chance, targets, 10) is None


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """Pictures of digits in folders called zero to nine, of whole range."""
    root, task = tmp_path_factory.mktemp("digits"), load("digits-cnn").task
    split = task.split("tuning")
    for place, (picture, target) in enumerate(zip(split.inputs, split.targets, strict=True)):
        folder = root / WORDS[int(target)]
        folder.mkdir(exist_ok=True)
        Image.fromarray((picture[0].numpy() * (255 / 16)).astype(np.uint8)).save(folder / f"{place}.png")
    return root


def measured(source):
    subject = load("digits-cnn")
    plain = with_data(subject, source)
    return prune(analyse(plain), Recipe(), NO_LATENCY)


@pytest.fixture(autouse=True)
def nameless(monkeypatch):
    """The model does not name its classes, as few do."""
    from explorer.loaders import sample

    monkeypatch.setattr(sample, "Preset", lambda rule, class_names: Preset(rule))


def test_folders_called_zero_to_nine_are_pointed_out_and_put_in_order(digits):
    rule = "mean=0.305&std=0.376"
    report = measured(f"folder:{digits}?{rule}")
    assert report.baseline.accuracy < 0.2
    assert any(note.startswith("The classes seem to be in another order") for note in report.notes)
    assert any("alphabetical order" in sentence for sentence in report.subject["how"])
    report = measured(f"folder:{digits}?classes={','.join(WORDS)}&{rule}")
    assert report.baseline.accuracy > 0.9
    assert not any("another order" in note for note in report.notes)
    assert report.subject["how"] == [
        "Classes are in the order that you gave.",
        "Pixels are scaled to 0 to 1, less 0.305, divided by 0.376, as you asked.",
    ]


def test_samples_of_the_program_are_left_alone():
    report = prune(analyse(load("digits-cnn")), Recipe(), NO_LATENCY)
    assert "how" not in report.subject and not any("another order" in note for note in report.notes)


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("", "Pixels are scaled to 0 to 1, less 0.305, divided by 0.376, as the model says."),
        ("?std=0.5", "Pixels are scaled to 0 to 1, less 0, divided by 0.5, as you asked."),
    ],
)
def test_how_pictures_are_normalised_is_said(query, sentence, digits):
    preset = load("digits-mlp").preset
    task = load_data(f"folder:{digits}{query}", Reader((1, 8, 8), 10, preset))
    assert task.how[1] == sentence
    plain = load_data(f"folder:{digits}", Reader((1, 8, 8), 10, Preset()))
    assert plain.how[1].endswith(
        "not normalised further; if the model was trained otherwise, say so with ?mean= and ?std=."
    )
