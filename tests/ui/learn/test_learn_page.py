"""The Learn page: a learner reads, predicts, measures, answers, and opens the recipe."""

import json
import time

import pytest
from apps import fine, offering, opened, until, words
from streamlit.testing.v1 import AppTest

from explorer.lessons.class_board import Classroom
from explorer.lessons.lesson_files import TEMPLATE, lessons
from explorer.machine import paths
from explorer.ui import server, session
from explorer.ui.learn import learner, lesson_predict
from explorer.ui.shared import settings
from explorer.values.recipe import Recipe

LESSONS = lessons()


@pytest.fixture(autouse=True)
def offered():
    with offering("digits-cnn", "digits-mlp"):
        yield


def query(app: AppTest, name: str) -> str | None:
    found = app.query_params.get(name)
    return found[0] if isinstance(found, list) else found


def clicked(app: AppTest, key: str) -> AppTest:
    return fine(app.button(key=key).click().run())


def sketches(app: AppTest) -> list[dict]:
    """What the elements for drawing show."""
    found = (json.loads(element.proto.json)[0] for element in app.get("bidi_component") if element.proto.json)
    return [data for data in found if "points" in data]


@pytest.mark.parametrize(
    ("message", "kept"),
    [
        ({"values": [90, 80, 70.5, 0, 100]}, {0.1: 0.9, 0.2: 0.8, 0.3: 0.705, 0.4: 0.0, 0.5: 1.0}),
        ({"values": [90, 80]}, None),
        ({"values": [90, 80, 70, 60, 101]}, None),
        ({"values": "90"}, None),
        ("drawn", None),
        ({"values": [90, 80, 70, 60, float("nan")]}, None),
        ({"values": [90, 80, 70, 60, True]}, None),
        (None, None),
    ],
)
def test_a_drawn_curve_is_kept_and_nonsense_is_not(monkeypatch, message, kept):
    remembered = {}
    monkeypatch.setattr(session, "event", lambda key, name: message)
    monkeypatch.setattr(session, "remember", remembered.__setitem__)
    lesson_predict.take(LESSONS["cheapest_repair"])
    assert list(remembered.values()) == ([] if kept is None else [kept])


def test_own_lessons_stand_beside_those_of_the_program(tmp_path):
    (tmp_path / "mine.toml").write_text(TEMPLATE.read_text(encoding="utf-8"), encoding="utf-8")
    settings.configure(settings.Settings(("digits-mlp",), "cpu", own_lessons=tmp_path))
    app = opened("learn")
    assert {f"open {name}" for name in (*LESSONS, "mine")} <= {button.key for button in app.button}
    clicked(app, "open mine")
    assert "sees the picture" in words(app)


def test_the_list_names_every_lesson():
    app = opened("learn")
    for lesson in LESSONS.values():
        assert f"**{lesson.number}. {lesson.title}**" in words(app)
    assert query(app, "lesson") is None


def test_a_lesson_goes_from_reading_to_trying():
    app = clicked(opened("learn"), "open what_pruning_is")
    assert query(app, "lesson") == "what_pruning_is"
    assert query(app, "step") == "1"
    for _ in LESSONS["what_pruning_is"].sections:
        clicked(app, "step on")
    points = [10, 25, 40, 50, 60, 70, 80, 90, 95]
    assert [sketch["points"] for sketch in sketches(app)] == [points]
    assert app.button(key="guess what_pruning_is lock").disabled, "nothing was said yet"
    drawn = {x / 100: 0.5 for x in points}
    app.session_state[session.KEY].remembered["guess what_pruning_is curve"] = drawn
    fine(app.run())
    clicked(app, "guess what_pruning_is lock")
    until(app, "Your prediction")
    clicked(app, "step on")
    until(app, "measured on digits-mlp")
    clicked(app, "step on")
    answers = LESSONS["what_pruning_is"].check.answers
    wrong = next(answer for answer in answers if not answer.right)
    fine(app.radio[0].set_value(wrong.text).run())
    assert wrong.reason in words(app)
    assert query(app, "done") is None
    right = next(answer for answer in answers if answer.right)
    fine(app.radio[0].set_value(right.text).run())
    assert right.reason in words(app)
    assert query(app, "done") == "1"
    clicked(app, "step on")
    assert any(button.key == "try what_pruning_is" for button in app.button)


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.heavy if name == "depth_or_width" else ()) for name in LESSONS],
)
def test_every_screen_of_a_lesson_runs(name):
    lesson = LESSONS[name]
    app = opened("learn", lesson=name)
    for place, step in enumerate(learner.steps(lesson)):
        assert query(app, "step") == str(place + 1)
        if step == learner.VERDICT:
            until(app, "repetitions with samples")
        if place + 1 < len(learner.steps(lesson)):
            clicked(app, "step on")
    assert not app.error


