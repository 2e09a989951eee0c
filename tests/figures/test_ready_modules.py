"""A figure can be drawn while another thread imports pandas."""

import importlib.util
import sys

import pytest
from _plotly_utils import optional_imports

from explorer.figures.ready_modules import ReadyModules
from explorer.figures.style import figure


@pytest.fixture
def half_imported(monkeypatch):
    """A pandas whose body has not run yet."""
    spec = importlib.util.spec_from_loader("pandas", loader=None)
    spec._initializing = True
    monkeypatch.setitem(sys.modules, "pandas", importlib.util.module_from_spec(spec))


def drawn():
    figure("title", "x", "y").update_layout(margin={"l": 1}).update_xaxes(range=[0, 1])
    return figure("title", "x", "y").add_bar(x=[1, 2], y=[1.0, 2.0])


def test_a_figure_is_drawn_while_pandas_is_imported(half_imported):
    assert list(drawn().data[0].x) == [1, 2]


def test_negative_control_plotly_itself_reads_what_is_not_there_yet(half_imported, monkeypatch):
    monkeypatch.setattr(optional_imports, "sys", sys)
    with pytest.raises(AttributeError, match="pandas"):
        drawn()


def test_modules_that_are_ready_are_found():
    assert ReadyModules().get("sys") is sys
    assert ReadyModules().get("no_such_module") is None
