"""Shows the disputed channels of a group: how the criteria vote, and what is lost when they are removed, if
measured.
"""

from collections.abc import Callable, Hashable
from dataclasses import replace
from typing import Any

import streamlit as st

from ...background.lane import Lane
from ...measuring.number_words import change_words, format_drop
from ...studies.criteria_agreement import ALL, Agreement, Dispute, Overall
from ...studies.disputed_channels import SEEDS, Settled, settle
from ...values.granularity import CHANNEL
from ...values.progress import Work
from ...values.report import Drop
from ...words import LABELS
from .. import session
from ..drawing import layout
from ..live.asked_job import AskedJob, asked_news

LANE = Lane("disputes")
SHOWN = 24  # number of channels
SAMPLES = 2_048  # of a measurement, at most
HELP = (
    f"Measures the model without each of these channels alone, without all of them, and {SEEDS} times "
    "without as many that are "
    "drawn at random. All other faders count as 0 %, and your recipe does not change."
)
CHANGE = "Change if it alone is removed (points)"


def draw(agreement: Agreement | Overall | None, settings: Hashable) -> None:
    """Draw the table, the button, and what was measured.

    Args:
        settings: what the ratings depend on.
    """
    if agreement is None:
        st.caption("Waiting for the ratings …")
    elif not isinstance(agreement, Agreement) or agreement.group == ALL:
        st.caption(
            "Choose one group above: these are the channels on which the vote of the criteria is closest."
        )
    elif not agreement.disputed:
        st.caption("None: at this ratio every criterion keeps the same channels.")
    else:
        _draw(agreement, settings)


def facet() -> Hashable:
    """Return what `draw` shows about a measurement."""
    return asked_news(LANE)


def _draw(agreement: Agreement, settings: Hashable) -> None:
    shown = agreement.disputed[:SHOWN]
    channels = tuple(dispute.channel for dispute in shown)
    job = AskedJob(LANE, (settings, agreement.group, channels, session.conditions()))
    state, settled = job.state(_measurement(agreement.group, channels)), job.value(Settled)
    share = st.column_config.ProgressColumn("Votes to keep", format="%.0f %%", min_value=0, max_value=100)
    rows = [_row(dispute, settled) for dispute in shown]
    st.dataframe(rows, hide_index=True, placeholder=layout.NOTHING, column_config={"Votes to keep": share})
    more = f" The first {SHOWN} of them." if len(agreement.disputed) > SHOWN else ""
    st.caption(f"{len(agreement.disputed):,} channels are disputed, those with the closest vote first.{more}")
    if session.subject().task is None:
        return
    if job.asked and state.busy:
        done = len(settled.alone) + len(settled.chance) + 1 if settled else 0
        layout.draw_share(done / (len(shown) + 1 + SEEDS), "Measuring disputed channels")
        st.button("Stop", "stop disputes", on_click=job.stop, type="tertiary")
    elif settled is None or not settled.finished:
        st.button("Measure these channels", "start disputes", HELP, job.start, icon=":material/balance:")
    if job.asked and state.error:
        layout.draw_notice(state.error)
    if settled is not None:
        st.caption(layout.plain(verdict(settled)))


def _row(dispute: Dispute, settled: Settled | None) -> dict[str, Any]:
    own = settled.alone.get(dispute.channel) if settled else None
    row: dict[str, Any] = {LABELS[CHANNEL]: dispute.channel, "Votes to keep": 100 * dispute.share}
    row |= {CHANGE: _points(own)} if settled else {}
    return row | {"Kept by": ", ".join(dispute.kept_by), "Removed by": ", ".join(dispute.removed_by)}


def _points(drop: Drop | None) -> str:
    """Return a change as text, of fractions in points.

    >>> _points(Drop(0.02, 0.01, 0.03, "different", 0.95)), _points(None)
    ('-2.0 (-3.0 to -1.0)', '')
    """
    return "" if drop is None else change_words(drop).short


def verdict(settled: Settled) -> str:
    """Return the loss of all of them together, next to random choices, and how it was measured."""
    words = []
    if settled.together:
        words.append(f"Without all {len(settled.channels)}: {format_drop(settled.together)}.")
    if len(settled.chance) == SEEDS:
        ordered = sorted(settled.chance, key=lambda drop: -drop.estimate)
        ends = [change_words(drop).amount for drop in ordered]
        words.append(f"Without as many chosen at random, {SEEDS} times: {ends[0]} to {ends[-1]}.")
    words.append(
        f"First {settled.samples:,} samples of the tuning split, one-shot, no other fader; intervals at "
        f"level {100 * settled.level:.2f} % each, so that together they hold at 95 %."
    )
    return " ".join(words)


def _measurement(group: str, channels: tuple[int, ...]) -> Callable[[], Work[Settled]]:
    model, recipe, how = session.model(), session.recipe(), session.conditions()
    how = replace(how, samples=min(SAMPLES, how.samples or SAMPLES))
    return lambda: settle(model, recipe, group, channels, how)
