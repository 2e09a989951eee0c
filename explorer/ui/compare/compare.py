"""The Compare page: which runs there are, which are worth their cost, and where each came from."""

from collections.abc import Sequence

import streamlit as st

from ... import tables
from ...figures.family_tree import family_tree
from ...figures.pareto import pareto
from ...runs.comparison import COSTS, Cost, Ground, family, grounds, left_out, machine_of, matching, points
from ...runs.stored_run import Run
from .. import session
from ..drawing import layout
from ..drawing.offers import ManyOffer, Offer, ShownOffer
from ..kept_runs.keeping import store
from ..kept_runs.words import called, is_trial
from . import first_run, refused, side_by_side
from .runs_table import columns, frame_of, shown_columns

MOST = 4  # runs side by side
HERE, ALL = "this model", "all models"
COST_WORDS: dict[Cost, str] = {
    "params": "parameters",
    "nonzero_params": "non-zero",
    "macs": "MACs",
    "size": "file size",
    "compressed": "compressed size",
    "latency": "latency",
}
TRIALS = "A search keeps each of its trials as a run. Runs that you kept yourself come first."
FRONT = (
    "The diamond is the dense model. Bars cover 95 %. On the front: nothing cheaper is as good. Beaten: one "
    "that costs no more has its whole bar {side}."
)


def draw() -> None:
    """Draw the whole page."""
    kept = store().listing()
    everything = kept.runs
    refused.draw(kept.refused)
    if not everything:
        first_run.draw()
        return
    first_run.follow_search()
    shown = _filtered(everything)
    if not shown:
        st.info(_nothing_fits(everything), icon=":material/filter_alt_off:")
        return
    chosen = [name for name in session.recalled("compared", ()) if name in {run.name for run in shown}][:MOST]
    _table(shown, chosen)
    _choose(shown, chosen)
    with st.container(key="below"):
        left, right = st.columns(2, gap="large")
    with left:
        _draw_front(shown, chosen)
    with right:
        _draw_family(shown, chosen)
    side_by_side.draw([run for run in shown if run.name in chosen])


def _nothing_fits(everything: Sequence[Run]) -> str:
    if any(run.report.subject["id"] in session.subject().ids for run in everything):
        return "No kept run fits. Clear the text or the tags."
    counted = (
        "1 run of another model is"
        if len(everything) == 1
        else f"{len(everything):,} runs of other models are"
    )
    return (
        f"No run of this model fits; {counted} kept. Choose **{ALL}** to see them, or keep one on the "
        "**Prune** page."
    )


# --------------------------------------------------------------------------- which runs


