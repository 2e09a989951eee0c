"""The random walk sees what it is there to see: faults that are planted, on paths that it makes short."""

import json
import random

import pytest

pytest.importorskip("playwright.sync_api")
import walk
from signs import Signs
from walk import FaultError, Step, Walker, chosen, failing, seconds_of, shrunk
from walk_controls import HOW, Control, controls
from walk_numbers import Seen, expected, wrong

MODELS = ("digits-cnn", "digits-mlp")
WALK_S = 60.0
FEWEST_STEPS = 10  # on a busy machine; a quiet one takes a hundred


def test_a_path_is_shortened_to_the_steps_that_matter():
    path = [Step("menu", str(place)) for place in range(40)]
    tried = []

    def fails(steps):
        tried.append(len(steps))
        names = [step.name for step in steps]
        return "7" in names and "31" in names[names.index("7") :]

    assert [step.name for step in shrunk(path, fails, 60)] == ["7", "31"]
    assert len(tried) < 200
    assert shrunk(path, lambda steps: False, 60) == path
    assert len(shrunk(path, fails, 0)) == 40  # there was no time


@pytest.mark.parametrize("text, seconds", [("60", 60), ("90s", 90), ("30m", 1800), ("2h", 7200)])
def test_times_are_read(text, seconds):
    assert seconds_of(text) == seconds


def looked(**changed) -> Seen:
    """A page that shows the dense model as it is."""
    cards = [[label, value, ""] for label, value in expected("digits-cnn", "", "", "float32").items()]
    usual = {
        "url": "http://127.0.0.1:1/?model=digits-cnn",
        "state": "notRunning",
        "model": "digits-cnn",
        "samples": "all 450 samples",
        "dtype": "float32",
        "older": False,
        "words": "Final: measured on the model that Take away would write.",
        "cards": cards,
        "old_cards": False,
        "faders": [["Channels: conv1. 16 channels", "0"]],
        "metrics": [],
    }
    return Seen(**{**usual, **changed})


def test_a_page_that_shows_its_recipe_is_right_and_one_that_does_not_is_wrong():
    right = looked()
    assert wrong(right) == [] and right.is_final and len(right.cards) == 3
    assert "model" in wrong(looked(model="digits-mlp"))[0]
    assert "fader" in wrong(looked(faders=[["Channels: conv1. 16 channels", "12.5"]]))[0]
    for place, (label, _, _) in enumerate(right.cards):
        cards = [list(card) for card in right.cards]
        cards[place][1] = "1.00"
        assert label in wrong(looked(cards=cards))[0]
        assert wrong(looked(cards=cards, words="Live: 128 of 450 samples")) == []  # it is not the last number
        assert wrong(looked(cards=cards, state="running")) == []


# --------------------------------------------------------------------------- in a browser

# a fault that two presses bring about, in this order: of the menu, which every seed comes to
PLANTED = """addEventListener("click", (event) => {
  const words = event.composedPath().find((node) => node.matches?.("a"))?.innerText ?? "";
  if (words.includes("Explore")) sessionStorage.planted = "half";
  else if (words.includes("Structure") && sessionStorage.planted === "half") %s;
}, true)"""
FAULTS = {
    "console": 'console.error("planted")',
    "box": """setTimeout(() => document.body.insertAdjacentHTML("beforeend",
      '<div data-testid="stException">planted</div>'), 200)""",
    "error": 'setTimeout(() => { throw new Error("planted"); })',
}


@pytest.fixture
def walker(browser, server):
    """A random user of the shared server, with a browser of its own."""
    context = browser.new_context(reduced_motion="reduce")
    yield Walker(context, server.url, MODELS, Signs(server.url, server.log))
    context.close()


MENU = {name: Step("menu", name, pause=0.3) for name in ("query_stats Explore", "account_tree Structure")}


@pytest.fixture
def fault(browser, server):
    """What goes wrong on a path in which a fault is planted."""

    def fault(kind: str, *steps: Step) -> str:
        context = browser.new_context(reduced_motion="reduce")
        context.add_init_script(PLANTED % FAULTS[kind])
        walker = Walker(context, server.url, MODELS, Signs(server.url), tries=20)
        said = failing(walker, steps)
        context.close()
        assert walker.missed == 0  # else the path was another
        return said or ""

    return fault


@pytest.mark.browser
@pytest.mark.heavy  # each kind of fault: test_signs.py; that a walk ends at one: changed numbers, below
@pytest.mark.parametrize("kind", FAULTS)
def test_a_planted_fault_ends_a_path(fault, kind):
    first, second = MENU.values()
    assert "planted" in fault(kind, first, second)


@pytest.mark.browser
@pytest.mark.heavy
def test_a_path_in_a_browser_is_shortened_to_what_leads_to_the_fault(fault):
    first, second = MENU.values()
    path = [first, Step("escape"), second]
    assert shrunk(path, lambda steps: "planted" in fault("error", *steps), 250) == [first, second]


@pytest.mark.browser
def test_numbers_of_another_recipe_are_noticed(walker):
    """The answers to questions for news are changed on their way: one digit of the accuracy."""

    def change(route):
        answer = route.fetch()
        found = answer.json() if answer.ok else {}
        card = found.get("told", {}).get("cards", {}).get("value", {}).get("Accuracy")
        if card:
            card["value"] = "12.3 %"
        route.fulfill(response=answer, body=json.dumps(found))

    walker.start()
    walker.settle(20)
    walker.check()
    walker.page.wait_for_selector(".track[role=slider]:not([aria-disabled=true])", timeout=90_000)
    walker.context.route("**/explorer-news", change)
    fader = next(control for control in controls(walker.page) if control.kind == "fader")
    with pytest.raises(FaultError, match=r"Accuracy is 12\.3 %"):
        for _ in range(5):
            walker.do(Step("fader", fader.name, how="PageUp", pause=1))
            walker.settle(20)
    walker.context.unroute_all(behavior="ignoreErrors")  # a question under way ends with the page


def test_a_seed_chooses_the_same_steps_again_and_steps_are_kept_as_json():
    there = [
        Control(place, kind, f"{kind} {place}", 0) for place, kind in enumerate([*HOW, "menu", "button"] * 3)
    ]
    first, again = ([chosen(random.Random(seed), there, MODELS) for seed in range(300)] for _ in range(2))
    assert first == again
    assert [Step(**json.loads(json.dumps(step.to_json()))) for step in first] == first
    assert {step.kind for step in first} == {*HOW, "menu", "button", *walk.BROWSER}


@pytest.mark.browser
@pytest.mark.timeout(400)
def test_a_minute_of_a_random_user_without_a_fault(browser, server):
    """The same seed in every run; `tests/walk.py --walk 30m` walks longer, and shortens a path that fails."""
    with walk.walker_of(browser, server, MODELS) as walker:
        walker.start()
        walk.walk(walker, seed=1, seconds=WALK_S, fewest=FEWEST_STEPS)
        assert len(walker.steps) >= FEWEST_STEPS
