"""The head that every page has: its name, what it answers, of which model, and with which recipe."""

import html

import streamlit as st

from ...machine.environment import pick_device
from ...values.subject import Task
from .. import session
from ..drawing import links
from ..kept_runs.words import summary
from ..live import regions
from . import help_menu

# page -> what it answers, in one short sentence
QUESTIONS = {
    "prune": "How much can this network lose, and what does that cost? Drag a fader to find out.",
    "explore": "What is the model made of, and how large are its weights?",
    "channels": "What is each channel worth?",
    "criteria": "Which way of rating channels can you believe?",
    "structure": "How do the layers depend on each other, and is the smaller model wired correctly?",
    "behaviour": "Who loses by the cut, and on which samples?",
    "recover": "How much comes back with training?",
    "compare": "Which of your kept runs are worth what they cost?",
    "learn": "What does pruning do to a network? Predict it, measure it, and see who was right.",
    "guide": "How does everything work?",
}
OF_NO_MODEL = ("learn", "guide")  # pages that have their own models, or none
HOME = "prune"


def draw(page: str, title: str) -> None:
    """The head of a page.

    Args:
        page: name of its file.
    """
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="head"):
        st.html(heading(title, QUESTIONS.get(page, "")))
        help_menu.draw()
    if page not in OF_NO_MODEL:
        regions.watched("subject", lambda: _draw_subject(page), facet=lambda: _facts(page))


def _draw_subject(page: str) -> None:
    """Of which model and recipe, and the way to the page where both are decided."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="subject row"):
        st.html(subject_line(_facts(page)))
        if page != HOME:
            links.link(HOME, "Change the recipe", ":material/tune:")


def _facts(page: str) -> tuple[tuple[str, str], ...]:
    """What the page is about: names and values."""
    subject, task = session.subject(), session.subject().task
    data = _data(task) if task else "none"
    device = pick_device(session.device()).type
    told = [("Model", subject.name), ("Data", data), ("Device", device)]
    recipe = session.recipe()
    return (*told, ("Recipe", "nothing removed yet" if recipe.is_empty else summary(recipe)))


def _data(task: Task) -> str:
    return f"{task.name}, {len(task.class_names)} classes" if task.class_names else task.name


def heading(title: str, question: str) -> str:
    """
    >>> heading("Prune", "How much?")
    '<div class="page-head"><h1 id="page-title" tabindex="-1">Prune</h1><span>How much?</span></div>'
    """
    told = f"<span>{html.escape(question)}</span>" if question else ""
    return f'<div class="page-head"><h1 id="page-title" tabindex="-1">{html.escape(title)}</h1>{told}</div>'


def subject_line(facts: tuple[tuple[str, str], ...]) -> str:
    """
    >>> subject_line((("Model", "a<b"),))
    '<div class="page-subject"><span>Model <b>a&lt;b</b></span></div>'
    """
    told = "".join(f"<span>{html.escape(name)} <b>{html.escape(value)}</b></span>" for name, value in facts)
    return f'<div class="page-subject">{told}</div>'
