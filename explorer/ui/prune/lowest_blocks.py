"""Blocks switched off by a criterion: as many as asked for, the lowest first."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace

import streamlit as st

from ...background.lane import Lane
from ...pruning.block_scores import lowest_blocks
from ...registry import BLOCK_CRITERIA
from ...values.choice import Choice
from ...values.progress import Work, as_work, mapped
from .. import session
from ..drawing import layout, widgets
from ..drawing.offers import Offer
from ..live import regions
from ..live.asked_job import AskedJob, asked_news

LANE = Lane("lowest blocks")
CRITERION, COUNT = Offer("block criterion", BLOCK_CRITERIA.keys()), "lowest blocks count"
HELP = (
    "Rates every block that can be removed, and switches off as many as you ask for, the lowest first. All "
    "others are switched on."
)


@dataclass(frozen=True)
class LowestBlocks:
    """The blocks that a criterion rates lowest."""

    names: tuple[str, ...]


def draw() -> None:
    """Draw the choice of a criterion and a number, the button, and the one that applies what it says."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = CRITERION.select(
            "Blocks are rated by", help=widgets.described(BLOCK_CRITERIA[CRITERION.now()])
        )
        most = len(session.profile().free_blocks)
        count = int(
            st.number_input("Switch off the lowest", 1, most, key=session.start_from(COUNT, 1), step=1)
        )
    key = (session.subject().id, name, count, session.recipe().seed, session.conditions().device)
    regions.watched(
        "lowest blocks",
        lambda: _draw(key, name, count),
        LANE,
        facet=lambda: (key, asked_news(LANE), session.recipe().blocks),
        progress=True,
    )


def _rating(name: str, count: int) -> Callable[[], Work[LowestBlocks]]:
    model, seed, device = session.model(), session.recipe().seed, session.conditions().device
    return lambda: mapped(as_work(lowest_blocks(model, count, Choice(name), seed, device)), LowestBlocks)


def _draw(key: Hashable, name: str, count: int) -> None:
    job = AskedJob(LANE, key)
    state, lowest = job.state(_rating(name, count)), job.value(LowestBlocks)
    own = job.asked and state.key == job.key
    if own and state.error:
        layout.draw_notice(state.error)
    if own and state.busy:
        now = state.progress
        layout.draw_share(now.done / now.total if now and now.total else 0.0, "Rating the blocks")
    elif lowest is None:
        st.button("Rate the blocks", "rate blocks", HELP, job.start, icon=":material/sort:")
    elif set(lowest.names) == set(session.recipe().blocks):
        st.caption(layout.plain(f"Switched off: {', '.join(lowest.names)}."))
    else:
        words = f"Switch off {', '.join(lowest.names)}"
        st.button(layout.plain(words), "take lowest", "You can undo this.", _take, (lowest, name))


def _take(lowest: LowestBlocks, name: str) -> None:
    recipe = replace(session.recipe(), blocks=lowest.names)
    session.attempt(session.set_recipe, recipe, f"{len(lowest.names)} lowest blocks by {name}")
    regions.hurry()
    st.rerun()
