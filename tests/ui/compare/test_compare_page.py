"""The Compare page and keeping runs, through the real page, on a store of their own."""

import re
import time
from dataclasses import replace

import pytest
from apps import fine, keys, offering, opened, turned_to, until, words
from streamlit.testing.v1 import AppTest

from explorer.engine.conditions import Conditions
from explorer.engine.measure import prune
from explorer.graph.analysed import Analysed, analyse
from explorer.graph.export import graph_of
from explorer.loaders.model_text import load
from explorer.machine import paths
from explorer.pruning.decision import masks_for
from explorer.runs.replay import masks_fingerprint
from explorer.runs.store import Store
from explorer.ui.shared import settings
from explorer.values.recipe import Recipe

MODEL = "digits-mlp"
RECIPES = {
    "quarter": Recipe(channels={"hidden1": 0.25}),
    "half": Recipe(channels={"hidden1": 0.5}),
    "most": Recipe(weights={"hidden2": 0.9}),
}


@pytest.fixture(autouse=True)
def offered(tmp_path, monkeypatch):
    monkeypatch.setenv(paths.CACHE_VARIABLE, str(tmp_path))
    with offering(MODEL, "digits-cnn"):
        yield


@pytest.fixture(scope="module")
def measured():
    subject = load(MODEL)
    graph = graph_of(subject)
    conditions = Conditions(200, latency=False)
    return {
        note: (
            prune(Analysed(subject, graph), recipe, conditions),
            masks_fingerprint(masks_for(Analysed(subject, graph), recipe)),
        )
        for note, recipe in RECIPES.items()
    }


@pytest.fixture
def kept(measured):
    """Note -> name of the run; each was made from the one before."""
    names, parent = {}, None
    for note, (report, masks) in measured.items():
        parent = names[note] = Store(paths.cache()).put(
            report, note=note, tags=[note[0]], parent=parent, masks=masks
        )
    return names


def test_runs_stand_in_a_table_a_front_and_a_tree(kept):
    app = opened("compare", model=MODEL)
    table = app.dataframe[0].value
    assert sorted(table["called"].str[5:][:-1]) == ["half", "most", "quarter"]
    assert table["called"].iloc[-1] == "dense model" and table["value"].iloc[-1] > 90
    assert len(app.get("plotly_chart")) == 2
    assert "Tick runs in the table" in words(app)


def test_words_and_tags_choose_runs(kept):
    app = opened("compare", model=MODEL)
    app.text_input(key="compare_words").set_value("hidden1 half")
    assert list(fine(app.run()).dataframe[0].value["called"].str[5:][:-1]) == ["half"]
    app.text_input(key="compare_words").set_value("")
    app.multiselect(key="compare_tags").set_value(["m"])
    assert list(fine(app.run()).dataframe[0].value["called"].str[5:][:-1]) == ["most"]
    app.text_input(key="compare_words").set_value("no such run")
    assert "No kept run fits" in words(fine(app.run()))


def side_by_side(app: AppTest, *names: str) -> AppTest:
    (box,) = (box for box in app.multiselect if box.label == "Runs")
    box.set_value(list(names))
    return fine(app.run())


def test_two_runs_side_by_side(kept):
    app = side_by_side(opened("compare", model=MODEL), kept["quarter"], kept["half"])
    facts = app.table[0].value
    assert facts.shape[1] == 3 and "Accuracy" in set(facts.iloc[:, 0])
    assert len(app.get("plotly_chart")) == 4
    assert app.button(key=f"open {kept['half']}").label == "Open"


def test_answers_are_compared_on_request(kept):
    app = side_by_side(opened("compare", model=MODEL), kept["quarter"], kept["most"])
    app.button(key="ask").click()
    app = until(fine(app.run()), "450 samples of the tuning split")
    flips = app.dataframe[1].value
    assert len(flips) == 3, "dense and two runs are three pairs"
    assert (flips[["both_right", "only_first", "only_second", "both_wrong"]].sum(axis=1) == 450).all()