def _filtered(everything: Sequence[Run]) -> list[Run]:
    """Return the runs of this model, or all, that contain the words and the tags."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        scope = Offer("compare_scope", [HERE, ALL]).switch("Runs of")
        with st.container(width=260):
            words = st.text_input(
                "Containing", key="compare_words", placeholder="words in a note, recipe or part name"
            )
        tags = sorted({tag for run in everything for tag in run.tags})
        if tags:
            with st.container(width=260):
                picked = ManyOffer("compare_tags", tags).select("Tagged")
    here = [run for run in everything if scope == ALL or run.report.subject["id"] in session.subject().ids]
    return matching(_by_hand(here), words or "", picked if tags else ())


def _by_hand(runs: list[Run]) -> list[Run]:
    """Return the runs without the trials of searches, of which one search leaves dozens; with them if there
    is nothing else, or the user asks for them.
    """
    others = [run for run in runs if not is_trial(run)]
    trials = len(runs) - len(others)
    if not trials or not others:
        return runs
    words = f"Also {trials} trial{'s' * (trials != 1)} of searches"
    return runs if st.toggle(words, key="compare_trials", help=TRIALS) else others


def _choose(shown: Sequence[Run], chosen: list[str]) -> None:
    """Draw the list of runs to compare side by side; a click here shows in the table, and vice versa."""
    st.header("Side by side", anchor=False)
    names = {run.name: called(run) for run in shown}
    ShownOffer("compared list", names, chosen, _listed).several(
        "Runs",
        max_selections=MOST,
        placeholder="choose one to four runs, here or in the table",
        label_visibility="collapsed",
    )


def _listed(names: list[str]) -> None:
    session.remember("compared", tuple(names))
    session.remember("compared turn", session.recalled("compared turn", 0) + 1)


def _table(shown: Sequence[Run], chosen: Sequence[str]) -> None:
    names = [run.name for run in shown]
    # a table keeps what the user ticked, so one whose rows or ticks were changed elsewhere needs a new key
    key = f"runs {hash(tuple(names))} {session.recalled('compared turn', 0)}"
    frame = frame_of(shown)

    def ticked() -> None:
        rows = (session.shown(key) or {"selection": {"rows": []}})["selection"]["rows"]
        session.remember("compared", tuple(names[row] for row in rows if row < len(names))[:MOST])

    st.dataframe(
        frame,
        hide_index=True,
        placeholder=layout.NOTHING,
        column_order=shown_columns(shown, frame),
        column_config=columns(shown),
        height=min(38 + 35 * len(frame), 388),
        key=key,
        on_select=ticked,
        selection_mode="multi-row",
        selection_default={
            "selection": {"rows": [names.index(name) for name in chosen], "columns": [], "cells": []}
        },
    )
    st.download_button(
        "Save as CSV",
        tables.to_csv(tables.labelled(tables.runs(shown))),
        "runs.csv",
        "text/csv",
        key="csv runs",
        on_click="ignore",
        type="tertiary",
        icon=":material/download:",
    )


# --------------------------------------------------------------------------- worth their cost


def _draw_front(shown: Sequence[Run], chosen: Sequence[str]) -> None:
    """Draw the Pareto front over the comparable runs, and what was left out."""
    usual = grounds(shown)
    if not usual:
        st.caption("The quality of none of these runs was measured.")
        return
    with st.container(horizontal=True, gap="small"):
        with st.container(width=150):
            cost: Cost = Offer("compare_cost", {cost: COST_WORDS[cost] for cost in COSTS}).select("Cost")
        ground = _ground(usual)
    machine = (
        next((machine_of(run) for run in shown if not left_out(run, ground, cost)), None)
        if cost == "latency"
        else None
    )
    reasons = {run.name: left_out(run, ground, cost, machine) for run in shown}
    fitting = [run for run in shown if reasons[run.name] is None]
    placed = points(fitting, cost, {run.name: called(run) for run in fitting})
    st.plotly_chart(
        pareto(placed, cost, chosen, ground.scale),
        width="stretch",
        key="pareto",
        config={"displayModeBar": False},
    )
    side = "above" if ground.scale.sign > 0 else "below, where lower is better"
    st.caption(f"{FRONT.format(side=side)} {layout.plain(str(ground))}.")
    missing = [(called(run), why) for run in shown if (why := reasons[run.name])]
    if missing:
        with st.expander(f"{len(missing)} left out, since numbers must be comparable"):
            st.markdown("\n".join(f"* {layout.plain(name)}: {layout.plain(why)}" for name, why in missing))


def _ground(usual: Sequence[Ground]) -> Ground:
    if len(usual) == 1:
        return usual[0]
    with st.container(width=275):
        return Offer("compare_ground", usual).select(
            "Measured on", help="Only runs on the same data, split and samples share a figure."
        )


def _draw_family(shown: Sequence[Run], chosen: Sequence[str]) -> None:
    """Draw the tree of runs."""
    tree = family(shown)
    names = {run.name: called(run) for run in shown}
    st.plotly_chart(
        family_tree(tree, names, chosen), width="stretch", key="family", config={"displayModeBar": False}
    )
    st.caption(
        "A run is drawn below the run it was made from. If that run was deleted, it starts a tree of its own."
    )
