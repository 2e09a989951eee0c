"""Recipes and Reports are values: validated at the border, immutable, and the same after any journey."""

import base64
import contextlib
import json
import zlib
from dataclasses import FrozenInstanceError, replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from explorer.errors import RecipeError
from explorer.pruning.cutting import removal_count
from explorer.values.choice import Choice
from explorer.values.identity import subject_id
from explorer.values.link import JSON_LIMIT, URL_LIMIT
from explorer.values.plain import canonical_json
from explorer.values.recipe import AFTER, Recipe, check_ratio
from explorer.values.report import Drop, LayerOutcome, Measurement, PartOutcome, Report
from explorer.values.samples import Split
from explorer.values.subject import Normalisation, Task

# --------------------------------------------------------------------------- what is refused

BAD = [
    {"channels": {"a": 1}},
    {"channels": {"a": 1.2}},
    {"weights": {"a": -0.1}},
    {"weights": {"a": -1e-9}},
    {"weights": {"a": "0.5"}},
    {"weights": {"a": True}},
    {"weights": {"a": None}},
    {"weights": {"a": float("nan")}},
    {"weights": {"a": float("inf")}},
    {"weights": {"a": 10**400}},
    {"weights": [0.5]},
    {"channels": 0.5},
    {"channels": None},
    {"pattern": "4:2"},
    {"pattern": "4:4"},
    {"pattern": "0:4"},
    {"pattern": "2:4\n"},
    {"pattern": 24},
    {"pattern": None},
    {"keep": {"a": [-1]}},
    {"keep": {"a": [0.5]}},
    {"keep": {"a": [True]}},
    {"keep": {"a": "12"}},
    {"keep": {"a": 5}},
    {"keep": [1]},
    {"remove": {"a": None}},
    {"remove": {"a": {"0": 1}}},
    {"keep": {"a": [1, 2]}, "remove": {"a": [2, 3]}},
    {"criterion": 5},
    {"criterion": ""},
    {"criterion": None},
    {"criterion": {"name": "l1", "p": 2}},
    {"criterion": {"params": 1}},
    {"criterion": {"name": "l1", "params": [1]}},
    {"criterion": {"name": "l1", "params": {"p": float("nan")}}},
    {"criterion": {"name": ["l1"]}},
    {"reduction": "mean"},
    {"reduction": []},
    {"after": "later"},
    {"after": None},
    {"round_to": 0},
    {"round_to": 8.0},
    {"round_to": True},
    {"round_to": 5000},
    {"seed": -1},
    {"seed": 2**31},
    {"seed": "0"},
    {"chanels": {}},
    {"": 1},
    [],
    "recipe",
    None,
    3,
]


@pytest.mark.parametrize("data", BAD, ids=str)
def test_bad_values_are_refused_in_one_sentence(data):
    with pytest.raises(RecipeError) as caught:
        Recipe.from_json(data)
    text = str(caught.value)
    assert "\n" not in text and 20 < len(text) < 400 and text.endswith((".", ")"))


@pytest.mark.parametrize(
    "values", [{"keep": {"a": 5}}, {"criterion": "l1"}, {"channels": {"a": 10**400}}, {"pattern": 24}]
)
def test_bad_values_are_refused_in_python_too(values):
    with pytest.raises(RecipeError):
        Recipe(**values)


def test_parameters_must_be_plain():
    for params in ({1: 2}, {"p": {1, 2}}, {"p": float("inf")}, [("p", 1)]):
        with pytest.raises(RecipeError):
            Choice("l1", params)


def test_foreign_names_are_shortened():
    with pytest.raises(RecipeError) as caught:
        Recipe.from_json({"channels": {"x" * 10_000: 2}})
    assert len(str(caught.value)) < 200


@given(st.floats(0, 1, exclude_max=True))
def test_every_ratio_below_one_is_allowed_and_kept_to_nine_decimals(ratio):
    kept = check_ratio("a", ratio)
    assert 0 <= kept < 1 and abs(kept - ratio) <= 1e-9 and kept == round(kept, 9)


@given(st.integers(1, 400_000_000), st.floats(0, 1, exclude_max=True))
def test_a_ratio_says_exactly_how_many_units_go(units, share):
    removed = min(int(share * units), units - 1)
    assert removal_count(check_ratio("a", removed / units), units) == removed


# --------------------------------------------------------------------------- what is the same afterwards

