"""The Learn page: the list of lessons, or one lesson, one idea per screen."""

import streamlit as st

from ...lessons.values import Lesson, Section
from ...words import GLOSSARY
from ..drawing import layout
from ..drawing.offers import ShownOffer
from ..frame import attendance
from ..shared import settings
from . import class_board, learner, lesson_ending, lesson_predict, lesson_steps, lesson_verdict

COLUMN = 860  # pixels: a readable column of text
INTRO = (
    "Short lessons on what pruning does to a neural network. In each you first **predict**, then the "
    "program **measures** on a real network, here and now, and then says what the measurement shows: "
    "*holds*, *holds only when*, or *does not hold here*."
)


def draw() -> None:
    """Draw the page."""
    known, now = settings.current().lessons, learner.current()
    if now.lesson in known:
        lesson = known[now.lesson]
        attendance.note(f"Learn: lesson {lesson.number}, {learner.steps(lesson)[now.step]}")
        _draw_lesson(known[now.lesson], now)
    else:
        class_board.draw()
        _draw_list(list(known.values()), now)
    learner.write_url()


# --------------------------------------------------------------------------- the list


def _draw_list(known: list[Lesson], now: learner.Learner) -> None:
    with st.container(width=COLUMN):
        st.markdown(INTRO)
        st.caption("Lessons use their own small networks; the model in the sidebar is for the other pages.")
        st.progress(len(now.done) / len(known), f"{len(now.done)} of {len(known)} lessons done")
    with st.container(key="lessons"):
        for lesson in known:
            with st.container(border=True, height="stretch", gap="small"):
                _draw_card(lesson, lesson.name in now.done, lesson.name in now.guesses)


def _draw_card(lesson: Lesson, done: bool, begun: bool) -> None:
    st.markdown(f"**{lesson.number}. {lesson.title}**")
    st.caption(f"{lesson.summary}  \n{lesson.minutes} minutes" + (" · done" if done else ""))
    word = "Read lesson {} again" if done else "Continue with lesson {}" if begun else "Start lesson {}"
    st.button(
        word.format(lesson.number),
        f"open {lesson.name}",
        on_click=_open,
        args=(lesson.name,),
        icon=":material/check:" if done else ":material/play_arrow:",
    )


def _open(name: str) -> None:
    learner.change(lesson=name, step=0)


# --------------------------------------------------------------------------- one lesson


def _draw_lesson(lesson: Lesson, now: learner.Learner) -> None:
    st.button(
        "All lessons",
        "all lessons",
        on_click=_open,
        args=("",),
        type="tertiary",
        icon=":material/arrow_back:",
    )
    st.header(f"{lesson.number}. {lesson.title}", anchor=False)
    names = learner.steps(lesson)
    step = names[now.step]
    steps = dict(enumerate(names))
    ShownOffer("lesson_step", steps, now.step, _go).as_pills("Step", label_visibility="collapsed")
    with st.container(width=COLUMN, key="lesson"):
        _draw_step(lesson, step, now.step)
        _draw_turns(lesson, names, now.step)


def _draw_step(lesson: Lesson, step: str, place: int) -> None:
    if place < len(lesson.sections):
        section = lesson.sections[place]
        _draw_section(section)
        if section.picture:
            lesson_steps.draw_picture(lesson, section.picture)
        return
    {
        learner.PREDICT: lesson_predict.draw,
        learner.MEASURE: lesson_steps.draw_measured,
        learner.VERDICT: lesson_verdict.draw,
        learner.CHECK: lesson_ending.draw_check,
        learner.TRY: lesson_ending.draw_try,
    }[step](lesson)


def _draw_section(section: Section) -> None:
    st.subheader(section.title, anchor=False)
    st.markdown(section.text)
    draw_terms(section.terms)


def draw_terms(terms: tuple[str, ...]) -> None:
    """Draw the terms, each with its meaning."""
    if not terms:
        return
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        st.caption("Words:", width="content")
        for term in terms:
            st.markdown(f"{layout.plain(term)}", help=GLOSSARY[term], width="content")


def _draw_end(lesson: Lesson) -> None:
    """Draw the way to the next lesson; after the last one, to the list."""
    names = list(settings.current().lessons)
    following = names[names.index(lesson.name) + 1 :]
    if following:
        st.button("All lessons", "end of lesson", on_click=_open, args=("",))
        st.button("Next lesson", "next lesson", on_click=_open, args=(following[0],), type="primary")
    else:
        st.button("All lessons", "end of lesson", on_click=_open, args=("",), type="primary")


def _draw_turns(lesson: Lesson, names: tuple[str, ...], place: int) -> None:
    if place + 1 == len(names) and lesson.name not in learner.current().done:
        st.caption(f"This lesson is not done yet: answer the question under *{learner.CHECK}* correctly.")
    with st.container(horizontal=True, horizontal_alignment="distribute", key="turns"):
        st.button("Back", "step back", on_click=_go, args=(place - 1,), disabled=place == 0)
        if place + 1 < len(names):
            is_waiting = names[place] == learner.PREDICT
            st.button(
                "Skip" if is_waiting else "Next",
                "step on",
                on_click=_skip if is_waiting else _go,
                args=(place + 1,),
                type="secondary" if is_waiting else "primary",
            )
        else:
            _draw_end(lesson)


def _go(place: int) -> None:
    learner.change(step=place)


def _skip(place: int) -> None:
    now = learner.current()
    if now.lesson not in now.guesses:
        learner.note("guesses", now.lesson, None)
    _go(place)