def test_a_replay_finds_the_same_masks(kept):
    app = side_by_side(opened("compare", model=MODEL), kept["half"])
    app.button(key=f"replay {kept['half']}").click()
    assert "the masks are the same, bit for bit" in words(until(fine(app.run()), "as in the run"))


def test_notes_are_edited_and_runs_deleted(kept):
    app = side_by_side(opened("compare", model=MODEL), kept["half"])
    app.text_area(key=f"note {kept['half']}").set_value("better")
    app.text_input(key=f"tags {kept['half']}").set_value("good, new")
    app.button(key=f"save {kept['half']}").click()
    assert "better" in set(fine(app.run()).dataframe[0].value["called"].str[5:])
    assert Store(paths.cache()).run(kept["half"]).tags == ("good", "new")
    app.button(key=f"delete {kept['half']}").click()
    assert len(fine(app.run()).dataframe[0].value) == 3, "two runs and the dense model"
    assert Store(paths.cache()).run(kept["half"]) is None


def test_a_run_is_opened_on_the_prune_page(kept):
    app = turned_to(opened(model=MODEL), "compare")
    app = side_by_side(app, kept["half"])
    app.button(key=f"open {kept['half']}").click()
    fine(app.run())
    link = app.query_params["recipe"]
    assert Recipe.from_url(link[0] if isinstance(link, list) else link) == RECIPES["half"]


def test_runs_of_a_model_that_is_not_offered_are_seen_but_not_opened(kept):
    settings.configure(settings.Settings(("digits-cnn",), "cpu"))
    app = opened("compare", model="digits-cnn")
    assert "3 runs of other models are kept. Choose **all models** to see them" in words(app)
    (scope,) = (group for group in app.button_group if group.label == "Runs of")
    scope.set_value("all models")
    app = side_by_side(fine(app.run()), kept["half"])
    app.button(key=f"open {kept['half']}").click()
    fine(app.run())
    assert "recipe" not in app.query_params


def test_foreign_notes_are_not_markup(kept):
    Store(paths.cache()).describe(kept["half"], note="<script>alert(1)</script> **bold**")
    app = side_by_side(opened("compare", model=MODEL), kept["half"])
    assert all("<script>" not in element.value for element in app.markdown)
    assert all("<script>" not in chart.proto.spec for chart in app.get("plotly_chart"))


# --------------------------------------------------------------------------- on the Prune page


def settled(app: AppTest) -> AppTest:
    return until(app, "measured on the model that Take away")


def test_a_run_is_kept_with_note_tags_and_origin():
    app = settled(opened(recipe=RECIPES["quarter"], model=MODEL))
    app.text_input(key="keep note").set_value("first try")
    app.text_input(key="keep tags").set_value("a, b")
    app.button(key="keep").click()
    fine(app.run())
    (first,) = Store(paths.cache()).runs()
    assert (first.note, first.tags, first.parent) == ("first try", ("a", "b"), None)
    assert first.report.recipe == RECIPES["quarter"] and first.report.stage == "final"
    assert first.masks == masks_fingerprint(masks_for(analyse(load(MODEL)), RECIPES["quarter"]))
    app.button(key="reset").click()
    app = settled(fine(app.run()))
    app.button(key="keep").click()
    fine(app.run())
    assert {run.parent for run in Store(paths.cache()).runs()} == {None, first.name}


def test_held_out_data_is_opened_once_for_a_recipe_and_the_result_is_kept():
    app = settled(opened(recipe=RECIPES["half"], model=MODEL))
    assert "Opened 0 times for this model so far; the next is judged at level 0.975." in words(app)
    app.button(key="check held out").click()
    app = until(fine(app.run()), "Held-out accuracy")
    assert "450 of 450" in words(app) and "opened 1 time for this model" in words(app)
    (run,) = Store(paths.cache()).runs()
    assert run.report.split == "held_out" and run.tags == ("held-out",)
    assert not [button for button in app.button if button.key == "check held out"], (
        "the same numbers would come out"
    )
    again = opened(recipe=RECIPES["half"], model=MODEL)
    assert "Held-out accuracy" in words(again)
    assert Store(paths.cache()).held_out_openings(load(MODEL).id) == 1


