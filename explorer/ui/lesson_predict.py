"""The learner's prediction: a curve by sliders, a number, or one of some answers; locked in before anything is measured."""

import streamlit as st

from ..figures.lesson_curve import lesson_curve
from ..lessons.scoring import Guess
from ..lessons.values import Lesson
from . import learner, session

START, SLIDERS_A_ROW = 0.9, 3  # a straight fall from full to guessing is nobody's hint


def draw(lesson: Lesson) -> None:
    """The question, its widgets, and the button that locks the answer in."""
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
    experiment, known = lesson.experiment, _known(lesson)
    points = experiment.points_of(experiment.arm(lesson.prediction.arm))
    before = known if isinstance(known, dict) else {}
    guess: dict[float, float] = {}
    for start in range(0, len(points), SLIDERS_A_ROW):
        columns = st.columns(SLIDERS_A_ROW, gap="medium")
        for x, column in zip(points[start : start + SLIDERS_A_ROW], columns, strict=False):
            key = session.start_from(_key(lesson, x), round(100 * before.get(x, 1 - START * x)))
            guess[x] = column.slider(f"Accuracy at {100 * x:g} %", 0, 100, key=key, format="%d %%") / 100
    drawn = lesson_curve(experiment, None, guess)
    drawn.update_layout(title_text="", height=300, margin={"t": 20}, showlegend=False)
    st.plotly_chart(drawn, width="stretch", key=_key(lesson, "figure"), config={"displayModeBar": False})
    if st.button("Lock it in and measure", _key(lesson, "lock"), type="primary", icon=":material/lock:"):
        _lock(lesson, guess)
        st.rerun()


# --------------------------------------------------------------------------- a number, an answer


def _number(lesson: Lesson) -> None:
    known = _known(lesson)
    key = session.start_from(_key(lesson), round(100 * known) if isinstance(known, float) else 50)
    st.slider("Your estimate", 0, 120, key=key, format="%d %%")
    st.button("Lock it in and measure", _key(lesson, "lock"), type="primary", icon=":material/lock:", on_click=_lock_number,
              args=(lesson,))  # fmt: skip


def _lock_number(lesson: Lesson) -> None:
    _lock(lesson, session.shown(_key(lesson), 50) / 100)


def _options(lesson: Lesson) -> None:
    known, texts = _known(lesson), [option.text for option in lesson.prediction.options]
    key = session.start_from(_key(lesson), texts[known] if isinstance(known, int) else None)
    chosen = st.radio("Your answer", texts, key=key, label_visibility="collapsed")
    st.button("Lock it in and measure", _key(lesson, "lock"), type="primary", icon=":material/lock:", disabled=chosen is None,
              on_click=_lock_option, args=(lesson, texts))  # fmt: skip


def _lock_option(lesson: Lesson, texts: list[str]) -> None:
    chosen = session.shown(_key(lesson))
    if chosen in texts:
        _lock(lesson, texts.index(chosen))
