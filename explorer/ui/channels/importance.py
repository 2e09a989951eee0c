"""Shows how important each channel is; channels are pinned or removed by hand here."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import streamlit as st

from ...errors import ExplorerError
from ...figures.channel_importance import channel_importance as importance_figure
from ...inspection.distributions import GroupImportance, channel_importance
from ...pruning.decision import masks_for, scores_for
from ...values.profile import Group
from ...values.recipe import Recipe
from ...words import GLOSSARY, LABELS
from .. import session
from ..drawing import layout, undo
from ..drawing.offers import ManyOffer, Offer
from ..session.selection import KEPT, Key, Selection, selection

DECISIONS = {
    "keep": ("Keep always", ":material/push_pin:", "They stay whatever their importance."),
    "remove": (
        "Remove always",
        ":material/delete:",
        "They are removed whatever their importance, even at ratio 0.",
    ),
    "free": ("Let the criterion decide", ":material/balance:", "They are ranked like all others again."),
}


@st.cache_data(max_entries=KEPT, show_spinner="Rating the channels ...")
def _importances(key: Key, _shown: Selection) -> dict[str, GroupImportance]:
    """Return the units of each group, rated by the recipe's criterion."""
    scores, masks = scores_for(_shown.model, _shown.recipe), masks_for(_shown.model, _shown.recipe)
    rated = channel_importance(scores.channels, masks.channels)
    return {importance.group: importance for importance in rated}


def choose_group() -> Group | None:
    """Return the group that the page is about, or None if the model has none."""
    profile = session.profile()
    if not profile.free_groups:
        why = f": {profile.error}" if profile.error else "."
        st.info(layout.plain(f"This model has no channels that can be pruned{why}"), icon=":material/info:")
        return None
    name = Offer("explore_group", profile.free_groups.keys()).select(
        LABELS["group"], help=GLOSSARY["coupled group"]
    )
    return profile.free_groups[name]


def importance(group: Group) -> GroupImportance | None:
    """Return the units of a group, most important first; None, with a notice, if the criterion cannot rate
    them.
    """
    try:
        shown = selection()
        return _importances(shown.key, shown)[group.name]
    except (
        ExplorerError
    ) as error:  # a criterion that needs data, or gradients, which this model does not have
        layout.draw_notice(str(error))
        return None


def draw_importance(group: Group, importance: GroupImportance) -> None:
    """Draw sorted bars with the cut of the recipe; a click or a box selects channels."""
    recipe = session.recipe()
    hand = {*recipe.keep.get(group.name, ()), *recipe.remove.get(group.name, ())}
    st.caption(
        f"One bar is one {group.unit} of this group, the most important first. Click a bar (with Shift: more "
        "of them), or "
        "take *Box Select* at the figure's corner and drag over some, to keep or remove them by hand."
    )
    event = st.plotly_chart(
        importance_figure(importance, recipe.criterion.name, group.unit, hand),
        width="stretch",
        key=f"importance {group.name}",
        on_select="rerun",
        selection_mode=("points", "box"),
    )
    if group.tied_by:
        st.caption(layout.plain(f"Why they go together: {'; '.join(group.tied_by)}."))
    layout.draw_touched(group.members)
    _draw_hand(group, importance, clicked(event))


def clicked(event: Any) -> tuple[int, ...]:
    """Return the units of the bars that were selected in the figure.

    >>> clicked({"selection": {"points": [{"customdata": [3]}, {"customdata": 1}, {}]}})
    (1, 3)
    """
    points = event["selection"]["points"] if event and "selection" in event else []
    given = [point["customdata"] for point in points if "customdata" in point]
    return tuple(sorted({int(unit[0] if isinstance(unit, list | tuple) else unit) for unit in given}))


def _draw_hand(group: Group, importance: GroupImportance, picked: tuple[int, ...]) -> None:
    """Draw the buttons that pin or remove the selected channels; each step can be undone."""
    st.markdown("**By hand**")
    recipe = session.recipe()
    named = ManyOffer(f"chosen {group.name}", sorted(importance.units)).select(
        f"Chosen {group.unit}s", placeholder="or choose numbers here"
    )
    chosen = tuple(sorted({*picked, *named}))
    with st.container(horizontal=True):
        for name, (label, icon, help) in DECISIONS.items():
            st.button(
                label,
                f"{name} channels",
                help,
                session.attempt,
                (decide, group.name, chosen, name),
                icon=icon,
                disabled=not chosen,
            )
        undo.draw_undo()
    also = f"Chosen in the figure: {listed(picked)}. " if picked else ""
    kept, removed = recipe.keep.get(group.name, ()), recipe.remove.get(group.name, ())
    cut = (
        " The dashed line is where the cut would be without them."
        if (kept or removed) and not all(importance.kept)
        else ""
    )
    st.caption(f"{also}Kept by hand: {listed(kept)}. Removed by hand: {listed(removed)}.{cut}")


def listed(units: Iterable[int]) -> str:
    """Return numbers as text.

    >>> listed([]), listed([1, 2]), listed(range(30))
    ('none', '1, 2', '0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 and 18 more')
    """
    numbers = list(units)
    shown = ", ".join(map(str, numbers[:12]))
    return (f"{shown} and {len(numbers) - 12} more" if len(numbers) > 12 else shown) or "none"


def by_hand(recipe: Recipe, group: str, units: Iterable[int], decision: str) -> Recipe:
    """Return the recipe with units kept, removed, or left to the criterion ("keep", "remove", "free").

    >>> by_hand(Recipe(keep={"conv1": (0, 1)}), "conv1", [1, 2], "remove").to_json()["keep"]
    {'conv1': [0]}
    """
    chosen = set(units)
    keep, remove = (set(hand.get(group, ())) - chosen for hand in (recipe.keep, recipe.remove))
    keep |= chosen if decision == "keep" else set()
    remove |= chosen if decision == "remove" else set()
    return replace(
        recipe, keep={**recipe.keep, group: tuple(keep)}, remove={**recipe.remove, group: tuple(remove)}
    )


def decide(group: str, units: tuple[int, ...], decision: str) -> None:
    """Change the recipe by hand."""
    words = {"keep": "keep", "remove": "remove", "free": "free"}[decision]
    session.set_recipe(
        by_hand(session.recipe(), group, units, decision), f"{words} {len(units)} of {group} by hand"
    )
