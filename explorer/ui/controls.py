"""What to remove and by which rule: mode, criterion, allocator, pattern, presets, undo."""

import json
from dataclasses import replace

import streamlit as st

from ..errors import RecipeError
from ..registry import ALLOCATORS, CRITERIA
from ..values import AFTER, REDUCTIONS, Choice, Recipe
from . import session, widgets
from .console.strips import MODES, Mode, in_mode, with_pattern
from .presets import available, fill, follow

PATTERNS = ("free", "2:4", "1:4", "4:8")
RECIPE_LIMIT = 1_000_000  # bytes


def draw() -> None:
    """The two rows above the console."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        _mode()
        _criterion()
        _pattern()
        _options()
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        _undo()
        _presets()
        _allocator()
        _files()


def _mode() -> None:
    def take(mode: Mode) -> None:
        session.set_mode(mode)
        session.set_recipe(_rateable(in_mode(session.recipe(), mode)), f"{mode.lower()} only" if mode != "Combined" else "combined")

    modes = list(MODES) if session.profile().free_groups else ["Unstructured"]
    widgets.switch("What is removed", modes, session.mode(), take, key="mode", help=(
        "Structured: whole channels, the model becomes smaller. Unstructured: single weights become zero. Combined: channels first, "
        "then weights of what is left."))  # fmt: skip


def _rateable(recipe: Recipe) -> Recipe:
    """With a criterion that can rate weights, if weights are shown and the present one can't."""
    weights = "weights" in MODES[session.mode()]
    return replace(recipe, criterion=Choice("l1")) if weights and recipe.criterion.name not in _criteria() else recipe


def _criteria() -> list[str]:
    weights = "weights" in MODES[session.mode()]
    return [name for name, plugin in CRITERIA.items() if not weights or plugin.traits.get("level") == "weight"]


def _criterion() -> None:
    recipe = session.recipe()
    names = _criteria()

    def take(name: str) -> None:
        session.set_recipe(replace(session.recipe(), criterion=Choice(name)), f"criterion {name}")

    with st.container(width=210):
        shown = names if recipe.criterion.name in names else [*names, recipe.criterion.name]
        widgets.choose_plugin("Criterion", CRITERIA, shown, recipe.criterion.name, take, key="criterion")


def _pattern() -> None:
    if "weights" not in MODES[session.mode()]:
        return
    now = session.recipe().pattern

    def take(pattern: str) -> None:
        session.set_recipe(with_pattern(session.recipe(), session.profile(), pattern), f"pattern {pattern}")

    with st.container(width=120):
        widgets.choose("Pattern", [*PATTERNS, *([] if now in PATTERNS else [now])], now, take, key="pattern", help=(
            "free: any weights. n:m: the n largest of each m consecutive inputs stay, which special hardware can use; faders become switches."))  # fmt: skip


def _options() -> None:
    recipe = session.recipe()

    def put(field: str, words: str):
        return lambda value: session.set_recipe(replace(session.recipe(), **{field: value}), f"{words} {value}")

    with st.popover("More options", icon=":material/tune:"):
        plugin = CRITERIA[recipe.criterion.name]
        widgets.plugin_form(plugin, recipe.criterion.params, lambda params: session.set_recipe(
            replace(session.recipe(), criterion=Choice(plugin.name, params)), f"options of {plugin.name}"), key=f"criterion {plugin.name}")  # fmt: skip
        widgets.choose("A channel is rated by", list(REDUCTIONS), recipe.reduction, put("reduction", "rated by"), key="reduction", help=(
            "sum: all layers that make it. first: the first of them only. all: also the layers that read it."))  # fmt: skip
        widgets.choose("Channel counts are multiples of", sorted({1, 2, 4, 8, 16, 32, recipe.round_to}), recipe.round_to,
                       put("round_to", "multiples of"), key="round_to", help="Hardware often likes 8 or 16; small layers then can't follow every wish.")  # fmt: skip
        widgets.choose("Repair after the cut", list(AFTER), recipe.after, put("after", "repair:"), key="after", help=(
            "bn_recalibration measures the statistics of batch norms again on training images: cheap, often most of the way back."))  # fmt: skip
        key = session.show("seed", recipe.seed)
        st.number_input("Seed of everything random", 0, 2**31 - 1, key=key,
                        on_change=lambda: session.attempt(put("seed", "seed"), session.shown(key)))  # fmt: skip


def _undo() -> None:
    line = session.history()
    back = f"Undo: {line.present.why}" if line.past else "Nothing to undo"
    again = f"Redo: {line.future[0].why}" if line.future else "Nothing to redo"
    st.button("Undo", icon=":material/undo:", help=back, disabled=not line.past, on_click=session.undo, shortcut="Ctrl+Z", key="undo")
    st.button("Redo", icon=":material/redo:", help=again, disabled=not line.future, on_click=session.redo, shortcut="Ctrl+Y", key="redo")
    st.button("Reset", icon=":material/restart_alt:", help="Every fader to 0 %, every option to its default; can be undone.",
              disabled=session.recipe() == Recipe(), on_click=session.set_recipe, args=(Recipe(), "reset"), key="reset")  # fmt: skip


def _presets() -> None:
    presets = {preset.name: preset for preset in available(session.graph())}

    def take() -> None:
        preset = presets[session.shown("preset")]
        found = follow(session.subject(), session.graph(), session.recipe(), preset, session.locks())
        session.set_mode(preset.mode if preset.targets else session.mode())
        session.set_recipe(found, preset.name)

    st.menu_button("Presets", list(presets), key="preset", on_click=lambda: session.attempt(take), icon=":material/bolt:",
                   help="\n\n".join(f"**{preset.name}**: {preset.tooltip}" for preset in presets.values()))  # fmt: skip


def _allocator() -> None:
    def take() -> None:
        name, target, mode = session.shown("allocator"), session.shown("target") / 100, session.mode()
        found = fill(session.subject(), session.graph(), session.recipe(), mode, name, target, session.locks())
        session.set_recipe(found, f"{name} at {target * 100:.0f} %")

    with st.popover("Set all", icon=":material/equalizer:", help="Let an allocator choose all ratios from one overall target."):
        name = st.selectbox("Allocator", list(ALLOCATORS), key="allocator")
        st.caption(widgets.described(ALLOCATORS[name]))
        st.slider("Overall target: this much of what is shown goes", 0, 95, 50, 1, format="%d %%", key="target")
        st.button("Apply", type="primary", on_click=lambda: session.attempt(take), key="apply", help="Locked faders stay where they are.")


def _files() -> None:
    with st.popover("Recipe file", icon=":material/description:", help="Take the recipe with you, or bring one."):
        text = json.dumps(session.recipe().to_json(), indent=2)
        st.download_button("Save recipe (JSON)", text, "recipe.json", "application/json", on_click="ignore", icon=":material/download:")
        st.caption("The address of this page holds the recipe too: copy it to share.")
        st.file_uploader("Open a recipe (JSON)", ["json"], key="recipe_file", on_change=lambda: session.attempt(_open))


def _open() -> None:
    given = session.shown("recipe_file")
    if given is None:
        return
    if given.size > RECIPE_LIMIT:
        raise RecipeError(f"A recipe file is at most {RECIPE_LIMIT:,} bytes, this one has {given.size:,}.")
    try:
        data = json.loads(given.getvalue())
    except (ValueError, RecursionError) as error:
        raise RecipeError("This file is not JSON; choose one that was saved here.") from error
    # a saved Report holds its recipe
    session.set_recipe(Recipe.from_json(data["recipe"] if isinstance(data, dict) and "recipe" in data else data), "recipe from a file")
