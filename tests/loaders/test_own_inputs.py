"""Models of a file that take whole numbers, keyword arguments or several inputs, found and cut."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from explorer.audit.audit import audit
from explorer.engine.conditions import Conditions
from explorer.engine.measure import prune
from explorer.errors import ExplorerError, LoadError
from explorer.graph.analysed import analyse
from explorer.loaders.model_text import load
from explorer.loaders.vocabulary import numbers_of
from explorer.recovery.recover import recover
from explorer.recovery.training_plan import RecoveryPlan
from explorer.values.progress import outcome
from explorer.values.recipe import Recipe

FILE = '''
import torch
from torch import nn
from torch.nn import functional

WORDS = 700

class Text(nn.Module):
    input_shape = (12,)

    def __init__(self, cast=False):
        super().__init__()
        self.e, self.c, self.fc = nn.Embedding(WORDS, 16), nn.Conv1d(16, 12, 3, padding=1), nn.Linear(12, 4)
        self.cast = cast

    def forward(self, x):
        x = self.e(x.long() if self.cast else x)
        return self.fc(torch.relu(self.c(x.transpose(1, 2))).amax(2))

def casting():
    return Text(True)

class Placed(Text):
    """It keeps some words for itself, adds positions, and looks up by hand."""
    def __init__(self):
        super().__init__()
        self.place = nn.Embedding(12, 16)

    def forward(self, x):
        x = self.e.weight[x + 4] + self.place(torch.arange(x.shape[1]))
        return self.fc(torch.relu(self.c(x.transpose(1, 2))).amax(2))

class OneHot(nn.Module):
    input_shape = (6,)

    def __init__(self):
        super().__init__()
        self.a, self.fc = nn.Linear(9, 8), nn.Linear(8, 3)

    def forward(self, x):
        return self.fc(torch.relu(self.a(functional.one_hot(x, 9).float())).mean(1))

class Masked(Text):
    """Words and which of them count, by name."""
    example_input = {"words": torch.randint(0, 9, (1, 12)), "counts": torch.ones(1, 12, dtype=torch.bool)}

    def forward(self, *, words, counts):
        x = torch.relu(self.c(self.e(words).transpose(1, 2))) * counts[:, None]
        return self.fc(x.amax(2))

class Mixed(nn.Module):
    """A picture and a word."""
    input_shape = [(3, 8, 8), (1,)]

    def __init__(self):
        super().__init__()
        self.a, self.word, self.fc = nn.Conv2d(3, 8, 3), nn.Embedding(WORDS, 6), nn.Linear(14, 4)

    def forward(self, picture, word):
        return self.fc(torch.cat([torch.relu(self.a(picture)).mean((2, 3)), self.word(word[:, 0])], 1))

def declared():
    model = Text()
    model.example_input = lambda: torch.randint(0, 5, (3, 12), dtype=torch.int32)
    return model

def wrong():
    model = Text()
    model.example_input = "twelve words"
    return model

def failing():
    model = Text()
    model.example_input = lambda: 1 / 0
    return model
'''
WORDS = 700


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("own") / "texts.py"
    path.write_text(FILE)
    return path


FOUND = {  # factory -> type and how many numbers of each input, groups that can be cut
    "Text": ([("int64", WORDS)], {"e", "c"}),
    "casting": ([("int64", WORDS)], {"e", "c"}),
    "Placed": ([("int64", WORDS - 4)], {"place", "c"}),
    "OneHot": ([("int64", 9)], {"a"}),
    "declared": ([("int32", WORDS)], {"e", "c"}),
    "Masked": ([("int64", WORDS), ("bool", None)], {"e", "c"}),
    "Mixed": ([("float32", None), ("int64", WORDS)], {"a", "word"}),
}


@pytest.mark.parametrize("name", FOUND)
def test_what_a_model_takes_is_found_and_it_is_cut_and_proven(file, name):
    expected, free = FOUND[name]
    subject = load(f"{file}:{name}")
    assert [(part.dtype, part.numbers) for part in subject.reads] == expected
    model = analyse(subject)
    assert set(model.profile.free_groups) == free and audit(model).verified
    report = prune(model, Recipe(channels=dict.fromkeys(free, 0.5)), Conditions(latency=False))
    assert report.pruned.params < report.baseline.params


def test_what_it_takes_is_said(file):
    assert "whole numbers from 0 to 699." in load(f"{file}:Text").card["description"]
    told = load(f"{file}:Masked").card["description"]
    assert "'words' takes whole numbers from 0 to 699." in told and "'counts' takes true and false." in told


def test_a_row_gives_each_input_its_own(file):
    subject = load(f"{file}:Mixed")
    picture, word = torch.randn(5, 3, 8, 8), torch.randint(0, WORDS, (5, 1))
    own = type(subject.model).__mro__[1].forward
    row = torch.cat([picture.flatten(1), word], 1)
    assert torch.equal(subject.model(row), own(subject.model, picture, word))


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("wrong", r"example_input of '.*' must be a tensor with the batch first, .*such as torch\.randint"),
        ("failing", r"example_input of '.*' fails \(texts\.py, line \d+, fails with ZeroDivisionError"),
    ],
)
def test_an_example_that_is_none_is_one_sentence(file, name, told):
    with pytest.raises(LoadError, match=told) as caught:
        load(f"{file}:{name}")
    assert "\n" not in str(caught.value)


# --------------------------------------------------------------------------- data


def written(folder, inputs, name="words.npz"):
    targets = np.arange(len(inputs)) % 4
    np.savez(folder / name, x=inputs, y=targets)
    return f"npz:{folder / name}"


@pytest.fixture(scope="module")
def words(tmp_path_factory):
    numbers = np.random.default_rng(0).integers(0, WORDS, (80, 12))
    return written(tmp_path_factory.mktemp("words"), numbers), torch.from_numpy(numbers)


@pytest.mark.parametrize("name", ["Text", "casting"])
def test_whole_numbers_of_a_file_are_read_as_they_are(file, words, name):
    source, numbers = words
    subject = load(f"{file}:{name}", data=source)
    report = prune(analyse(subject), Recipe(), Conditions(latency=False))
    split = subject.task.split("tuning")
    assert split.inputs.dtype == torch.int64 and len(split) == 40
    assert {tuple(row) for row in split.inputs.tolist()} < {tuple(row) for row in numbers.tolist()}
    with torch.no_grad():
        right = int((subject.model(split.inputs).argmax(1) == split.targets).sum())
    assert round(report.baseline.accuracy * 40) == right


def test_words_stay_exact_in_another_format(file, words):
    """bfloat16 holds whole numbers up to 256 alone: read as fractions, other words would be looked up."""
    subject = load(f"{file}:Text", data=words[0])
    report = prune(analyse(subject), Recipe(), Conditions(latency=False, dtype="bfloat16"))
    split = subject.task.split("tuning")
    low = load(f"{file}:Text").model.to(torch.bfloat16)
    with torch.no_grad():
        exact, rounded = (
            float(functional.cross_entropy(low(x).float(), split.targets))
            for x in (split.inputs, split.inputs.to(torch.bfloat16))
        )
    assert report.baseline.loss == pytest.approx(exact, rel=1e-5)
    assert rounded != pytest.approx(exact, rel=1e-4)  # the negative control
    with pytest.raises(ExplorerError, match="measure it in float32"):
        prune(analyse(load(f"{file}:Mixed")), Recipe(), Conditions(dtype="bfloat16"))


def test_words_can_be_trained_on(file, words, tmp_path):
    numbers, targets = words[1].numpy(), np.arange(80) % 4
    np.savez(tmp_path / "both.npz", x=numbers, y=targets, x_train=numbers, y_train=targets)
    model = analyse(load(f"{file}:Text", data=f"npz:{tmp_path / 'both.npz'}"))
    assert outcome(
        recover(model, Recipe(channels={"c": 0.5}), RecoveryPlan(epochs=1), root=tmp_path)
    ).finished


REFUSED = [
    (np.full((8, 12), WORDS), r"holds numbers from 700 to 700, but this model reads those from 0 to 699"),
    (np.full((8, 12), -1), r"holds numbers from -1 to -1, but this model"),
    (np.full((8, 12), 1.5), r"holds fractions, but this model reads whole numbers"),
]


@pytest.mark.parametrize(("inputs", "told"), REFUSED)
def test_other_numbers_are_one_sentence(file, tmp_path, inputs, told):
    subject = load(f"{file}:Text", data=written(tmp_path, inputs))
    with pytest.raises(LoadError, match=told) as caught:
        subject.task.split("tuning")
    assert "\n" not in str(caught.value)


def test_words_have_no_mean(file, words):
    with pytest.raises(LoadError, match="leave both out"):
        load(f"{file}:Text", data=f"{words[0]}?mean=0.5")


# --------------------------------------------------------------------------- how many numbers


@pytest.mark.parametrize(
    ("look", "expected"),
    [
        (lambda x, table: functional.embedding(x, table), 30),
        (lambda x, table: functional.embedding(x * 2 + 3, table), 14),
        (lambda x, table: table[x] + table[torch.arange(4)], 30),
        (lambda x, table: table.index_select(0, x), 30),
        (lambda x, table: functional.one_hot(x, 11), 11),
        (lambda x, table: table[(x * x).clamp(max=99)], 5),  # the square grows faster: tried, and halved
        (lambda x, table: x.float().sin(), None),
        (lambda x, table: table[torch.arange(4)] + x[:, None], None),
    ],
)
def test_how_many_numbers_there_are_is_seen_where_they_are_looked_up(look, expected):
    table = torch.randn(30, 2)
    found = numbers_of(lambda number: look(torch.full((4,), number), table))
    assert found == expected if expected != 5 else found in (3, 5)
