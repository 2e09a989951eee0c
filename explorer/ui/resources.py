"""What all sessions of the process share: subjects, their graphs, and the worker. Bounded, since closed sessions linger."""

import atexit

import streamlit as st
from streamlit.runtime import exists, get_instance

from ..graph.export import ModelGraph, analyse
from ..jobs import Lanes
from ..values import Subject
from .settings import current

KEPT_SUBJECTS = 4


@st.cache_resource(max_entries=KEPT_SUBJECTS, show_spinner="Loading the model ...")
def load_subject(name: str) -> Subject:
    """The subject of an offered model; shared between sessions, so never modified."""
    return current().load(name)


@st.cache_resource(max_entries=KEPT_SUBJECTS, show_spinner="Finding out which channels belong together ...")
def load_graph(name: str) -> ModelGraph:
    """The graph of an offered model."""
    return analyse(load_subject(name))


@st.cache_resource(show_spinner=False)
def lanes() -> Lanes:
    """The one background worker; joined at exit, since a thread inside torch would abort the process."""
    made = Lanes(_is_active)
    atexit.register(made.shutdown)
    return made


def _is_active(session: str) -> bool:
    return not exists() or get_instance().is_active_session(session)
