"""Shows the selected runs next to each other: facts, parts, layers; open, replay, edit, delete."""

from collections.abc import Sequence
from functools import partial

import streamlit as st

from ...background.lane import Lane
from ...exporters.recovered_model import export_recovered
from ...figures.side_by_side import layers_side_by_side, ratios_side_by_side
from ...graph.analysed import Analysed
from ...machine import paths
from ...measuring.metric_words import metric_title
from ...measuring.number_words import format_value
from ...registry import EXPORTERS
from ...runs.replay import Replay, replay
from ...runs.stored_run import Run
from ...values.report import Measurement
from .. import session
from ..drawing import layout
from ..drawing.offers import Offer
from ..drawing.words import NAMES
from ..kept_runs import keeping
from ..kept_runs.words import called, facts
from ..live import regions
from ..shared import models
from . import run_answers

LANE = Lane("replay")
NAME_WIDTH = 230  # pixels
OPEN = "Its recipe becomes the current one on the Prune page."
AGAIN = (
    "Prune and measure again, and check that the masks are the same bit for bit. Not for runs on "
    "held-out data."
)


def draw(chosen: Sequence[Run]) -> None:
    """Draw what is known about one to four runs."""
    if not chosen:
        st.caption("Tick runs in the table to see them side by side, reopen them, or replay them.")
        return
    names = {run.name: called(run) for run in chosen}
    _facts(chosen)
    for run in chosen:
        _actions(run)
    _go()
    regions.watched("replay", lambda: _replayed(chosen), LANE, progress=True)
    reports = {names[run.name]: run.report for run in chosen}
    with st.container(key="below side"):
        left, right = st.columns(2, gap="large")
    plain = {"displayModeBar": False}
    left.plotly_chart(ratios_side_by_side(reports), width="stretch", key="ratios", config=plain)
    right.plotly_chart(layers_side_by_side(reports), width="stretch", key="layers", config=plain)
    run_answers.draw(chosen)


def _facts(chosen: Sequence[Run]) -> None:
    """Return one column per run, one row per fact; rows with equal values are kept, since that is an answer
    too.
    """
    columns = {called(run): facts(run) for run in chosen}
    every = dict.fromkeys(fact for found in columns.values() for fact in found)  # metrics may differ
    rows = [fact for fact in every if any(found.get(fact) for found in columns.values())]
    table = {"": rows} | {
        layout.plain(name): [layout.plain(found.get(fact, "")) for fact in rows]
        for name, found in columns.items()
    }
    st.table(table, border="horizontal", hide_index=True)


# --------------------------------------------------------------------------- what can be done with a run


def _actions(run: Run) -> None:
    """Draw one line: the run's name, and what you can do with it."""
    act, name = st.button, run.name
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key=f"actions {name}"):
        with st.container(width=NAME_WIDTH):
            st.markdown(f"**{layout.plain(called(run))}**")
        act("Open", f"open {name}", OPEN, lambda: session.attempt(_open, run), icon=":material/open_in_new:")
        act(
            "Replay",
            f"replay {name}",
            AGAIN,
            lambda: keeping.begin(_replay, run),
            icon=":material/replay:",
            disabled=run.report.split == "held_out",
        )
        _take(run)
        _edit(run)
        with st.popover("", icon=":material/delete:", help="Delete this run"):
            st.caption("This permanently deletes the run, its recipe and its numbers.")
            act(
                "Delete",
                f"delete {name}",
                None,
                lambda: session.attempt(keeping.store().delete, name),
                type="primary",
            )


