"""The switches of residual blocks: which of them are removed, what each costs, and what it is worth alone."""

from collections.abc import Hashable
from dataclasses import replace

import streamlit as st

from ...background.lane import Lane
from ...measuring.number_words import change_words
from ...studies.block_scan import BlockScan, block_scan
from ...values.profile import Block
from .. import session
from ..drawing import layout
from ..live import regions
from ..live.asked_job import AskedJob, asked_news
from . import lowest_blocks

LANE = Lane("blocks")
WIDTH = 460  # pixels
HELP = (
    "A block adds what it computes to what it reads. Without it the model is less deep, and what it reads "
    "passes on unchanged. Blocks combine with channels and weights."
)
MEASURE = "Measures the model without each block, one at a time. Drops of several blocks don't add up."


def draw() -> None:
    """Draw the button that opens the switches, if some block of the model can be removed."""
    free = session.profile().free_blocks
    if not free:
        return
    gone = len(session.recipe().blocks)
    words = f"Blocks -{gone}" if gone else "Blocks"
    with (
        st.popover(words, icon=":material/layers_clear:", key="blocks menu", help=HELP),
        st.container(width=WIDTH),
    ):
        st.caption(HELP)
        regions.watched("blocks", _draw, LANE, facet=_facet, progress=True)
        lowest_blocks.draw()


def _facet() -> Hashable:
    return session.recipe().blocks, asked_news(LANE)


def _draw() -> None:
    scan = _measured()
    for block in session.profile().blocks:
        _switch(block, scan)


def _switch(block: Block, scan: BlockScan | None) -> None:
    """Draw the switch of one block: on while it is in the model."""
    name = block.name
    value = name not in session.recipe().blocks
    st.toggle(
        layout.plain(f"{name}: {_worth(block, scan)}"),
        key=session.show(f"block {name}", value),
        on_change=_changed,
        args=(name,),
        disabled=block.reason is not None,
        help=layout.plain(
            f"Reads {block.reads}; {block.params:,} parameters, {block.macs:,} multiply-adds."
            if block.reason is None
            else f"Stays: {block.reason}."
        ),
    )


def _worth(block: Block, scan: BlockScan | None) -> str:
    """Return the number beside a switch: the measured drop, or else what the block costs."""
    if block.reason is not None:
        return "stays"
    report = scan.reports.get(block.name) if scan else None
    share = f"{100 * block.params / max(1, session.profile().params):.1f} % of the parameters"
    if scan is None or report is None or report.drop is None:
        return share
    influence = scan.influence.get(block.name)
    told = f", influence {influence:.3f}" if influence is not None else ""
    return f"{change_words(report.drop).interval}{told}, {share}"


def _changed(name: str) -> None:
    session.attempt(_take, name, session.picked(f"block {name}"))
    regions.hurry()
    st.rerun()  # cards, faders and the address show the recipe too


def _take(name: str, stays: object) -> None:
    recipe = session.recipe()
    others = tuple(block for block in recipe.blocks if block != name)
    blocks = others if stays else (*others, name)
    session.set_recipe(replace(recipe, blocks=blocks), f"{'with' if stays else 'without'} {name}")


# --------------------------------------------------------------------------- measured


def _job() -> AskedJob:
    return AskedJob(LANE, (session.task_key(), session.conditions(), session.recipe().after))


def _measured() -> BlockScan | None:
    """Draw the button that measures, or its progress; return what is known."""
    if session.subject().task is None:
        return None
    job, model, how, after = _job(), session.model(), session.conditions(), session.recipe().after
    state = job.state(lambda: block_scan(model, replace(how, latency=False), after))
    scan = job.value(BlockScan)
    if job.asked and state.error:
        layout.draw_notice(state.error)
    elif job.asked and state.busy:
        share = len(scan.reports) / max(1, scan.expected) if scan else 0.0
        layout.draw_share(share, "Measuring the model without each block")
        st.button("Stop", "stop blocks", on_click=job.stop, type="tertiary")
    elif scan is None or not scan.finished:
        st.button("Measure each block alone", "measure blocks", MEASURE, job.start)
    return scan
