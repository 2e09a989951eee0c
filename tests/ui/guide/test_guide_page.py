"""The Guide page shows the page that a link names, and searches all pages."""

import pytest
from apps import fine, offering, opened, words
from streamlit.testing.v1 import AppTest

from explorer.guide.markdown_pages import pages
from explorer.machine import paths


@pytest.fixture(autouse=True)
def offered():
    with offering("digits-mlp"):
        yield


def linked(name: str) -> AppTest:
    """The page as a link to one page of the guide opens it."""
    app = AppTest.from_file(str(paths.pages() / "guide.py"), default_timeout=60)
    app.query_params["page"] = name
    return fine(app.run())


def title(app: AppTest) -> str:
    return app.header[0].value


def searched(app: AppTest, text: str) -> AppTest:
    app.text_input[0].set_value(text)
    return fine(app.run())


@pytest.mark.parametrize("name", pages())
def test_a_link_opens_its_page_and_shows_all_of_its_sections(name):
    app = linked(name)
    assert title(app) == pages()[name].title
    assert all(f"#### {section.heading}" in words(app) for section in pages()[name].sections[1:])


@pytest.mark.parametrize("name", ["", "no_such", "../../README"])
def test_any_other_link_opens_the_first_page(name):
    assert title(linked(name)) == next(iter(pages().values())).title


def test_a_chosen_page_is_in_the_address():
    app = opened("guide")
    app.radio[0].set_value("recovery")
    assert title(fine(app.run())) == pages()["recovery"].title
    assert app.query_params["page"] in ("recovery", ["recovery"])


def test_pages_link_to_each_other():
    assert "[Exports](?page=exports)" in words(linked("command-line"))


def test_a_hit_opens_its_page_and_ends_the_search():
    app = searched(opened("guide"), "ampere")
    (hit,) = (button for button in app.button if button.key.startswith("guide hit"))
    assert hit.label == "Exports › Who gains" and not app.header
    hit.click()
    assert title(fine(app.run())) == pages()["exports"].title
    assert app.text_input[0].value == ""


def test_a_search_without_hits_says_so_and_an_empty_one_shows_the_page():
    app = searched(opened("guide"), "zebrafish")
    assert "No page has all of these words" in words(app)
    assert title(searched(app, "")) == next(iter(pages().values())).title
