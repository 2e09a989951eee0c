"""Presets taken by the session, and three of them to begin with on any page."""

from dataclasses import replace

import streamlit as st

from .. import session
from .presets import StartingPoint, available, best_repair, follow

TO_BEGIN = {
    "gentle": ("Gentle cut, repaired", ":material/bolt:"),
    "sparse": ("Half of the weights", ":material/grain:"),
    "half": ("Half of the channels", ":material/view_column:"),
}


def take(preset: StartingPoint) -> None:
    """Make a preset the recipe.

    Raises:
        ExplorerError: the criterion can't rate what the preset removes.
    """
    device = session.conditions().device
    found = follow(session.model(), session.recipe(), preset, session.locks(), device)
    session.set_recipe(found, preset.name)
    if preset.targets:
        session.set_mode(preset.mode)


def begin_with(key: str) -> None:
    """Take the preset of this key; where channels can't be removed, the sparse one.

    Raises:
        ExplorerError: the criterion can't rate what the preset removes.
    """
    offered = {preset.key: preset for preset in available(session.model())}
    take(offered.get(key) or offered["sparse"])


def draw(words: str, *, border: bool = True) -> None:
    """Three recipes to begin with, while the recipe is empty; one click takes one."""
    offered = {preset.key: preset for preset in available(session.model())}
    with st.container(border=border, key="starters"):
        st.markdown(words)
        with st.container(horizontal=True, gap="small"):
            for key in filter(offered.get, TO_BEGIN):
                label, icon = TO_BEGIN[key]
                st.button(
                    label,
                    f"begin {key}",
                    offered[key].tooltip,
                    lambda key=key: session.attempt(begin_with, key),
                    icon=icon,
                )


def repair() -> None:
    """Repair the cut without training, by the best that there is."""
    after = best_repair(session.subject())
    session.set_recipe(replace(session.recipe(), after=after), f"repair: {after.replace('_', ' ')}")
