"""What to remove and by which rule: mode, criterion, pattern, options, undo, presets, allocator."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import streamlit as st

from ...errors import ExplorerError
from ...planning.allocate import reach
from ...planning.allocation import Allocation
from ...pruning.checks import rates_weights
from ...registry import ALLOCATORS, CRITERIA
from ...values.choice import Choice
from ...values.granularity import PLURALS, WEIGHT
from ...values.recipe import AFTER, REDUCTIONS
from .. import session
from ..drawing import layout, widgets
from ..drawing.undo import draw_undo
from ..kept_runs import keeping
from ..session.modes import MODES, Mode, in_mode
from . import (
    accuracy_budget,
    block_switches,
    joint_plan,
    latency_plan,
    sensitivity_scan,
    snapshots,
    starting_points,
    take_away,
)
from .console.strips import with_pattern
from .presets import Allotment, available, fill

PATTERNS = ("free", "2:4", "1:4", "4:8")
MULTIPLES = (1, 2, 4, 8, 16, 32)
POPOVER_WIDTH = 320  # pixels
USUAL_TARGET, LARGEST_TARGET = 50, 95  # per cent
MODE_NAMES: dict[Mode, str] = {"Structured": "Channels", "Unstructured": "Weights", "Combined": "Both"}
HELP = {
    "mode": "Channels (structured): whole channels are removed, and the model becomes smaller. Weights "
    "(unstructured): single weights become zero. Both: channels first, then weights of what is left. *Help* "
    "shows each as a picture.",
    "pattern": "free: any weights. n:m: the n largest of each m consecutive inputs are kept, which special "
    "hardware can use; the faders become switches.",
    "reduction": "sum: all layers that make the channel. first: the first of them only. all: also the layers "
    "that read it.",
    "round_to": "Hardware often likes multiples of 8 or 16; small layers may not match every ratio.",
    "after": "bn_recalibration measures the statistics of batch norms again on training images: cheap, and "
    "often enough. bias_correction moves biases until each channel's mean is the dense model's again, even "
    "without batch norms. least_squares gives every layer that lost inputs the weights that best "
    "restore the dense layer's outputs: the strongest of the three, without any training.",
    "presets": "Recipes to begin with. Undo takes one back.",
    "allocator": "Let an allocator choose all ratios from one overall target.",
    "joint target": "Of the whole model's cost, this much is saved.",
    "target": "Of all units that are shown and not locked, this much is removed.",
}


def draw_toolbar() -> None:
    """What is done with the recipe as a whole: undo, presets, ratios for all, snapshots; then keep and take
    away.
    """
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="toolbar"):
        draw_undo()
        _presets()
        _allocator()
        snapshots.draw()
        keeping.draw_keep()
        take_away.draw()


def draw_rules() -> None:
    """The row above the faders: what is removed, and by which rule."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="rules"):
        _mode()
        _criterion()
        _pattern()
        block_switches.draw()
        _options()
    if session.profile().error:
        st.caption(f"Weights only: {session.profile().error}")


def _put(field: str, words: str) -> Callable[[Any], None]:
    """Return the callback of a widget for one field of the recipe."""
    return lambda value: session.set_recipe(replace(session.recipe(), **{field: value}), f"{words} {value}")


def _mode() -> None:
    def take(mode: Mode) -> None:
        recipe = in_mode(session.recipe(), mode)
        if recipe.criterion.name not in _criteria(mode):
            recipe = replace(recipe, criterion=Choice("l1"))
        session.set_recipe(recipe, mode.lower())
        session.set_mode(mode)

    modes: list[Mode] = list(MODES) if session.profile().free_groups else ["Unstructured"]
    shown = {mode: MODE_NAMES[mode] for mode in modes}
    widgets.switch("What is removed", shown, session.mode(), take, key="mode", help=HELP["mode"])


def _criteria(mode: Mode) -> list[str]:
    """Return the criteria that can rate what the mode removes."""
    return [name for name, plugin in CRITERIA.items() if WEIGHT not in MODES[mode] or rates_weights(plugin)]


def _criterion() -> None:
    now = session.recipe().criterion.name
    names = _criteria(session.mode())

    def take(name):
        return session.set_recipe(replace(session.recipe(), criterion=Choice(name)), f"criterion {name}")

    with st.container(width=150):
        widgets.choose_plugin(
            "Criterion", CRITERIA, names if now in names else [*names, now], now, take, key="criterion"
        )


def _pattern() -> None:
    if WEIGHT not in MODES[session.mode()]:
        return
    now = session.recipe().pattern

    def take(pattern):
        return session.set_recipe(
            with_pattern(session.recipe(), session.profile(), pattern), f"pattern {pattern}"
        )

    with st.container(width=90):
        widgets.choose(
            "Pattern", list(dict.fromkeys([*PATTERNS, now])), now, take, key="pattern", help=HELP["pattern"]
        )