def _take(run: Run) -> None:
    """Draw the download of a recovered model's weights; those of a merely pruned one come from its recipe, on
    the Prune page.
    """
    if run.recovery is None:
        return
    with st.popover("Take away", icon=":material/download:"), st.container(width=keeping.POPOVER_WIDTH):
        formats = [name for name in EXPORTERS if name != "recipe_json"]
        worded = {name: NAMES.get(name, name) for name in formats}
        chosen = Offer(f"format {run.name}", worded).select("Format")
        ending, media = (EXPORTERS[chosen].traits[trait] for trait in ("extension", "media_type"))
        st.download_button(
            "Write and download",
            partial(_written, run, chosen),
            f"recovered-{run.name[:4]}{ending}",
            media,
            key=f"take {run.name}",
            on_click="ignore",
            type="primary",
        )
        st.caption("The trained weights of the first seed.")


def _written(run: Run, format: str) -> bytes:
    assert run.recovery is not None
    home = keeping.offered(run)
    model = Analysed(models.load_subject(home), models.load_graph(home))
    return export_recovered(model, run.recovery.recovery, format, report=run.report)


def _edit(run: Run) -> None:
    with (
        st.popover("", icon=":material/edit:", help="Note and tags"),
        st.container(width=keeping.POPOVER_WIDTH),
    ):
        note = session.start_from(f"note {run.name}", run.note)
        tags = session.start_from(f"tags {run.name}", ", ".join(run.tags))
        st.text_area("Note", key=note, max_chars=2000)
        st.text_input("Tags", key=tags, placeholder="separated by commas")
        st.button(
            "Save",
            f"save {run.name}",
            on_click=lambda: session.attempt(_describe, run.name, note, tags),
            type="primary",
        )


def _describe(name: str, note: str, tags: str) -> None:
    keeping.store().describe(
        name, note=session.shown(note) or "", tags=keeping.split_tags(session.shown(tags))
    )


def _open(run: Run) -> None:
    session.set_model(keeping.offered(run))
    session.bring_recipe(run.report.recipe, f"run {run.name[:4]}")
    keeping.comes_from(run.name)
    session.remember("go to", "prune.py")


def _go() -> None:
    """Switch to the page that an action asked for; a callback cannot do that itself."""
    page = session.recalled("go to")
    if page:
        session.remember("go to", None)
        st.switch_page(paths.pages().resolve() / page)


# --------------------------------------------------------------------------- again


def _replay(run: Run) -> None:
    name = keeping.offered(run)
    model, device = Analysed(models.load_subject(name), models.load_graph(name)), session.conditions().device
    # if it is requested again, it is replayed again
    session.remember("replays", session.recalled("replays", 0) + 1)
    session.resume(LANE)
    session.job(
        LANE,
        (run.name, session.recalled("replays")),
        lambda: replay(model, run, device),
    )


def _replayed(chosen: Sequence[Run]) -> None:
    state, names = session.lane_state(LANE), {run.name: called(run) for run in chosen}
    name = state.key[0] if isinstance(state.key, tuple) else None
    if state.busy and not (name in names and state.value is not None):
        st.caption("Replaying the run …")
    if name not in names:
        return
    if state.error:
        layout.draw_notice(state.error)
    elif isinstance(state.value, Replay):
        st.info(layout.plain(f"Replay of {names[name]}: {said(state.value)}"), icon=":material/replay:")


def said(replay: Replay) -> str:
    """Return the result of a replay, in words."""
    same = {
        True: "the masks are the same, bit for bit",
        False: "the masks differ",
        None: "the run has no record of its masks",
    }
    masks = same[replay.same_masks]
    if replay.report is None or replay.report.stage != "final":
        return f"{masks}; counting samples …"
    if replay.same_count is None:
        return f"{masks}."
    now, before = (_counted(measured) for measured in (replay.report.pruned, replay.before))
    return f"{masks}; {now}, {'as in the run' if replay.same_count else f'not {before} as in the run'}."


def _counted(measured: Measurement) -> str:
    """Return what a replay compares: right samples, or the value of a metric that doesn't count them."""
    if measured.correct is not None:
        return f"{measured.correct:,} of {measured.samples:,} samples are right"
    return f"{metric_title(measured.metric or '')} {format_value(measured.value or 0.0, measured.unit)}"
