"""The end of a lesson: one question with a reason for each answer, then the recipe on the Prune page and the
sources.
"""

from functools import partial

import streamlit as st

from ...lessons.recipes import recipe_for
from ...lessons.values import Answer, Lesson
from ...machine import paths
from .. import session
from ..drawing import layout
from ..drawing.offers import ShownOffer
from ..shared import settings
from . import learner, lesson_results
from .lesson_steps import model_of

SWITCHES = (
    "This switches the page to the lesson's model and recipe. Each model keeps its own recipe: choose your "
    "model again in the sidebar, or press *Undo*."
)


def draw_check(lesson: Lesson) -> None:
    """Draw one question, with a reason for each answer."""
    st.subheader("Check yourself", anchor=False)
    answers = lesson.check.answers
    texts, given = {place: answer.text for place, answer in enumerate(answers)}, _given(lesson)
    ShownOffer(f"check {lesson.name}", texts, given, partial(_take_answer, lesson)).as_radio(
        lesson.check.question
    )
    if given is not None:
        _draw_reason(answers[given])
        if answers[given].right:
            with st.expander("And the other answers?"):
                st.markdown(
                    "\n".join(f"- *{other.text}* {other.reason}" for other in answers if not other.right)
                )


def _draw_reason(answer: Answer) -> None:
    (st.success if answer.right else st.warning)(
        answer.reason, icon=":material/check:" if answer.right else ":material/replay:"
    )


def _given(lesson: Lesson) -> int | None:
    """Return the position of the learner's answer."""
    return learner.current().answers.get(lesson.name)


def _take_answer(lesson: Lesson, place: int) -> None:
    learner.note("answers", lesson.name, place)
    if lesson.check.answers[place].right:
        learner.change(done=learner.current().done | {lesson.name})


def draw_try(lesson: Lesson) -> None:
    """Draw the button that opens the lesson's recipe on the Prune page, and the sources of the claims."""
    st.subheader("Try it yourself", anchor=False)
    st.markdown(lesson.try_it.text)
    st.caption(SWITCHES)
    model = lesson.experiment.arm(lesson.try_it.arm).model or model_of(lesson)
    if model not in settings.current().offered:
        st.caption(layout.plain(f"Start the program without a list of models, or with {model}, to open it."))
    elif st.button("Open it on the Prune page", f"try {lesson.name}", type="primary", icon=":material/tune:"):
        session.attempt(_open_recipe, lesson, model)
        if session.notice() is None:
            st.switch_page(paths.pages().resolve() / "prune.py")
        layout.draw_notice(session.notice())
    st.markdown("**Sources**")
    st.markdown("\n".join(f"- [{s.text}]({s.url})" if s.url else f"- {s.text}" for s in lesson.sources))


def _open_recipe(lesson: Lesson, model: str) -> None:
    """Open the lesson's recipe.

    Raises:
        ExplorerError: the recipe does not fit.
    """
    experiment = lesson.experiment
    recipe = recipe_for(
        lesson_results.opened(model),
        experiment,
        experiment.arm(lesson.try_it.arm),
        lesson.try_it.x,
    )
    session.set_model(model)
    session.set_recipe(recipe, f"lesson {lesson.number}")