names = st.text(min_size=1, max_size=12)
ratios = st.dictionaries(names, st.floats(0, 1, exclude_max=True), max_size=4)
numbers = st.lists(st.integers(0, 40).map(lambda n: 2 * n), max_size=6)
plain = (
    st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5)
)


@st.composite
def recipes(draw):
    return Recipe(
        channels=draw(ratios),
        weights=draw(ratios),
        pattern=draw(st.sampled_from(["free", "2:4", "1:16"])),
        keep=draw(st.dictionaries(names, numbers, max_size=3)),
        remove=draw(st.dictionaries(names, numbers.map(lambda given: [n + 1 for n in given]), max_size=3)),
        criterion=Choice(draw(names), draw(st.dictionaries(names, plain, max_size=3))),
        reduction=draw(st.sampled_from(["sum", "first", "all"])),
        round_to=draw(st.integers(1, 1024)),
        after=draw(st.sampled_from(AFTER)),
        seed=draw(st.integers(0, 2**31 - 1)),
    )


@given(recipes())
def test_json_and_url_give_the_recipe_back(recipe):
    by_json = Recipe.from_json(json.loads(canonical_json(recipe.to_json())))
    by_url = Recipe.from_url(recipe.to_url())
    assert recipe == by_json == by_url
    assert recipe.fingerprint == by_json.fingerprint == by_url.fingerprint and hash(recipe) == hash(by_url)


def test_the_empty_recipe_has_a_short_url_and_differs_from_others():
    assert Recipe.from_url(Recipe().to_url()) == Recipe() and len(Recipe().to_url()) < 20
    assert Recipe().fingerprint != Recipe(seed=1).fingerprint
    assert Recipe() != Recipe(seed=1)


def test_order_and_nothings_do_not_matter():
    a = Recipe(channels={"b": 0.5, "a": 0.25, "c": 0}, keep={"a": (2, 1, 1), "b": ()})
    b = Recipe(channels={"a": 0.25, "b": 0.5}, keep={"a": (1, 2)})
    assert a == b and hash(a) == hash(b) and a.to_url() == b.to_url()
    assert len({a, b, Recipe()}) == 2


def test_a_criterion_may_be_its_name():
    assert Recipe.from_json({"criterion": "l2"}).criterion == Choice("l2", {})


def test_recipes_cannot_be_changed():
    given_channels = {"a": 0.5}
    recipe = Recipe(channels=given_channels)
    given_channels["a"] = 0.9
    assert recipe.channels["a"] == 0.5
    with pytest.raises(TypeError):
        recipe.channels["a"] = 0.9
    with pytest.raises(TypeError):
        recipe.criterion.params["p"] = 1
    with pytest.raises(FrozenInstanceError):
        recipe.seed = 1
    assert recipe.with_weights("fc", 0.5).channels == {"a": 0.5} and recipe.weights == {}


def test_ratios_by_granularity():
    recipe = Recipe(channels={"a": 0.5}, weights={"fc": 0.25})
    assert recipe.ratios("channel") == {"a": 0.5} and recipe.ratios("weight") == {"fc": 0.25}
    assert recipe.with_ratios("weight", {"b": 0.1}) == Recipe(channels={"a": 0.5}, weights={"b": 0.1})
    assert recipe.with_ratios("channel", {}) == Recipe(weights={"fc": 0.25})


def test_scaled_by_hand():
    recipe = Recipe(channels={"a": 0.8}, weights={"fc": 0.5}, remove={"a": (1,)}, seed=3)
    assert recipe.scaled(1) == recipe
    assert recipe.scaled(0.5) == Recipe(channels={"a": 0.4}, weights={"fc": 0.25}, seed=3)
    assert recipe.scaled(0).is_empty and recipe.scaled(0).seed == 3
    assert recipe.is_structured and not recipe.is_empty and not Recipe(weights={"fc": 0.5}).is_structured


# --------------------------------------------------------------------------- damaged links


def _url(data: bytes) -> str:
    return base64.urlsafe_b64encode(zlib.compress(data, 9)).decode().rstrip("=")


GOOD = Recipe(channels={"conv1": 0.5, "layer1.0.conv2": 0.25}).to_url()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "A",
        "!!!!",
        "ä" * 8,
        GOOD[:-1],
        GOOD[:-6],
        GOOD[:10],
        GOOD + "AAAA",
        GOOD[4:],
        GOOD[:8] + " " + GOOD[8:],
        GOOD + GOOD,
        _url(b"null"),
        _url(b"[1]"),
        _url(b'{"channels"'),
        _url(b"\xff\xfe"),
        _url(b"[" * 50_000),
        _url(b'{"weights": {"a": ' + b"9" * 400 + b"}}"),
        _url(b'{"weights": {"a": ' + b"9" * 5000 + b"}}"),
        _url(b'{"weights": {"a": NaN}}'),
        "A" * (URL_LIMIT + 1),
    ],
    ids=lambda text: text[:24],
)
def test_damaged_links_are_refused(text):
    with pytest.raises(RecipeError) as caught:
        Recipe.from_url(text)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 300


