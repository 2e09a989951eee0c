"""What a browser picks counts only if it is offered now; and no page asks a browser in another way."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from explorer.ui.drawing.offers import ManyOffer, Offer, ShownOffer

ROOT = Path(__file__).parents[3]
DOOR = ROOT / "explorer" / "ui" / "drawing" / "offers.py"
SOURCES = [*sorted((ROOT / "explorer" / "ui").rglob("*.py")), *sorted((ROOT / "pages").glob("*.py"))]
CHOICES = {"selectbox", "radio", "segmented_control", "pills", "multiselect", "select_slider"}
ASKED = {"shown", "picked", "event"}  # of the session: what a browser says


# --------------------------------------------------------------------------- the house


def _is_asked(node: ast.AST) -> bool:
    """Whether an expression holds what a browser says, unchecked."""
    return any(
        isinstance(inner, ast.Call) and isinstance(inner.func, ast.Attribute) and inner.func.attr in ASKED
        for inner in ast.walk(node)
    )


def _names_of_asked(node: ast.AST) -> Iterator[str]:
    """Names that an assignment gives to what a browser says."""
    if not isinstance(node, ast.Assign | ast.NamedExpr):
        return
    for aim in node.targets if isinstance(node, ast.Assign) else [node.target]:
        pairs = [(aim, node.value)]
        if isinstance(aim, ast.Tuple) and isinstance(node.value, ast.Tuple):
            pairs = list(zip(aim.elts, node.value.elts, strict=False))
        for name, value in pairs:
            if isinstance(name, ast.Name) and _is_asked(value):
                yield name.id


def faults(text: str) -> Iterator[str]:
    """Widgets with options that pass the door by, and look-ups by what a browser says."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in CHOICES:
            yield f"{node.attr} in line {node.lineno}"
    for function in [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.Lambda)]:
        asked = {name for node in ast.walk(function) for name in _names_of_asked(node)}
        for node in ast.walk(function):
            if isinstance(node, ast.Subscript) and (
                _is_asked(node.slice) or (isinstance(node.slice, ast.Name) and node.slice.id in asked)
            ):
                yield f"a look-up in line {node.lineno}"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_choices_go_through_the_door(path):
    if path != DOOR:
        assert sorted(set(faults(path.read_text(encoding="utf-8")))) == []


@pytest.mark.parametrize(
    "text",
    [
        "name = st.selectbox('Layer', layers)",
        "draw = column.radio",
        "def f():\n    return LAYERS[session.shown('layer')]",
        "def f():\n    name = session.picked('layer')\n    return LAYERS[name]",
        "def f():\n    name, _ = session.shown('layer'), 1\n    return LAYERS[name]",
        "def f():\n    return [LAYERS[name] for _ in '1' if (name := session.shown('layer'))]",
        "draw(on_click=lambda: take(presets[session.shown('preset')]))",
    ],
)
def test_a_choice_that_passes_the_door_by_is_seen(text):
    assert list(faults(text))


def test_what_is_asked_in_another_way_passes():
    assert not list(
        faults("def f():\n    name = OFFER.now()\n    return LAYERS[name], session.shown('x') / 100")
    )


# --------------------------------------------------------------------------- a browser that is behind


def kept_page(options, usual):
    import streamlit as st

    from explorer.ui.drawing.offers import Offer

    st.text(f"before: {Offer('key', options, usual).now()}")
    st.text(f"drawn: {Offer('key', options, usual).select('Choice')}")


@pytest.mark.parametrize("stale", ["all 5,000 samples", "", 3, None, ["a"]])
def test_what_is_offered_no_more_counts_as_not_chosen(stale):
    page = AppTest.from_function(kept_page, args=(["a", "b"], "b"))
    page.session_state["key"] = stale
    page.run()
    assert not page.exception and [text.value for text in page.text] == ["before: b", "drawn: b"]
    page.selectbox[0].select("a").run()
    assert [text.value for text in page.text] == ["before: a", "drawn: a"]


def test_options_may_change_below_the_widget():
    page = AppTest.from_function(kept_page, args=(["a", "b"], None)).run()
    page.selectbox[0].select("b").run()
    page.args = (["c", "d"], None)
    page.run()
    assert not page.exception and [text.value for text in page.text] == ["before: c", "drawn: c"]


def shown_page(options):
    import streamlit as st

    from explorer.ui import session
    from explorer.ui.drawing.offers import ShownOffer
    from explorer.ui.shared import settings

    settings.configure(settings.Settings(("digits-mlp",)))
    value = session.recalled("value", "a")
    offer = ShownOffer("key", options, value, lambda chosen: session.remember("value", chosen))
    if "stale" in st.session_state:
        name = next(name for name in st.session_state if str(name).startswith("key#"))
        st.session_state[name] = st.session_state.pop("stale")
        offer.changed()
    offer.select("Choice")
    st.text(str(session.recalled("value", "a")))


def test_a_value_of_the_session_is_only_changed_to_what_is_offered():
    page = AppTest.from_function(shown_page, args=({"a": "one", "b": "two"},)).run()
    page.selectbox[0].select("b").run()
    assert not page.exception and page.text[0].value == "b"
    page.session_state["stale"] = "all 5,000 samples"
    page.run()
    assert not page.exception and page.text[0].value == "b" and page.selectbox[0].value == "b"


def test_of_several_those_are_kept_that_are_offered(monkeypatch):
    from explorer.ui.drawing import offers

    monkeypatch.setattr(offers.session, "shown", lambda key, default=None: ["gone", "b"])
    assert ManyOffer("key", ["a", "b"]).now() == ["b"]
    monkeypatch.setattr(offers.session, "picked", lambda key: ["gone", "b"])
    monkeypatch.setattr(offers.session, "attempt", lambda take, *given: take(*given))
    taken: list = []
    ShownOffer("key", ["a", "b"], ["a"], taken.append).changed()
    assert taken == [["b"]]
    assert Offer("key", []).now() is None
