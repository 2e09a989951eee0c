"""Shows which classes a cut hurts: classes, confusions, flipped samples, reliability. Measured in the
background.
"""

from collections.abc import Hashable
from typing import Any

import streamlit as st
from torch import Tensor

from ...background.lane import Lane
from ...figures.class_accuracy import class_accuracy
from ...figures.class_accuracy import height_of as class_accuracy_height
from ...figures.confusion import Which, confusion
from ...figures.confusion import height_of as confusion_height
from ...figures.reliability_diagram import HEIGHT as RELIABILITY_HEIGHT
from ...figures.reliability_diagram import reliability_diagram
from ...measuring.number_words import accuracy_words, format_drop
from ...studies.behaviour import FLIP_KINDS, Behaviour, FlipKind, compare
from ...studies.own_shown import sample_shown
from ...studies.reliability import BINS
from ...values.subject import Task
from ...words import GLOSSARY
from .. import session
from ..drawing import gallery, layout
from ..drawing.offers import Offer
from ..drawing.png import is_picture
from ..live.figure import awaited, bring_plotly, in_place
from ..live.pushed import LiveValue, pushed
from ..live.regions import watched
from ..prune import starting_points
from . import who_pays

LANE = Lane("behaviour")
SHOWN_FLIPS = 24
CARDS_REM, FLIPS_REM = 8.4, 40.0  # heights of what is still measured
WORDS_REM = 2.8  # height of the words under a figure
KINDS: dict[FlipKind, str] = {
    "lost": "Right before, wrong now",
    "gained": "Wrong before, right now",
    "moved": "Wrong before, wrong in another way",
}
SIDES: dict[Which, str] = {"difference": "Difference", "before": "Before", "after": "After"}
SIDE = Offer("confusion side", SIDES, "difference")
OF_DENSE = Offer("confusion of the dense model", ["before"])
CLASSES_WORDS = (
    "Bars are the 95 % interval of each class alone, paired on the same samples. Orange marks what stays "
    "beyond noise when all classes are judged together (Holm); few samples per class make wide bars."
)
CONFUSION_WORDS = (
    "Orange is worse: a confusion that comes more often, or on the diagonal a right answer that comes less "
    "often. Purple is better. Numbers count samples; colours are shares of the true class."
)


def _key() -> Hashable:
    return (session.task_key(), session.recipe().fingerprint, session.conditions())


def begin() -> None:
    """Measure the predictions of the current recipe, unless they are known."""
    model, recipe, conditions = session.model(), session.recipe(), session.conditions()
    session.job(LANE, _key(), lambda: compare(model, recipe, conditions))


def _found() -> Behaviour | None:
    """Return what is known about the current recipe."""
    state = session.lane_state(LANE)
    return state.value if state.key == _key() else None


def _news() -> Hashable:
    return _key(), session.versions([LANE])[LANE]


def draw() -> None:
    """Draw the whole page, in regions that follow the measurement."""
    task = session.subject().task
    if task is None or not task.tells_classes:
        bring_plotly()
        who_pays.draw()
        return
    begin()
    bring_plotly()
    _reserve()
    if session.recipe().is_empty:
        starting_points.draw(who_pays.EMPTY)
    with st.container(key="behaviour status place"):
        watched("behaviour status", _status, LANE, progress=True)
    with st.container(key="behaviour cards place"):
        watched("behaviour cards", _cards, LANE)
    st.header("Which classes lose", anchor=False)
    pushed("behaviour classes", LiveValue("figure", _classes, _news, (LANE,)))
    st.header("Which classes are confused", anchor=False)
    watched("confusion side", _draw_confusion, facet=lambda: None)  # a click redraws only this
    st.header("Samples whose answer changed", anchor=False)
    watched("behaviour flips", _flips, LANE, facet=_flips_facet)
    st.header("How sure the model is", anchor=False)
    pushed("behaviour reliability", LiveValue("figure", _reliability, _news, (LANE,)))


