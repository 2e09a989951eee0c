"""Shows which parts of a task a cut hurts, for tasks that are no classification: classes of pixels, sizes of
objects, ranges of the target, positions and frequency of tokens.
"""

from collections.abc import Hashable, Sequence
from typing import Any

import streamlit as st

from ...background.lane import Lane
from ...figures.group_values import group_values
from ...measuring.metric_words import metric_heading, metric_title
from ...measuring.number_words import format_drop, format_value, measured_words
from ...studies.who_pays import GroupedChange, SampleChange, WhoPays, who_pays
from .. import session
from ..drawing import gallery, layout
from ..drawing.offers import Offer
from ..drawing.png import is_picture, pixels_of
from ..live.figure import in_place
from ..live.pushed import LiveValue, pushed
from ..live.regions import watched
from ..prune import starting_points
from .answer_pictures import number_lines, three_pictures
from .own_pictures import changes_drawn

LANE = Lane("who pays")
EMPTY = (
    "**Nothing is removed yet**, so before and after are the same. Begin with one of these recipes, or drag "
    "faders on the **Prune** page."
)
NO_DATA = (
    "This model came without data: the answers of the pruned and the dense model to random inputs are "
    "compared. Add inputs with --data when starting; they need no labels."
)
NO_GROUPS = "This metric is not divided into groups; the samples below are compared one by one."
GROUP_WORDS = (
    "Bars are the 95 % interval of each group alone, paired on the same samples. Orange marks what stays "
    "beyond noise when all groups are judged together (Bonferroni); few samples per group make wide bars."
)
LONGEST = 90  # characters of a text that are shown
DIRECTIONS = {"worse": "Worse now", "better": "Better now"}


def _key() -> Hashable:
    return (session.task_key(), session.recipe().fingerprint, session.conditions())


def begin() -> None:
    """Measure the groups of the current recipe, unless they are known."""
    model, recipe, conditions = session.model(), session.recipe(), session.conditions()
    session.job(LANE, _key(), lambda: who_pays(model, recipe, conditions))


def _known() -> WhoPays | None:
    state = session.lane_state(LANE)
    return state.value if state.key == _key() else None


def _news() -> Hashable:
    return _key(), session.versions([LANE])[LANE]


def draw() -> None:
    """Draw the whole page, in regions that follow the measurement."""
    begin()
    if session.subject().task is None:
        st.info(NO_DATA, icon=":material/info:")
    if session.recipe().is_empty:
        starting_points.draw(EMPTY)
    watched("groups status", _status, LANE, progress=True)
    watched("groups cards", _cards, LANE)
    st.header("Which groups lose", anchor=False)
    watched("groups kind", _draw_groups, LANE, facet=_titles)
    st.header("Samples that changed most", anchor=False)
    watched("groups samples", _samples, LANE)


# --------------------------------------------------------------------------- regions


def _status() -> None:
    state, known = session.lane_state(LANE), _known()
    if session.is_cancelled(LANE, _key()):
        st.caption(f"Stopped after {known.samples:,} of {known.total:,} samples." if known else "Stopped.")
        st.button("Go on", "resume groups", on_click=session.resume, args=(LANE,), type="tertiary")
    elif state.error and state.key == _key():
        layout.draw_notice(state.error)
    elif state.busy:
        with st.container(horizontal=True, vertical_alignment="center"):
            now = state.progress
            words = f"{now.label}: {now.done:,} of {now.total:,}" if now else "Pruning, then measuring"
            layout.draw_share(now.done / max(1, now.total) if now else 0, words)
            st.button("Stop", "stop groups", on_click=session.cancel, args=(LANE, _key()), type="tertiary")
    elif known is not None:
        where = "from the tuning split, which you decide on" if session.subject().task else "random inputs"
        st.caption(f"All {known.total:,} requested samples were answered by both models. They are {where}.")


def _cards() -> None:
    known = _known()
    if known is None:
        st.caption("Waiting for the first samples …")
        return
    with st.container(horizontal=True, gap="medium", key="cards"):
        for label, value, notes, help in _facts(known):
            with st.container(gap=None):
                st.metric(label, value, help=help)
                st.caption("  \n".join(layout.plain(note) for note in notes))


def _facts(known: WhoPays) -> list[tuple[str, str, list[str], str]]:
    """Return label, value, small print and meaning."""
    now, words = known.after, measured_words(known.after, known.total)
    facts = [
        (
            metric_heading(now.metric),
            format_value(now.value or 0.0, now.unit),
            [f"{words.reach}, {words.counted}" if words else "", f"change {format_drop(known.drop)}"],
            "Of the pruned model. The range is a 95 % interval; the change is paired.",
        )
    ]
    for kind in known.kinds:
        hurt = [group for group in kind.groups if group.hurt]
        facts.append(
            (
                f"{kind.title} hurt",
                f"{len(hurt):,} of {len(kind.groups):,}",
                ["beyond noise, judged together" if known.finished else "so far; more samples may add some"],
                "Bonferroni's correction: with several groups some differ by chance alone.",
            )
        )
    if any(known.changed):
        worse, better = known.changed
        facts.append(
            (
                "Samples that changed",
                f"{worse + better:,}",
                [f"{worse:,} worse", f"{better:,} better"],
                "An equal average can hide many changes in both directions.",
            )
        )
    return facts


