"""The trials of a search: their front, and one that is chosen."""

from functools import partial
from typing import Any

import streamlit as st

from ...figures.search_front import search_front
from ...measuring.metric_words import metric_heading, metric_title
from ...measuring.number_words import format_drop, format_measured, format_value
from ...studies.search_trials import Search, Trial
from .. import session
from ..drawing import layout
from ..drawing.offers import ShownOffer
from ..kept_runs import keeping
from ..live import regions
from . import search_question as asked

CHOSEN = "search trial chosen"
PLAIN = {"displayModeBar": False}


def draw_trials(search: Search) -> None:
    """Draw the front, and the chosen trial."""
    chosen = _chosen(search)
    with st.container(key="below search"):
        seen, listed = st.columns(2, gap="large")
    with seen:
        key = f"search front {len(search.trials)}"
        st.plotly_chart(
            search_front(search, chosen.number),
            width="stretch",
            key=key,
            config=PLAIN,
            selection_mode="points",
            on_select=lambda: _click(session.shown(key)),
        )
        st.caption(
            "Bars cover 95 %. Click a trial to choose it. Grey crosses: another trial costs no more and is "
            "as good."
        )
    with listed:
        names = {trial.number: _called(trial) for trial in _offered(search, chosen)}
        ShownOffer("search trial", names, chosen.number, partial(session.remember, CHOSEN)).select("Trial")
        for line in _lines(chosen):
            st.caption(layout.plain(line))
        st.button(
            "Apply this trial to the faders",
            "take trial",
            "You can undo this.",
            _take,
            (chosen,),
            icon=":material/equalizer:",
        )


def _chosen(found: Search) -> Trial:
    """Return the clicked trial, or else the winner, or else the best."""
    number = session.recalled(CHOSEN)
    clicked = next((trial for trial in found.trials if trial.number == number), None)
    return clicked or found.winner or found.front[-1]


def _offered(found: Search, chosen: Trial) -> list[Trial]:
    return [*found.front, *([] if chosen in found.front else [chosen])]


def _called(trial: Trial) -> str:
    """Return a trial in words.

    >>> from explorer.values.recipe import Recipe
    >>> from explorer.measuring.statistics import paired_drop
    >>> from explorer.values.report import Measurement
    >>> _called(Trial(7, Recipe(), "optimiser", 0.42, Measurement(0.9), 100, paired_drop(1, 0, 100), ""))
    'trial 7: 42.0 % left, accuracy 90.0 %, by optimiser'
    """
    value = f"{metric_title(trial.scale.metric)} {format_value(trial.value, trial.scale.unit)}"
    return f"trial {trial.number}: {100 * trial.cost:.1f} % left, {value}, by {trial.origin}"


def _lines(trial: Trial) -> list[str]:
    measured, lowered = format_measured(trial.measured, trial.total), asked.COST_WORDS[asked.cost()]
    return [
        f"{metric_heading(trial.scale.metric)} on the tuning split: {measured}.",
        f"Against the dense model: {format_drop(trial.drop)}.",
        f"{100 * trial.cost:.1f} % of the {lowered} left. Proposed by: {trial.origin}.",
    ]


def clicked(event: Any) -> int | None:
    """Return the number of the trial that was clicked in the figure.

    >>> [clicked({"selection": {"points": points}}) for points in ([{"customdata": [3, "optimiser"]}], [])]
    [3, None]
    """
    points = event["selection"]["points"] if event and "selection" in event else []
    given = next((point["customdata"] for point in points if "customdata" in point), None)
    return int(given[0]) if isinstance(given, list | tuple) else None


def _click(event: Any) -> None:
    number = clicked(event)
    if number is not None:
        session.remember(CHOSEN, number)


def _take(trial: Trial) -> None:
    session.attempt(session.set_recipe, trial.recipe, f"trial {trial.number} of the search")
    keeping.comes_from(trial.run)
    regions.hurry()
    st.rerun()