def _options() -> None:
    recipe = session.recipe()
    plugin = CRITERIA[recipe.criterion.name]

    def tune(params: dict[str, Any]) -> None:
        session.set_recipe(
            replace(session.recipe(), criterion=Choice(plugin.name, params)), f"options of {plugin.name}"
        )

    with (
        st.popover("More options", icon=":material/tune:", key="options menu", help="More options"),
        st.container(width=POPOVER_WIDTH),
    ):
        st.caption(f"**{layout.plain(plugin.name)}**: {layout.plain(widgets.described(plugin))}")
        widgets.plugin_form(plugin, recipe.criterion.params, tune, key=f"criterion {plugin.name}")
        choose, multiples = widgets.choose, sorted({*MULTIPLES, recipe.round_to})
        choose(
            "A channel is rated by",
            list(REDUCTIONS),
            recipe.reduction,
            _put("reduction", "rated by"),
            key="reduction",
            help=HELP["reduction"],
        )
        choose(
            "Channels in multiples of",
            multiples,
            recipe.round_to,
            _put("round_to", "multiples of"),
            key="round_to",
            help=HELP["round_to"],
        )
        choose(
            "Repair after the cut",
            list(AFTER),
            recipe.after,
            _put("after", "repair:"),
            key="after",
            help=HELP["after"],
        )
        widgets.whole_number("Random seed", (0, 2**31 - 1), recipe.seed, _put("seed", "seed"), key="seed")


def _presets() -> None:
    presets = {preset.name: preset for preset in available(session.model())}

    def take_named(name: object) -> None:
        if isinstance(name, str) and (preset := presets.get(name)) is not None:
            session.attempt(starting_points.take, preset)

    st.menu_button(
        "Presets",
        list(presets),
        key="preset",
        help=HELP["presets"],
        icon=":material/bolt:",
        on_click=lambda: take_named(session.shown("preset")),
    )


def _allocator() -> None:
    with (
        st.popover("Set all ratios", icon=":material/equalizer:", key="ratios menu", help=HELP["allocator"]),
        st.container(width=POPOVER_WIDTH),
    ):
        joint_plan.draw_way()
        if joint_plan.is_chosen():
            joint_plan.draw_choices()
            joint_plan.draw(_target("joint target", HELP["joint target"]) / 100)
        else:
            _one_allocator()
        accuracy_budget.draw()


def _one_allocator() -> None:
    def take() -> None:
        name, per_cent, device = (
            accuracy_budget.ALLOCATOR.now(),
            session.shown("target", USUAL_TARGET),
            session.conditions().device,
        )
        how = Allotment(
            name,
            per_cent / 100,
            widgets.filled_in(ALLOCATORS[name], key=name),
            sensitivity_scan.losses(),
            device,
        )
        found = fill(session.model(), session.recipe(), session.mode(), how, session.locks())
        session.set_recipe(found, f"{name} at {per_cent} %")

    name = accuracy_budget.ALLOCATOR.select("Allocator")
    st.caption(layout.plain(widgets.described(ALLOCATORS[name])))
    widgets.free_form(ALLOCATORS[name], key=name)
    st.caption(layout.plain(_reach(name)))
    target = _target("target", HELP["target"])
    params = widgets.filled_in(ALLOCATORS[name], key=name)
    if latency_plan.is_wanted(params):
        latency_plan.draw(name, params, target / 100)
        return
    st.button(
        "Apply",
        "apply",
        "Locked faders stay where they are.",
        lambda: session.attempt(take),
        type="primary",
    )


def _target(key: str, help: str) -> int:
    return st.slider("Overall target", 0, LARGEST_TARGET, USUAL_TARGET, 1, format="%d %%", key=key, help=help)


def _reach(name: str) -> str:
    """Draw which targets can be reached with the currently locked faders, before one is chosen."""
    params = widgets.filled_in(ALLOCATORS[name], key=name)
    ends = []
    for bank in MODES[session.mode()]:
        locked = frozenset(part for other, part in session.locks() if other == bank)
        wish = Allocation(
            Choice(name, params),
            granularity=bank,
            locked=locked,
            losses=sensitivity_scan.losses().get(bank),
        )
        try:
            low, high = reach(session.model(), session.recipe(), wish)
        except ExplorerError as error:
            return str(error)
        ends.append(f"{PLURALS[bank]} {100 * low:.3g} to {100 * high:.4g} %")
    return f"Reachable targets: {', '.join(ends)}."
