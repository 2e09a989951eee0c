"""The learner's prediction: a drawn curve, a number, or one of several answers; locked in before anything is
measured.
"""

from functools import partial
from typing import Any

import streamlit as st

from ...lessons.prediction_scores import Guess
from ...lessons.values import Lesson
from ...words import LABELS
from .. import session
from ..browser import elements
from ..drawing.offers import ShownOffer
from . import learner

START = 0.9  # a straight fall from full accuracy to guessing gives nothing away


def draw(lesson: Lesson) -> None:
    """Draw the question, its widgets, and the button that locks the answer in."""
    st.subheader("Your prediction", anchor=False)
    st.markdown(f"The claim: *{lesson.claim.text}*")
    st.markdown(f"**{lesson.prediction.question}**")
    {"curve": _curve, "number": _number}.get(lesson.prediction.kind, _options)(lesson)


def _key(lesson: Lesson, what: object = "") -> str:
    return f"guess {lesson.name} {what}"


def _known(lesson: Lesson) -> Guess | None:
    return learner.current().guesses.get(lesson.name)


def _lock(lesson: Lesson, guess: Guess) -> None:
    learner.note("guesses", lesson.name, guess)
    learner.change(step=learner.steps(lesson).index(learner.MEASURE))


# --------------------------------------------------------------------------- a curve


@st.fragment
def _curve(lesson: Lesson) -> None:
    axis, up = lesson.experiment.axis, LABELS["accuracy"]
    drawn = _drawn(lesson)
    st.caption(
        "Draw with the pointer from left to right, or move one point: Tab chooses it, the arrow keys shift "
        "it."
    )
    data = {
        "name": lesson.name,
        "points": [100 * x for x in drawn],
        "values": [round(100 * y) for y in drawn.values()],
        "label": up,
        "across": f"{axis} (%)",
        "up": f"{up} (%)",
    }
    elements.draw("sketch", data, key=_key(lesson, "sketch"), on_drawn_change=partial(take, lesson))
    if _lock_button(lesson, is_said=_curve_of(lesson) is not None):
        _lock(lesson, _drawn(lesson))
        st.rerun()


def _lock_button(lesson: Lesson, *, is_said: bool, **events: Any) -> bool:
    """Draw the button that locks an answer in, once there is one: a value that the page began with is not a
    prediction.
    """
    return st.button(
        "Lock it in and measure",
        _key(lesson, "lock"),
        None if is_said else "Say what you expect first.",
        type="primary",
        icon=":material/lock:",
        disabled=not is_said,
        **events,
    )


def _curve_of(lesson: Lesson) -> Any:
    """Return the curve that was drawn now, or locked in before; None if none was."""
    return session.recalled(_key(lesson, "curve")) or _known(lesson)


def _drawn(lesson: Lesson) -> dict[float, float]:
    """Return the current curve: drawn, locked before, or a straight fall."""
    points = lesson.experiment.points_of(lesson.experiment.arm(lesson.prediction.arm))
    known = _curve_of(lesson)
    return (
        dict(known)
        if isinstance(known, dict) and set(known) == set(points)
        else {x: 1 - START * x for x in points}
    )


def take(lesson: Lesson) -> None:
    """Keep what the browser says was drawn: a number from 0 to 100 for each point; anything else is
    ignored.
    """
    message = session.event(_key(lesson, "sketch"), "drawn")
    told = message.get("values") if isinstance(message, dict) else None
    points = lesson.experiment.points_of(lesson.experiment.arm(lesson.prediction.arm))
    if isinstance(told, list) and len(told) == len(points) and all(map(_is_per_cent, told)):
        session.remember(
            _key(lesson, "curve"), {x: value / 100 for x, value in zip(points, told, strict=True)}
        )


def _is_per_cent(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 100


# --------------------------------------------------------------------------- a number, an answer


def _number(lesson: Lesson) -> None:
    known = _known(lesson)
    key = session.start_from(_key(lesson), round(100 * known) if isinstance(known, float) else 50)
    moved, said = session.remember, _key(lesson, "moved")
    st.slider("Your estimate", 0, 120, key=key, format="%d %%", on_change=moved, args=(said, True))
    st.caption("Move it to what you expect; where it begins says nothing.")
    is_said = session.recalled(said, False) or isinstance(known, float)
    _lock_button(lesson, is_said=is_said, on_click=_lock_number, args=(lesson,))


def _lock_number(lesson: Lesson) -> None:
    _lock(lesson, session.shown(_key(lesson), 50) / 100)


def _options(lesson: Lesson) -> None:
    offer = _offer(lesson)
    offer.as_radio("Your answer", label_visibility="collapsed")
    _lock_button(lesson, is_said=offer.value is not None, on_click=_lock_option, args=(lesson,))


def _offer(lesson: Lesson) -> ShownOffer:
    """Return the answers, and the one that is picked but not locked in yet."""
    texts = {place: option.text for place, option in enumerate(lesson.prediction.options)}
    known, name = _known(lesson), _key(lesson, "picked")
    picked = session.recalled(name, known if isinstance(known, int) else None)
    return ShownOffer(_key(lesson), texts, picked, partial(session.remember, name))


def _lock_option(lesson: Lesson) -> None:
    picked = _offer(lesson).value
    if picked is not None:
        _lock(lesson, picked)
