"""Latency against the channels of one group on this device: started on request, kept for the faders."""

from collections.abc import Hashable
from dataclasses import replace

import streamlit as st

from ...background.jobs import JobState
from ...background.lane import Lane
from ...figures.latency_staircase import latency_staircase
from ...studies.latency_staircase import Staircase, nearest_fast
from ...studies.sparse_kernels import why_not
from ...values.granularity import CHANNEL
from ...words import GLOSSARY, LABELS
from .. import session
from ..drawing import layout
from ..drawing.offers import Offer
from ..live import regions
from ..live.asked_job import AskedJob
from ..shared import settings
from .console.model import Edit

LANE = Lane("staircase")
FOUND, GROUP = "staircases found", "staircase_group"
SNAPS = "snap_to_fast"
SNAPS_HELP = (
    "A fader that you release moves to the closest width that is worth it on this device: the widest of its "
    "step. Only groups whose staircase was measured snap, since the steps differ from machine to machine; "
    "all others stay where you put them."
)
KEPT = 24  # number of staircases, the last ones
ROUNDS_DRAWN = 6  # after this many rounds the figure is drawn again
HELP = (
    "Builds the model at several widths of this group and times them in turns with the dense model, on this "
    "device. Kernels work in blocks of channels, so latency falls in steps: between two steps, channels are "
    "lost for no time at all."
)


def _key(group: str) -> Hashable:
    return (session.subject().id, group, session.conditions().device)


def staircase(group: str) -> Staircase | None:
    """Return what was measured for a group in this session."""
    return session.recalled(FOUND, {}).get(_key(group))


def fast_ratios(group: str) -> tuple[float, ...]:
    """Return the ratios on fast edges of a group, for a fader that snaps; () until it was measured."""
    known = staircase(group)
    return known.fast_ratios if known else ()


def measured() -> tuple[str, ...]:
    """Return the groups whose faders can snap."""
    return tuple(group for group in session.profile().free_groups if fast_ratios(group))


def snapped(edit: Edit) -> Edit:
    """Return the edit with its channels at fast widths, if the user has turned that on and the group's
    staircase is known.
    """
    asked = edit.ratios.get(CHANNEL, {})
    if not asked or not session.shown(SNAPS):
        return edit
    fast = {group: nearest_fast(ratio, fast_ratios(group)) for group, ratio in asked.items()}
    return replace(edit, ratios={**edit.ratios, CHANNEL: fast})


def _group() -> str:
    return _groups().now()


def _groups() -> Offer:
    return Offer(GROUP, session.profile().free_groups.keys())


def _job(group: str) -> AskedJob:
    return AskedJob(LANE, _key(group))


def _run(group: str) -> JobState:
    """Start or continue the measurement, and keep its results."""
    model, device, key = session.model(), session.conditions().device, _key(group)
    state = _job(group).state(lambda: settings.current().studies.staircase(model, group, device=device))
    if state.key == key and state.value is not None:
        others = {known: value for known, value in session.recalled(FOUND, {}).items() if known != key}
        session.remember(FOUND, dict([*others.items(), (key, state.value)][-KEPT:]))
    return state


def _snap(group: str) -> None:
    recipe = session.recipe()
    ratio = nearest_fast(recipe.channels.get(group, 0.0), fast_ratios(group))
    session.attempt(session.set_recipe, recipe.with_channels(group, ratio), f"{group} to its fast width")
    st.rerun()


# --------------------------------------------------------------------------- drawing


def draw() -> None:
    """Draw a group, a button, and the staircase, which grows while it is measured."""
    if not session.profile().free_groups:
        st.caption("This model has no channels that can be removed, and zeros alone do not make it faster.")
        return
    st.toggle("Faders snap to fast widths", key=SNAPS, help=SNAPS_HELP, on_change=regions.refresh)
    regions.watched("staircase", _draw_found, LANE, facet=_facet)
    regions.watched("staircase status", _draw_status, LANE, progress=True)


