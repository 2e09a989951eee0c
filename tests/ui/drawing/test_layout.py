"""What is refused is shown in amber; red is for faults of the program alone."""

import ast
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from explorer.errors import RecipeError, crash

ROOT = Path(__file__).parents[3]
DOOR = ROOT / "explorer" / "ui" / "drawing" / "layout.py"


def page(text):
    from explorer.ui.drawing import layout

    layout.draw_notice(text)


@pytest.mark.parametrize(
    ("text", "amber", "red"),
    [
        (str(RecipeError("A ratio must be below 1, not 1.2; lower it.")), 1, 0),
        (crash(ValueError("shapes differ")), 0, 1),
        (None, 0, 0),
        ("", 0, 0),
    ],
)
def test_a_refusal_is_amber_and_a_crash_is_red(text, amber, red):
    app = AppTest.from_function(page, args=(text,)).run()
    assert (len(app.warning), len(app.error)) == (amber, red)


def reds(text: str) -> list[int]:
    """Lines that draw a red box by themselves."""
    found = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Attribute)]
    own = [node for node in found if isinstance(node.value, ast.Name) and node.value.id == "st"]
    return [node.lineno for node in own if node.attr in ("error", "exception")]


def test_no_page_draws_a_red_box_by_itself():
    sources = [*(ROOT / "explorer" / "ui").rglob("*.py"), *(ROOT / "pages").glob("*.py")]
    assert [path for path in sources if path != DOOR and reds(path.read_text(encoding="utf-8"))] == []
    assert reds("if wrong:\n    st.error('No.')") == [2]