# --------------------------------------------------------------------------- regions


def _status() -> None:
    state, behaviour = session.lane_state(LANE), _found()
    if session.is_cancelled(LANE, _key()):
        st.caption(
            "Stopped."
            if behaviour is None
            else f"Stopped after {behaviour.samples:,} of {behaviour.total:,} samples."
        )
        st.button("Go on", "resume behaviour", on_click=session.resume, args=(LANE,), type="tertiary")
    elif state.error and state.key == _key():
        layout.draw_notice(state.error)
    elif state.busy:
        with st.container(horizontal=True, vertical_alignment="center"):
            done, total = (state.progress.done, state.progress.total) if state.progress else (0, 0)
            words = (
                f"{state.progress.label}: {done:,} of {total:,}"
                if state.progress
                else "Pruning, then measuring the first samples"
            )
            layout.draw_share(done / max(1, total), words)
            st.button("Stop", "stop behaviour", on_click=session.cancel, args=(LANE, _key()), type="tertiary")
    elif behaviour is not None:
        st.caption(
            f"All {behaviour.total:,} requested samples were answered by both models. They are from the "
            "tuning split, which you decide on."
        )


def _cards() -> None:
    behaviour = _found()
    if behaviour is None:
        layout.draw_room("Counting how often both models give the same answer …", CARDS_REM)
        return
    with st.container(horizontal=True, gap="medium", key="cards"):
        for label, value, notes, help in _facts(behaviour):
            with st.container(gap=None):
                st.metric(label, value, help=help)
                st.caption("  \n".join(layout.plain(note) for note in notes))


def _facts(behaviour: Behaviour) -> list[tuple[str, str, list[str], str]]:
    """Return label, value, small print and meaning."""
    share, low, high = behaviour.agreement
    counts, before, after = behaviour.flip_counts, behaviour.before.reliability, behaviour.after.reliability
    now = accuracy_words(behaviour.after.correct, behaviour.samples, behaviour.total)
    hurt = [change for change in behaviour.classes if change.differs and change.drop.estimate > 0]
    return [
        (
            "Same answer",
            f"{share * 100:.1f} %",
            [f"{low * 100:.1f} to {high * 100:.1f} %, {behaviour.samples:,} of {behaviour.total:,}"],
            "How often both models predict the same class, right or wrong, with a 95 % interval.",
        ),
        (
            "Answers that flip",
            f"{sum(counts.values()):,}",
            [
                f"{counts['lost']:,} right to wrong",
                f"{counts['gained']:,} wrong to right",
                f"{counts['moved']:,} wrong to wrong",
            ],
            "Equal accuracy can hide many flips in both directions.",
        ),
        (
            "Accuracy",
            f"{behaviour.after.correct / behaviour.samples * 100:.1f} %",
            [f"{now.reach}, {now.counted}", f"change {format_drop(behaviour.drop)}"],
            "Of the pruned model. The range is a 95 % interval; the change is paired.",
        ),
        (
            "Classes hurt",
            f"{len(hurt):,} of {len(behaviour.classes):,}",
            ["beyond noise, judged together" if behaviour.finished else "so far; more samples may add some"],
            "Holm's correction: with so many classes some differ by chance alone.",
        ),
        (
            "Calibration error",
            f"{after.ece * 100:.1f} points",
            [
                f"dense {before.ece * 100:.1f} points",
                f"a calibrated model would show about {after.chance * 100:.1f}",
            ],
            GLOSSARY["reliability"],
        ),
    ]


def _classes() -> dict[str, Any]:
    if _found() is None:
        height = class_accuracy_height(_classes_of_task())
        return awaited(height, "Counting the right answers of each class …", CLASSES_WORDS)
    return in_place(class_accuracy(_found()), session.subject().id, CLASSES_WORDS)


def _classes_of_task() -> int:
    task = session.subject().task
    return len(task.class_names) if task else 0


