"""Shows channels that can be removed without a loss: those that are never active, and duplicates."""

from collections.abc import Hashable

import streamlit as st

from ...background.lane import Lane
from ...graph.export import ModelGraph
from ...inspection.channel_findings import Idle, Twins, idle, twins, unit_weights
from ...inspection.distributions import GroupImportance
from ...values.profile import Group
from ...values.subject import Subject
from .. import session
from ..drawing import layout
from ..live.regions import hurry, watched
from . import importance

LANE, ASKED = Lane("idle channels"), "idle channels asked for"
ALIKE = 0.95
KEPT = 16
PAIRS_SHOWN = 12


def draw(group: Group, importance: GroupImportance) -> None:
    """Draw what was found in this group and in the model."""
    with st.container(key="below"):
        silent, double = st.columns(2, gap="large")
    with silent:
        st.markdown("**Never active**")
        st.button(
            "Look for idle channels",
            "look for idle",
            on_click=_begin,
            icon=":material/search:",
            help="Training samples run through the dense model; a channel that is zero at every position of "
            "each of them can be removed without a loss on such data.",
        )
        watched("idle channels", lambda: _draw_idle(group), LANE, progress=True)
    with double:
        st.markdown("**Nearly equal**")
        _draw_twins(group, importance)


# --------------------------------------------------------------------------- never active


def _key() -> Hashable:
    return (session.subject().id, "idle", session.conditions().device)


def _begin() -> None:
    model, device = session.model(), session.conditions().device
    session.remember(ASKED, _key())
    session.resume(LANE)
    session.job(LANE, _key(), lambda: idle(model, device))
    hurry()


def _draw_idle(group: Group) -> None:
    state = session.lane_state(LANE)
    if session.recalled(ASKED) != _key():
        return
    if state.busy and not (state.key == _key() and isinstance(state.value, Idle)):
        done, total = (state.progress.done, state.progress.total) if state.progress else (0, 1)
        layout.draw_share(done / max(1, total), f"Training samples: {done:,} of {total:,}")
    elif state.key == _key() and state.error:
        layout.draw_notice(state.error)
    elif state.key == _key() and isinstance(state.value, Idle):
        _draw_found(group, state.value)


def _draw_found(group: Group, idle: Idle) -> None:
    here, everywhere = idle.units.get(group.name, ()), sum(map(len, idle.units.values()))
    told = (
        f"On the first {idle.samples:,} training samples, never active in {group.name}: "
        f"{importance.listed(here)}."
    )
    st.caption(layout.plain(f"{told} In the whole model: {everywhere:,}."))
    if everywhere and st.button(f"Remove all {everywhere:,} by hand", "remove idle"):
        session.attempt(_remove, idle)
        st.rerun()  # the whole page, of which this region is a part


def _remove(found: Idle) -> None:
    recipe = session.recipe()
    for group, units in found.units.items():
        recipe = importance.by_hand(recipe, group, set(units) - set(recipe.keep.get(group, ())), "remove")
    session.set_recipe(recipe, "remove channels that are never active")


# --------------------------------------------------------------------------- made twice


@st.cache_data(max_entries=KEPT, show_spinner=False)
def _twins(
    subject: str, group: str, threshold: float, _subject: Subject, _graph: ModelGraph
) -> tuple[Twins, ...]:
    profile = _graph.profile
    return twins(unit_weights(_subject, profile, profile.free_groups[group]), threshold)


def _draw_twins(group: Group, scores: GroupImportance) -> None:
    threshold = st.slider(
        "Cosine similarity of the weights at least",
        0.5,
        1.0,
        ALIKE,
        0.01,
        key="alike",
        help="1 means the same direction: one channel is a multiple of the other.",
    )
    pairs = _twins(session.subject().id, group.name, threshold, session.subject(), session.graph())
    if not pairs:
        st.caption(f"No two {group.unit}s of this group have such similar weights.")
        return
    shown = "; ".join(
        f"{pair.first} and {pair.second} ({pair.similarity:.2f})" for pair in pairs[:PAIRS_SHOWN]
    )
    st.caption(f"{len(pairs):,} pairs: {shown}" + (" ..." if len(pairs) > PAIRS_SHOWN else ""))
    weaker = _weaker(pairs, scores)
    st.button(
        f"Remove the less important of each pair ({len(weaker):,})",
        "remove twins",
        on_click=session.attempt,
        args=(importance.decide, group.name, weaker, "remove"),
    )


def _weaker(pairs: tuple[Twins, ...], found: GroupImportance) -> tuple[int, ...]:
    """Return the less important unit of each pair, as long as its twin is kept."""
    rank = {unit: place for place, unit in enumerate(found.units)}
    gone: set[int] = set()
    for pair in pairs:
        strong, weak = sorted((pair.first, pair.second), key=rank.__getitem__)
        if strong not in gone:
            gone.add(weak)
    return tuple(sorted(gone))