def _titles() -> Hashable:
    """Return a value that changes when other kinds of groups can be chosen."""
    known = _known()
    return _key(), tuple(kind.title for kind in known.kinds) if known else None


def _kinds() -> dict[str, GroupedChange]:
    known = _known()
    return {kind.title: kind for kind in known.kinds} if known else {}


def _offer() -> Offer:
    return Offer("groups shown", list(_kinds()))


def _draw_groups() -> None:
    known = _known()
    if known is not None and not known.kinds:
        st.caption(NO_GROUPS)
        return
    if len(_kinds()) > 1:
        _offer().switch("Groups", label_visibility="collapsed")
    pushed("groups figure", LiveValue("figure", _figure, lambda: (_news(), _chosen()), (LANE,)))


def _chosen() -> str:
    return _offer().now() if _kinds() else ""


def _figure() -> dict[str, Any]:
    kind = _kinds().get(_chosen())
    left = kind.left_out if kind else 0
    gone = f" {left:,} groups with fewer than two samples are left out." if left else ""
    return in_place(group_values(kind), (session.subject().id, _chosen()), GROUP_WORDS + gone)


def _samples() -> None:
    known = _known()
    if known is None:
        st.caption("Waiting for the first samples …")
        return
    counts = dict(zip(DIRECTIONS, known.changed, strict=True))
    options = {name: f"{words} ({counts[name]:,})" for name, words in DIRECTIONS.items()}
    direction = Offer("samples shown", options, "worse").switch("Direction", label_visibility="collapsed")
    changes: tuple[SampleChange, ...] = getattr(known, direction)
    if not changes:
        st.caption("None." if known.finished else f"None among the first {known.samples:,} samples.")
        return
    _draw_changes(known, changes)
    metric = metric_title(known.after.metric or "accuracy")
    st.caption(f"{len(changes):,} of {counts[direction]:,}, those first whose {metric} changed most.")


def excerpt(text: str) -> str:
    """Return the beginning of a text on one line.

    >>> excerpt("def f(x):\\n    return x")
    'def f(x): return x'
    """
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= LONGEST else f"{line[:LONGEST]} …"


def _draw_changes(known: WhoPays, changes: Sequence[SampleChange]) -> None:
    """Draw the samples with their answers; while these are not there, or cannot be drawn, as a table."""
    task, unit = session.subject().task, known.after.unit
    if known.answers and all(change.sample in known.answers for change in changes):
        drawn = changes_drawn(session.subject(), [known.answers[c.sample] for c in changes], changes, unit)
        if drawn:
            st.html(drawn)
            return
    answers = [known.answers[change.sample] for change in changes if change.sample in known.answers]
    split = task.split("tuning") if task is not None else None
    is_drawn = is_picture(tuple(session.subject().example.shape[1:]))
    if len(answers) < len(changes) or split is None or not (is_drawn or answers[0].kind == "numbers"):
        columns = {"sample": [f"{change.sample:,}" for change in changes]}
        columns["before"] = [format_value(change.before, unit) for change in changes]
        columns["after"] = [format_value(change.after, unit) for change in changes]
        text = session.subject().text
        if text is not None and split is not None:
            windows = [split.inputs_at(change.sample, change.sample + 1)[0] for change in changes]
            columns["text"] = [excerpt(text.decode(window.flatten().tolist())) for window in windows]
        st.dataframe(columns, hide_index=True, placeholder=layout.NOTHING, width="content")
        return
    scale, tiles = task.normalisation.scale if task else 1.0, []
    for change, answer in zip(changes, answers, strict=True):
        values = f"{format_value(change.before, unit)} before, {format_value(change.after, unit)} now"
        lines = (f"sample {change.sample:,}", values)
        sample = split.inputs_at(change.sample, change.sample + 1)[0] if is_drawn else None
        if answer.kind == "numbers":
            picture = None if sample is None else pixels_of(sample, scale)
            tiles.append(gallery.tile(picture, (*lines, *number_lines(answer))))
        elif sample is not None:
            tiles.append(gallery.tile(three_pictures(sample, scale, answer), lines))
    if answers[0].kind == "numbers":
        st.html(gallery.gallery(tiles, tile_rem=9.5))
    else:
        st.html(gallery.gallery(tiles, tile_rem=19.0, picture_rem=18.0, aspect=3.0))
        st.caption("Left the truth, in the middle the dense model, on the right the pruned model.")