def _facet() -> Hashable:
    """Return the figure in a few steps: drawing it costs more than a round."""
    group = _group()
    known = staircase(group)
    busy = _job(group).asked and session.lane_state(LANE).busy
    drawn = known and known.rounds // ROUNDS_DRAWN
    return (
        group,
        busy,
        drawn,
        session.recipe().channels.get(group),
        session.recipe().pattern,
        session.shown(SNAPS),
        measured(),
    )


def _draw_snapping() -> None:
    """Draw which faders snap."""
    if session.shown(SNAPS):
        names = ", ".join(measured())
        st.caption(
            layout.plain(
                f"Snapping: {names}." if names else "No fader snaps yet: measure a group's staircase first."
            )
        )


def _draw_found() -> None:
    _draw_snapping()
    group = _group()
    state = _run(group) if _job(group).asked else None
    with st.container(horizontal=True, vertical_alignment="bottom"):
        _groups().select(
            LABELS["group"], help=GLOSSARY["coupled group"], width=260, on_change=regions.refresh
        )
        if state is not None and state.busy:
            st.button("Stop", "stop staircase", on_click=lambda: _job(group).stop(), type="tertiary")
        elif staircase(group) is None:
            st.button(
                "Measure the staircase",
                "start staircase",
                HELP,
                lambda: _job(group).start(),
                icon=":material/timer:",
            )
    known, chosen = staircase(group), session.recipe().channels.get(group)
    if known is None:
        st.caption(
            "Fewer channels are not always faster: latency falls in steps, and they differ from machine to "
            "machine."
        )
        return
    st.plotly_chart(
        latency_staircase(known, chosen),
        width="stretch",
        key="staircase chart",
        config={"displayModeBar": False},
    )
    _draw_words(known, chosen)


def _draw_status() -> None:
    group = _group()
    state = _run(group) if _job(group).asked else None
    if state is None:
        return
    if state.error:
        layout.draw_notice(state.error)
    elif state.busy and state.progress and state.progress.total:
        done, total = state.progress.done, state.progress.total
        layout.draw_share(done / total, f"{state.progress.label}: {done} of {total}")
    elif state.busy:
        st.caption("Waits until nothing more urgent is measured.")


def _draw_words(known: Staircase, chosen: float | None) -> None:
    """Draw whether it gets faster, where, and how it was measured."""
    st.markdown(layout.plain(verdict(known, chosen)))
    if chosen and nearest_fast(chosen, known.fast_ratios) != chosen:
        words = f"Snap {layout.plain(known.group)} to its closest fast width"
        st.button(
            words,
            "snap to fast",
            on_click=_snap,
            args=(known.group,),
            type="tertiary",
            icon=":material/bolt:",
        )
    where = known.environment
    how = (
        f"Batch {known.batch}, {known.rounds} rounds, all widths in turns. {where['device_name']}, "
        f"threads: {where['threads']}."
    )
    why = why_not(session.recipe(), session.conditions().device) if session.recipe().weights else None
    st.caption(layout.plain(" ".join([how, *([why] if why else [])])))


def verdict(known: Staircase, chosen: float | None) -> str:
    """Return whether it is faster here: at the chosen ratio, or else at the best width."""
    if chosen:
        kept = round(known.units * (1 - chosen))
        step = min(known.steps, key=lambda s: (abs(s.kept - kept), s.kept))
        about = f"At {step.kept} of {known.units} {known.unit}s, the measured width closest to your recipe"
    else:
        step = max(known.steps, key=lambda s: s.speed_up.ratio)
        about = f"At its best, with {step.kept} of {known.units} {known.unit}s"
    found = step.speed_up
    return (
        f"Faster here? {about}: {step.answer}, {found.ratio:.2f} times as fast ({found.low:.2f} to "
        f"{found.high:.2f})."
    )