def test_measuring_waits_for_a_prediction():
    place = learner.steps(LESSONS["noise"]).index(learner.MEASURE)
    app = opened("learn", lesson="noise", step=str(place + 1))
    assert "Predict first" in words(app)
    clicked(app, "step back")
    clicked(app, "step on")
    assert "Predict first" not in words(app)


def test_progress_comes_from_the_link_and_nonsense_in_it_does_no_harm():
    app = opened("learn", done="1.99.x", lesson="no_such", step="-5")
    assert "· done" in words(app)
    assert query(app, "done") == "1"
    app = opened("learn", lesson="noise", step="77")
    assert query(app, "step") == str(len(learner.steps(LESSONS["noise"])))


def test_trying_opens_the_prune_page_on_the_recipe():
    app = AppTest.from_file(str(server.SCRIPT), default_timeout=60)
    fine(app.run())
    app.query_params["lesson"] = "weights_and_channels"
    app.query_params["step"] = str(len(learner.steps(LESSONS["weights_and_channels"])))
    fine(app.switch_page(str(paths.pages() / "learn.py")).run())
    clicked(app, "try weights_and_channels")
    found = query(app, "recipe")
    assert found is not None
    assert Recipe.from_url(found).channels == {"conv1": 0.5, "conv2": 0.5, "conv3": 0.5}


# --------------------------------------------------------------------------- the class


@pytest.fixture
def room():
    found = Classroom()
    settings.configure(settings.Settings(("digits-mlp",), "cpu", classroom=found))
    return found


def test_without_a_class_there_is_no_board():
    assert not any(box.label == "Nickname" for box in opened("learn").text_input)


def test_the_board_opens_with_the_code_only(room):
    app = opened("learn")
    assert [box.label for box in app.text_input] == ["Code of the class"]
    fine(app.text_input[0].set_value("wrong").run())
    assert [box.label for box in app.text_input] == ["Code of the class"]
    fine(app.text_input[0].set_value(room.code).run())
    assert [box.label for box in fine(app.run()).text_input] == ["Nickname"]


def test_a_point_goes_on_the_board_and_bad_names_are_told(room):
    recipe = Recipe(weights={"hidden1": 0.5})
    app = opened("learn", join=room.code, model="digits-mlp", recipe=recipe)
    end = time.monotonic() + 60
    while app.button(key="put on board").disabled:
        assert time.monotonic() < end
        time.sleep(0.1)
        fine(app.run())
    clicked(app, "put on board")
    assert room.board.points() == () and "A nickname has 1 to 24 characters" in words(app)
    app.text_input[0].set_value("  Ada <b> ")
    clicked(app, "put on board")
    assert not app.error
    (point,) = room.board.points()
    assert (point.nickname, point.model, Recipe.from_url(point.recipe)) == ("Ada <b>", "digits-mlp", recipe)


def test_the_table_opens_with_the_teachers_token(room):
    assert not opened("learn", join=room.code, teacher="guess").get("download_button")
    assert opened("learn", join=room.code, teacher=room.token).get("download_button")


def test_only_the_teacher_sees_who_is_where(room):
    room.attendance.note("student", "Prune")
    assert "For you alone" not in [head.value for head in opened("learn", join=room.code).subheader]
    app = opened("learn", join=room.code, teacher=room.token)
    assert "For you alone" in [head.value for head in app.subheader]
    (table,) = app.table
    assert table.value.to_numpy().tolist() == [["not on the board yet", "Prune", "now"]]


def test_a_browser_of_a_class_is_seen_where_it_is(room):
    fine(AppTest.from_file(str(server.SCRIPT), default_timeout=60).run())
    assert [seat.place for seat in room.attendance.seats()] == ["Prune"]


def test_a_class_uploads_exports_and_keeps_nothing(room):
    app = AppTest.from_file(str(server.SCRIPT), default_timeout=60)
    fine(app.run())
    assert not app.get("file_uploader")
    assert not app.get("download_button")
    assert not {"keep", "write"} & {button.key for button in app.button}
    assert "Held-out data cannot be opened in a class" in words(app)
    assert settings.current().hidden_pages == ("compare", "recover")