@given(st.text(max_size=60) | st.binary(max_size=60).map(lambda raw: base64.urlsafe_b64encode(raw).decode()))
def test_no_text_does_anything_but_give_a_recipe_or_a_recipe_error(text):
    with contextlib.suppress(RecipeError):
        assert isinstance(Recipe.from_url(text), Recipe)


def test_a_bomb_is_stopped_before_it_fills_the_memory():
    bomb = _url(b'{"weights": {"' + b"a" * (40 * JSON_LIMIT) + b'": 0.5}}')
    assert len(bomb) < URL_LIMIT
    with pytest.raises(RecipeError, match="damaged"):
        Recipe.from_url(bomb)


def test_an_intact_link_is_accepted():
    assert Recipe.from_url(GOOD).channels == {"conv1": 0.5, "layer1.0.conv2": 0.25}


# --------------------------------------------------------------------------- reports


def report() -> Report:
    size, latency = {"dense": 4000, "csr": 3000}, {"median": 1.5, "p10": 1.4, "p90": 1.7, "batch": 1}
    measured = Measurement(0.9, 0.87, 0.93, 0.31, 450, 405, 1000, 600, 5000, size, latency)
    about, recipe = {"id": "abc", "name": "digits", "task": "digits"}, Recipe(channels={"conv1": 0.5})
    return Report(
        about,
        recipe,
        measured,
        replace(measured, latency_ms=None),
        Drop(0.01, -0.002, 0.022, "undecided", 0.99),
        (LayerOutcome("conv1", "conv", (16, 1, 3, 3), (8, 1, 3, 3), 144, 72, 72, 9216, 4608),),
        (
            PartOutcome("conv1", "channel", 0.5, 0.5, 16, 8),
            PartOutcome("fc", "channel", 0.5, 0.0, 10, 0, "cannot be pruned"),
        ),
        {"device": "cpu", "threads": 1},
        "tuning",
        "final",
        450,
        ("a note",),
        {"ratio": 1.5, "low": 1.2, "high": 1.8, "verdict": "faster"},
    )


BARE = replace(report(), drop=None, speed_up=None, layers=(), parts=(), notes=(), stage="live")


@pytest.mark.parametrize("value", [report(), BARE])
def test_a_report_is_the_same_after_json(value):
    again = Report.from_json(json.loads(json.dumps(value.to_json())))
    assert again == value and again.to_json() == value.to_json()
    assert Report.from_json({**value.to_json(), "split": "held_out"}) != value


def test_what_was_not_measured_is_null():
    assert set(Measurement().to_json().values()) == {None, 0}
    assert Measurement.from_json(Measurement().to_json()) == Measurement()


# --------------------------------------------------------------------------- data and models


def test_normalisation_by_hand():
    raw = torch.tensor([[[[0]], [[255]]]], dtype=torch.uint8)  # (1, 2, 1, 1)
    found = Normalisation(1 / 255, (0.5, 0.0), (0.25, 2.0))(raw)
    assert found.flatten().tolist() == [-2.0, 0.5] and found.dtype == torch.float32


def test_splits_are_loaded_once_and_when_asked_for():
    asked = []

    def load(name):
        asked.append(name)
        return Split(torch.zeros(3, 2), torch.arange(3)) if name == "tuning" else None

    task = Task("t", (2,), ("a", "b", "c"), load)
    assert asked == [] and task.example(4).shape == (4, 2)
    assert (
        task.split("tuning") is task.split("tuning")
        and task.split("held_out") is None
        and task.split("held_out") is None
    )
    assert asked == ["tuning", "held_out"]
    assert task.split("tuning").first(2).targets.tolist() == [0, 1]


def test_the_id_of_a_subject_follows_every_weight():
    a, b = torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)
    b.load_state_dict(a.state_dict())
    assert subject_id(a) == subject_id(b)
    with torch.no_grad():
        b.bias[1] += 1e-6
    assert subject_id(a) != subject_id(b) != subject_id(torch.nn.Linear(2, 3))