def test_a_file_is_written_in_the_background_and_offered():
    app = settled(opened(recipe=RECIPES["half"], model=MODEL))
    assert "helps everywhere" in words(app).replace("help everywhere", "helps everywhere")
    app.button(key="write").click()
    end = time.monotonic() + 180
    while not app.get("download_button") or not any(
        "Download (" in b.proto.label for b in app.get("download_button")
    ):
        assert time.monotonic() < end
        time.sleep(0.1)
        fine(app.run())


def test_the_trials_of_a_search_do_not_bury_what_was_kept_by_hand(kept, measured):
    report, masks = measured["most"]
    Store(paths.cache()).put(
        replace(report, recipe=replace(report.recipe, seed=7)),
        note="search for less params, trial 49, optimiser",
        tags=["search"],
        masks=masks,
    )
    app = opened("compare", model=MODEL)
    names = [name[5:] for name in app.dataframe[0].value["called"]]
    assert names[-1] == " model" and sorted(names[:-1]) == ["half", "most", "quarter"]
    app.toggle(key="compare_trials").set_value(True)
    (trial,) = (name for name in fine(app.run()).dataframe[0].value["called"] if "trial" in name)
    assert re.fullmatch(r"\w{4} trial 49, \d+ % left, \d+\.\d %", trial)


def comes_to_be_kept(app: AppTest):
    """The first run of an empty store, and the page that then shows it."""
    app = until(app, lambda page: bool(page.dataframe))
    assert "No run is kept yet" not in words(app)
    return app, Store(paths.cache()).runs()


def test_without_runs_a_click_makes_and_keeps_the_first_one():
    app = opened("compare", Recipe(), model="digits-cnn")
    assert "No run is kept yet" in words(app) and "first run own" not in keys(app)
    fine(app.button(key="first run preset").click().run())
    _, (run,) = comes_to_be_kept(app)
    assert run.report.stage == "final" and run.report.recipe.channels and run.report.recipe.after != "none"


def test_without_runs_the_present_recipe_is_kept_as_soon_as_it_is_measured():
    app = opened("compare", RECIPES["half"])
    assert "first run preset" not in keys(app) and Store(paths.cache()).runs() == []  # only on a click
    fine(app.button(key="first run own").click().run())
    _, (run,) = comes_to_be_kept(app)
    assert run.report.recipe == RECIPES["half"] and run.report.stage == "final"


def test_without_runs_a_search_makes_some_and_the_page_follows_it():
    app = opened("compare", Recipe())
    app.session_state["search trials"] = 5
    fine(app.button(key="first run search").click().run())
    app, runs = comes_to_be_kept(app)
    assert all("search" in run.tags for run in runs)
    app = until(app, lambda page: len(Store(paths.cache()).runs()) >= 5)
    app = until(app, lambda page: "show trials" not in keys(page))  # the search is over
    assert len(app.dataframe[0].value) >= 5


def test_a_run_whose_file_was_edited_is_named_and_the_others_are_shown(kept):
    store = Store(paths.cache())
    path = store._path(load(MODEL).id, kept["half"])
    path.write_text(path.read_text().replace('"samples": 200', '"samples": "many"'))
    app = opened("compare", model=MODEL)
    assert sorted(app.dataframe[0].value["called"].str[5:][:-1]) == ["most", "quarter"]
    assert app.expander[0].label == "1 kept run cannot be read"
    told = "'report.baseline.samples' must be a whole number from 0, got 'many'"
    assert told in words(app).replace("\\", "")
    assert "This permanently deletes the file" in words(app) and path.exists()  # it asks before it does
    (asks,) = [box for box in app.get("popover") if "Delete these files" in str(box.proto)]
    fine(asks.button(key="delete refused").click().run())
    assert not path.exists() and "cannot be read" not in words(app) and len(store.runs()) == 2
