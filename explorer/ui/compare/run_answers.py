"""Runs the selected models on the same samples, on request: where their answers flip, which classes lose, or
how much their metric differs.
"""

from collections.abc import Hashable, Sequence
from dataclasses import replace

import streamlit as st

from ... import tables
from ...background.lane import Lane
from ...engine.conditions import Conditions
from ...figures.side_by_side import classes_side_by_side
from ...measuring.metric_words import metric_heading
from ...pruning.checks import check_brought
from ...runs.stored_run import Run
from ...studies.flips import Contender, Poll, ask, class_accuracies, flips
from ...values.progress import Progress
from ...values.recipe import Recipe
from .. import session
from ..drawing import layout
from ..kept_runs.keeping import begin, offered
from ..kept_runs.words import called
from ..live import regions
from ..shared import models

LANE, DENSE = Lane("answers"), "dense model"
SMALLEST_P = 0.001
WHY = (
    "Lets the dense model and each of these runs answer the same samples of the tuning split, and shows "
    "where they differ."
)
READING = (
    "Change: second against first, with its paired 95 % interval. The p-value is adjusted for "
    "the number of pairs (Holm): below 0.05, the difference is more than noise."
)
TEXT, NUMBER = st.column_config.TextColumn, st.column_config.NumberColumn
FLIP_COLUMNS = {
    "first": TEXT("First", width=150),
    "second": TEXT("Second", width=150),
    "both_right": NUMBER("Both right", format="localized", width=85),
    "only_first": NUMBER(
        "Only first", format="localized", width=80, help="Samples that only the first model gets right."
    ),
    "only_second": NUMBER(
        "Only second", format="localized", width=95, help="Samples that only the second model gets right."
    ),
    "both_wrong": NUMBER("Both wrong", format="localized", width=90),
    "agreement": NUMBER(
        "Same answer", format="%.1f %%", width=95, help="Right or wrong, how often both say the same."
    ),
    "change": TEXT("Change", width=220),
    "p_value": TEXT("p", width=60, help="Adjusted for the number of pairs (Holm)."),
}

OF_CLASSES = ("both_right", "only_first", "only_second", "both_wrong", "agreement")


def draw(chosen: Sequence[Run]) -> None:
    """Draw the button, its progress, or the result."""
    task = session.subject().task
    has_classes = task is not None and task.tells_classes
    words = "Which model gets which samples right" if has_classes else "The models on the same samples"
    st.header(words, anchor=False)
    regions.watched("answers", lambda: _answers(chosen), LANE, progress=True)


def _question(chosen: Sequence[Run]) -> Hashable:
    return (tuple(run.name for run in chosen), session.conditions())


def _answers(chosen: Sequence[Run]) -> None:
    state = session.lane_state(LANE)
    poll: Poll | None = state.value if state.key == _question(chosen) else None
    if poll is not None:
        _draw_flips(poll)
        if poll.targets is None:
            return
        figure = classes_side_by_side(class_accuracies(poll))
        st.plotly_chart(figure, width="stretch", key="classes", config={"displayModeBar": False})
    elif state.busy:
        _draw_progress(state.progress)
    else:
        st.caption(WHY)
        if state.error and state.key == _question(chosen):
            layout.draw_notice(state.error)
        st.button(
            "Compare their answers",
            "ask",
            on_click=begin,
            args=(_ask, chosen),
            icon=":material/compare_arrows:",
        )


def _draw_progress(progress: Progress | None) -> None:
    if progress is None or not progress.total:
        layout.draw_share(0.0, "Cutting …")
    else:
        layout.draw_share(
            progress.done / progress.total, f"{progress.label}: {progress.done:,} of {progress.total:,}"
        )


def _ask(chosen: Sequence[Run]) -> None:
    homes = {run.name: offered(run) for run in chosen}
    first = homes[chosen[0].name]
    asked = [_contender(run, homes[run.name]) for run in chosen]
    if len(set(homes.values())) == 1:
        asked.insert(0, Contender(DENSE, models.load_model(first), Recipe()))
    how: Conditions = replace(session.conditions(), split="tuning")
    session.resume(LANE)
    session.job(LANE, _question(chosen), lambda: ask(asked, how))


def _contender(run: Run, home: str) -> Contender:
    model, after = models.load_model(home), run.recovery.recovery if run.recovery else None
    check_brought(model.profile, run.report.recipe)
    return Contender(called(run), model, run.report.recipe, after)


def _draw_flips(poll: Poll) -> None:
    frame = tables.flips(flips(poll))
    if poll.targets is None:
        frame = frame.drop(columns=[*OF_CLASSES])
    else:
        frame["agreement"] = 100 * frame["agreement"]
    frame["p_value"] = [f"{p:.3f}" if p >= SMALLEST_P else f"< {SMALLEST_P}" for p in frame["p_value"]]
    st.dataframe(frame, hide_index=True, placeholder=layout.NOTHING, column_config=FLIP_COLUMNS)
    metric = "" if poll.targets is not None else f"{metric_heading(_metric(poll))} on "
    st.caption(f"{metric}{poll.samples:,} samples of the tuning split. {READING}")


def _metric(poll: Poll) -> str:
    metrics = next(iter(poll.tallies.values())).metrics
    return metrics[0].name if metrics else "accuracy"
