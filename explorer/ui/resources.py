"""What all sessions of the process share: subjects, their graphs, and the worker. Bounded, since closed sessions linger."""

import atexit
import threading
from collections import OrderedDict

import streamlit as st
from streamlit.runtime import exists, get_instance

from ..errors import ExplorerError
from ..graph.export import ModelGraph, analyse
from ..jobs import Lanes
from ..values import Subject
from .settings import current

KEPT_SUBJECTS = 4
UPLOADED = "upload:"
_uploads: "OrderedDict[str, Subject]" = OrderedDict()
_uploading = threading.Lock()


@st.cache_resource(max_entries=KEPT_SUBJECTS, show_spinner="Loading the model ...")
def _load(name: str) -> Subject:
    return current().load(name)


def load_subject(name: str) -> Subject:
    """The subject of an offered or uploaded model; shared between sessions, so never modified.

    Raises:
        ExplorerError: the upload had to make room for newer ones.
    """
    if not name.startswith(UPLOADED):
        return _load(name)
    with _uploading:
        if name not in _uploads:
            raise ExplorerError("These uploaded weights had to make room for newer ones; upload them again.")
        _uploads.move_to_end(name)
        return _uploads[name]


def keep_upload(subject: Subject) -> str:
    """Hold a subject with uploaded weights, the last few of all sessions; returns the name to ask for it by."""
    name = UPLOADED + subject.id
    with _uploading:
        _uploads[name] = subject
        _uploads.move_to_end(name)
        while len(_uploads) > KEPT_SUBJECTS:
            _uploads.popitem(last=False)
    return name


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
