"""Shows which criterion to trust: how far they agree, what they dispute, and which is right when measured."""

from collections.abc import Callable, Hashable
from dataclasses import replace

import streamlit as st

from ...background.jobs import JobState
from ...background.lane import Lane
from ...figures.criteria_agreement import TITLES, criteria_agreement
from ...figures.criteria_duel import criteria_duel
from ...measuring.metric_words import metric_title
from ...measuring.number_words import format_drop
from ...registry import CRITERIA
from ...studies.criteria_agreement import ALL, Agreement, Measure, Overall, Ratings
from ...studies.criteria_duel import CONTROL, SEEDS, Duel, DuelPlan, duel
from ...values.choice import Choice
from ...values.progress import Work
from ...words import GLOSSARY, LABELS
from .. import session
from ..drawing import layout, sketches
from ..drawing.offers import Offer
from ..live import regions
from ..live.asked_job import AskedJob, asked_news
from ..shared import settings
from . import disputed_channels

LANE, DUEL_LANE = Lane("criteria"), Lane("duel")
GROUP, RATIO, CHOSEN = "criteria_group", "criteria_ratio", "criteria_use"
SAMPLES = 2_048  # of a measurement, at most
USUAL = 30  # per cent of the channels
PLAIN = {"displayModeBar": False}
MEASURES: dict[Measure, str] = {"spearman": "Ranking", "kendall": "Pairs", "overlap": "Kept channels"}
COMPARED = Offer("criteria_measure", MEASURES, "spearman")
MEANINGS: dict[Measure, str] = {
    "spearman": "1: both rank the channels alike; 0: no relation, as random has with all others; -1: "
    "opposite.",
    "kendall": "The share of pairs of channels that both put in the same order, minus the share of those in "
    "opposite order.",
    "overlap": "Per cent of the kept channels that both keep. Chance alone gives the fraction that is kept.",
}
INTRODUCTION = (
    "A criterion is an opinion about which channels matter. Where all agree, the choice is free; where they "
    "don't, only "
    "measuring can decide. **Random** is the control: a criterion no better than Random tells you nothing."
)
MEASURE_HELP = (
    f"Prunes only this, by each criterion in turn, and measures what is left, with {SEEDS} random choices "
    "as the control. All other faders count as 0 %, and your recipe does not change."
)
SKETCHED = (
    "A sketch: what each criterion leaves as a dot with its interval, and a band where random choices end"
)
CAPTION = (
    "A sketch of what you will see: a line for each criterion, with its interval, the best on top. Random "
    "choices end in the band."
)


# --------------------------------------------------------------------------- what is asked


def _group() -> str:
    return _groups().now()


def _groups() -> Offer:
    return Offer(GROUP, [ALL, *session.profile().free_groups])


def _ratio() -> float:
    return session.shown(RATIO, USUAL) / 100


def _measure() -> Measure:
    return COMPARED.now()


def _key() -> Hashable:
    """Return what ratings depend on: no fader."""
    return (session.task_key(), _settings(), session.conditions().device)


def _settings() -> Hashable:
    return replace(session.recipe(), channels={}, weights={}, keep={}, remove={}, pattern="free")


def _ratings() -> Ratings | None:
    state = session.lane_state(LANE)
    return state.value if state.key == _key() and isinstance(state.value, Ratings) else None


def _found() -> Agreement | Overall | None:
    ratings = _ratings()
    return ratings.at(_group(), _ratio()) if ratings and ratings.scores else None


def _duel_job() -> AskedJob:
    return AskedJob(DUEL_LANE, (_key(), _group(), _ratio(), session.conditions()))


def _begin() -> None:
    model, recipe, device = session.model(), session.recipe(), session.conditions().device
    session.job(LANE, _key(), lambda: settings.current().studies.rate(model, recipe, device=device))


# --------------------------------------------------------------------------- the page


def draw() -> None:
    """Draw the whole page, in regions that follow the work."""
    if not session.profile().free_groups:
        st.info(
            "No channels of this model can be removed, so there is nothing for criteria to disagree about."
        )
        return
    st.markdown(INTRODUCTION)
    _draw_question()
    _begin()
    regions.watched("criteria status", _status, LANE, progress=True)
    with st.container(key="below"):  # whose columns wrap where the page is narrow
        left, right = st.columns(2, gap="large")
    with left:
        st.header("Do they agree?", anchor=False)
        regions.watched("criteria matrix", _matrix, LANE)
    with right:
        st.header("Which criterion is right?", anchor=False)
        regions.watched("criteria duel", _draw_duel, DUEL_LANE, facet=_duel_facet, progress=True)
    st.header("Disputed channels", anchor=False)
    regions.watched(
        "criteria disputes",
        lambda: disputed_channels.draw(_found(), _key()),
        LANE,
        disputed_channels.LANE,
        facet=_disputed_facet,
        progress=True,
    )


def _draw_question() -> None:
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        _groups().select(LABELS["group"], help=GLOSSARY["coupled group"], width=300)
        st.slider(
            "Channels removed", 5, 95, key=session.start_from(RATIO, USUAL), step=5, format="%d %%", width=260
        )
        _criterion().select("Criterion", width=190)
        st.button(
            "Use this criterion",
            "use criterion",
            on_click=_use,
            icon=":material/check:",
            help="Your recipe will rank by it; you can undo this on the Prune page.",
        )
    st.caption(f"Your recipe ranks by **{layout.plain(session.recipe().criterion.name)}**.")


