"""The signature of a plug-in is its form; unknown names list what there is."""

from pathlib import Path
from typing import Literal

import pytest

from explorer.errors import RecipeError, UnknownNameError
from explorer.registry import ALLOCATORS, CRITERIA, DATA, EXPORTERS, LOADERS, SAMPLES, Param, Registry

REGISTRIES = {
    "criteria": CRITERIA,
    "allocators": ALLOCATORS,
    "loaders": LOADERS,
    "data": DATA,
    "exporters": EXPORTERS,
    "samples": SAMPLES,
}


@pytest.fixture
def registry() -> Registry:
    gadgets = Registry("gadget", "explorer.allocators")
    gadgets._loaded = True  # nothing but what the test registers

    @gadgets.register("second", rank=2, colour="red")
    def second(
        given: int,
        *,
        order: Literal[1, 2] = 1,
        share: float = 0.5,
        times: int = 3,
        on: bool = False,
        word: str | None = None,
    ) -> tuple:
        """Says what it was given.

        And more.
        """
        return given, order, share

    @gadgets.register("first", rank=1)
    def first() -> None:
        """Nothing."""

    return gadgets


def test_the_signature_is_the_form(registry):
    assert registry["second"].params == {
        "order": Param("order", int, 1, (1, 2)),
        "share": Param("share", float, 0.5),
        "times": Param("times", int, 3),
        "on": Param("on", bool, False),
        "word": Param("word", str, None),
    }
    assert registry["first"].params == {}


def test_a_plugin_is_called_and_speaks_for_itself(registry):
    plugin = registry["second"]
    assert plugin(7, order=2) == (7, 2, 0.5)
    assert plugin.tooltip == "Says what it was given." and plugin.traits["colour"] == "red"


def test_iteration_follows_the_rank(registry):
    assert (
        list(registry) == ["first", "second"]
        and len(registry) == 2
        and "first" in registry
        and "third" not in registry
    )


def test_unknown_names_list_what_exists(registry):
    with pytest.raises(UnknownNameError, match=r"No gadget named 'third'\. Available: first, second\."):
        registry["third"]
    with pytest.raises(
        UnknownNameError, match=r"No parameter of 'second' named 'ordre'\. Available: order, share"
    ):
        registry["second"].check({"ordre": 1})


@pytest.mark.parametrize(
    "params", [{}, {"order": 2}, {"share": 1}, {"share": 0.1, "times": 4}, {"on": True}, {"word": "x"}]
)
def test_allowed_parameters_pass(registry, params):
    assert registry["second"].check(params) == params


REFUSED = [
    {"order": 3},
    {"order": "1"},
    {"share": "0.5"},
    {"share": True},
    {"times": 1.5},
    {"times": True},
    {"on": 1},
    {"word": 3},
]


@pytest.mark.parametrize("params", REFUSED)
def test_other_parameters_are_refused_in_one_sentence(registry, params):
    with pytest.raises(RecipeError) as caught:
        registry["second"].check(params)
    name = next(iter(params))
    assert name in str(caught.value) and "\n" not in str(caught.value) and "must be" in str(caught.value)


@pytest.mark.parametrize("family", REGISTRIES)
def test_every_plugin_says_in_one_line_what_it_is(family):
    assert REGISTRIES[family]
    for plugin in REGISTRIES[family].values():
        assert plugin.tooltip.endswith((".", ":")) or "(" in plugin.tooltip, plugin.name
        assert 10 < len(plugin.tooltip) < 200
        assert (
            plugin.check({p.name: p.default for p in plugin.params.values() if p.default is not None})
            is not None
        )


def test_a_folder_of_files_is_a_family(tmp_path: Path):
    (tmp_path / "gadget.py").write_text('FAMILY = []\ndef one():\n    """One."""\n')
    (tmp_path / "_private.py").write_text("raise RuntimeError")
    made = Registry("gadget", "gadgets_of_a_test", lambda: tmp_path)
    assert list(made) == []