def _reserve() -> None:
    """Give each figure its height before it is drawn, so that nothing below it moves."""
    heights = {
        "classes": class_accuracy_height(_classes_of_task()),
        "confusion": confusion_height(_classes_of_task()),
        "reliability": RELIABILITY_HEIGHT,
    }
    rules = (
        f".st-key-behaviour-{name} {{ min-height: calc({height}px + {WORDS_REM}rem); }}"
        for name, height in heights.items()
    )
    st.html(f"<style>{' '.join(rules)}</style>")


def _side() -> Offer:
    """Return which matrices can be seen: while nothing is removed, there is but one."""
    return OF_DENSE if session.recipe().is_empty else SIDE


def _chosen_side() -> Which:
    return _side().now()


def _draw_confusion() -> None:
    if not session.recipe().is_empty:
        SIDE.switch("Shown", label_visibility="collapsed")
    value = LiveValue("figure", _confusion, lambda: (_news(), _chosen_side()), (LANE,))
    pushed("behaviour confusion", value)


def _confusion() -> dict[str, Any]:
    which = _chosen_side()
    words = CONFUSION_WORDS if which == "difference" else ""
    if _found() is None:
        height = confusion_height(_classes_of_task())
        return awaited(height, "Counting what each class is taken for, before and after …", words)
    return in_place(confusion(_found(), which), session.subject().id, words)


def _flips_facet() -> Hashable:
    """Return a value that changes when flips are redrawn: pictures are slow, so only for the first samples
    and for all, not at each look in between.
    """
    found = _found()
    return _key(), found is not None, found is not None and found.finished


def _flips() -> None:
    behaviour, task = _found(), session.subject().task
    if behaviour is None or task is None:
        layout.draw_room("Looking for samples whose answer changes …", FLIPS_REM)
        return
    counts = {kind: behaviour.flip_counts[kind] for kind in FLIP_KINDS}
    kinds = {kind: f"{words} ({counts[kind]:,})" for kind, words in KINDS.items()}
    kind = Offer("flip kind", kinds, "lost").switch("Kind", label_visibility="collapsed")
    flips = [flip for flip in behaviour.flips if flip.kind == kind]
    if not flips:
        st.caption("None." if behaviour.finished else f"None among the first {behaviour.samples:,} samples.")
        return
    shown = flips[:SHOWN_FLIPS]
    st.html(gallery.flips(shown, *_pictures(task, [flip.sample for flip in shown]), behaviour.name))
    so_far = "" if behaviour.finished else f" Of the first {behaviour.samples:,} samples; the rest follows."
    st.caption(
        f"{len(shown):,} of {counts[kind]:,}, those first whose true class lost or gained most probability. "
        f"Percentages are how sure each model was of its own answer.{so_far}"
    )


def _pictures(task: Task, numbers: list[int]) -> tuple[list[Tensor | str] | None, float | None]:
    """Return samples of the tuning split as the task shows them, or else as they are stored, and their
    scale.
    """
    split = task.split("tuning")
    if split is None:
        return None, None
    if task.show is not None:
        return [sample_shown(task, split, number) for number in numbers], None
    stored = [split.inputs[number] for number in numbers] if is_picture(task.shape) else None
    return stored, task.normalisation.scale


def _reliability() -> dict[str, Any]:
    behaviour = _found()
    if behaviour is None:
        return awaited(RELIABILITY_HEIGHT, "Comparing how sure both are with how often they are right …")
    before, after = (100 * side.reliability.ece for side in (behaviour.before, behaviour.after))
    words = (
        f"Expected calibration error, {BINS} bins, {behaviour.samples:,} samples: {before:.1f} points "
        f"before, {after:.1f} after. Below the dashed line the model is more confident than it is "
        "accurate. Larger dots hold more samples; bars cover 95 %."
    )
    return in_place(reliability_diagram(behaviour), session.subject().id, words)