def _criterion() -> Offer:
    return Offer(CHOSEN, CRITERIA.keys(), session.recipe().criterion.name)


def _use() -> None:
    name = _criterion().now()
    if name != session.recipe().criterion.name:
        session.attempt(
            session.set_recipe, replace(session.recipe(), criterion=Choice(name)), f"criterion {name}"
        )


# --------------------------------------------------------------------------- do they agree?


def _status() -> None:
    state, ratings = session.lane_state(LANE), _ratings()
    layout.draw_notice(session.notice())
    if session.is_cancelled(LANE, _key()) and ratings is None:
        st.caption("Stopped.")
        st.button("Go on", "resume criteria", on_click=session.resume, args=(LANE,), type="tertiary")
    elif state.error and state.key == _key():
        layout.draw_notice(state.error)
    elif state.busy:
        with st.container(horizontal=True, vertical_alignment="center"):
            layout.draw_share(*_share(state, "Collecting what criteria look at"))
            st.button("Stop", "stop criteria", on_click=session.cancel, args=(LANE, _key()), type="tertiary")
    elif ratings is not None and ratings.left_out:
        with st.expander(f"{len(ratings.left_out)} criteria cannot rate this model"):
            for name, why in ratings.left_out.items():
                st.caption(f"**{layout.plain(name)}**: {layout.plain(why)}")


def _share(state: JobState, first: str) -> tuple[float, str]:
    progress = state.progress
    if progress is None or not progress.total:
        return 0.0, f"{first} …"
    return progress.done / progress.total, f"{progress.label}: {progress.done:,} of {progress.total:,}"


def _matrix() -> None:
    measure = COMPARED.switch("Compared by", label_visibility="collapsed")
    st.plotly_chart(
        criteria_agreement(_found(), measure), width="stretch", key="criteria chart", config=PLAIN
    )
    mean = " The mean over all groups." if _group() == ALL else ""
    st.caption(f"{TITLES[measure]}. {MEANINGS[measure]}{mean}")


def _disputed_facet() -> Hashable:
    state = session.lane_state(LANE)
    return _key(), _group(), _ratio(), state.version, disputed_channels.facet()


# --------------------------------------------------------------------------- who is right?


def _duel_facet() -> Hashable:
    return _duel_job().key, asked_news(DUEL_LANE)


def _measurement() -> Callable[[], Work[Duel]]:
    model, recipe, plan, how = (
        session.model(),
        session.recipe(),
        DuelPlan(_group(), _ratio()),
        session.conditions(),
    )
    how = replace(how, samples=min(SAMPLES, how.samples or SAMPLES))
    return lambda: duel(model, recipe, plan, how)


def _draw_duel() -> None:
    if session.subject().task is None:
        st.caption(
            "This model came without data, so nothing can be measured; add some with --data when starting."
        )
        return
    job = _duel_job()
    state, duel = job.state(_measurement()), job.value(Duel)
    own = job.asked or state.key == job.key
    with st.container(horizontal=True, vertical_alignment="center"):
        if state.busy and own:
            layout.draw_share(*_share(state, "Waiting for its turn"))
            st.button("Stop", "stop duel", on_click=lambda: _duel_job().stop(), type="tertiary")
        elif duel is None or not duel.finished:
            st.button(
                "Measure it",
                "start duel",
                MEASURE_HELP,
                lambda: _duel_job().start(),
                type="primary",
                icon=":material/balance:",
            )
    if state.error and own:
        layout.draw_notice(state.error)
    if duel is None:
        metric = metric_title(session.scale().metric)
        st.caption(
            f"The {metric} that is left if {'every group' if _group() == ALL else 'this group'} loses "
            f"{100 * _ratio():.0f} % of its channels by each criterion."
        )
        st.html(sketches.duel(SKETCHED, CAPTION))
        return
    st.plotly_chart(criteria_duel(duel), width="stretch", key="duel chart", config=PLAIN)
    st.caption(layout.plain(verdict(duel)))


def verdict(duel: Duel) -> str:
    """Return which criterion lost least, which beat random choice, and how it was measured."""
    named = [name for name in duel.order if name != CONTROL]
    some = next(iter(duel.reports.values()))[0]
    repair = "" if some.recipe.after == "none" else f" with {some.recipe.after}"
    how = (
        f"First {some.pruned.samples:,} samples of the tuning split, one-shot{repair}, no other fader; "
        f"intervals at level {100 * duel.level:.2f} % each, so that together they hold at 95 %."
    )
    if not named:
        return how
    drop, better = duel.reports[named[0]][0].drop, duel.beats_chance
    least = f"{named[0]} loses least: {format_drop(drop)}. " if drop else ""
    if not duel.finished:
        return f"{least}So far. {how}"
    seeds = len(duel.reports.get(CONTROL, ()))
    who = f"Better than each of {seeds} random choices, beyond noise: {', '.join(better) or 'none'}. "
    return f"{least}{who}{how}"
