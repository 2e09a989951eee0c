"""What all sessions of the process share: subjects, their graphs, and the worker. Bounded, since closed
sessions linger.
"""

import atexit
import threading
from contextlib import AbstractContextManager, nullcontext

import streamlit as st
from streamlit.runtime import exists, get_instance

from ...background.lanes import Lanes
from ...errors import ExplorerError
from ...graph.analysed import Analysed
from ...graph.export import ModelGraph, graph_of, is_analysed
from ...machine.allocator import settle
from ...machine.cache import Cache
from ...values.subject import Subject
from .settings import current

ANSWERS = "explorer-news"  # the name of threads that answer questions for news, in which nothing may be drawn

KEPT_SUBJECTS, MODEL_BYTES = 4, 4 * 2**30
UPLOADED = "upload:"
_subjects = Cache(KEPT_SUBJECTS, "models and their data", MODEL_BYTES, growing=True, slow=True)
_uploads = Cache(KEPT_SUBJECTS, "uploaded weights", MODEL_BYTES, lasting=True, growing=True)
_owners: dict[str, set[str]] = {}  # name of uploaded weights -> the sessions that uploaded them
_loading = threading.Lock()
_lanes: Lanes | None = None
_starting = threading.Lock()


def load_subject(name: str) -> Subject:
    """Return the subject of an offered or uploaded model; shared between sessions, so never modified.

    Raises:
        ExplorerError: the upload was removed to make room for newer ones.
    """
    if name.startswith(UPLOADED):
        uploaded: Subject | None = _uploads.get(name)
        if uploaded is None:
            raise ExplorerError("These uploaded weights had to make room for newer ones; upload them again.")
        return uploaded
    found: Subject | None = _subjects.get(name)
    return found or _load(name)


def _load(name: str) -> Subject:
    with _spinner(), _loading:
        found: Subject | None = _subjects.get(name)  # another session may have loaded it meanwhile
        return found or _subjects.put(name, current().opened(name))


def _spinner() -> AbstractContextManager[None]:
    """Say that a model loads; nothing in a thread that answers a question for news, which draws no page."""
    draws = threading.current_thread().name != ANSWERS
    return st.spinner("Loading the model ...") if draws else nullcontext()


def look_ahead() -> None:
    """Load the first model and its graph while the browser still opens, so that the first page is there some
    seconds earlier.

    An error is reported when somebody asks for the model.
    """
    name = next(iter(current().offered), None)
    if name is None:
        return
    try:
        with _loading:
            subject = _subjects.get(name) or _subjects.put(name, current().opened(name))
        graph_of(subject)
    except ExplorerError:
        return
    settle()


def keep_upload(subject: Subject, session: str) -> str:
    """Keep a subject with uploaded weights, the last few of all sessions; return the name to ask for it
    by.
    """
    name = UPLOADED + subject.id
    _owners.setdefault(name, set()).add(session)
    _uploads.put(name, subject)
    return name


def uploaded_bytes(session: str) -> int:
    """Return the bytes of the weights that a session has uploaded and that are kept."""
    kept = [_uploads.get(name) for name, owners in list(_owners.items()) if session in owners]
    tensors = (subject.model.state_dict().values() for subject in kept if subject is not None)
    return sum(tensor.nbytes for found in tensors for tensor in found)


def forget(session: str) -> None:
    """End the jobs of a session that is closed for good, and remove what only it has uploaded."""
    lanes().release(session)
    for name, owners in list(_owners.items()):
        owners.discard(session)
        if not owners:
            _owners.pop(name, None)
            _uploads.drop(name)


def hand_over(session: str, heir: str) -> None:
    """Give jobs and uploads of a session to the one that takes its place."""
    lanes().hand_over(session, heir)
    for owners in _owners.values():
        if session in owners:
            owners.add(heir)


def is_open(session: str) -> bool:
    """Whether the browser tab of a session is open."""
    return _is_active(session)


def load_model(name: str) -> Analysed:
    """Return a model with its graph."""
    return Analysed(load_subject(name), load_graph(name))


def is_open_already(name: str) -> bool:
    """Whether a model and its graph are there, so that `load_model` returns at once."""
    subject = _uploads.get(name) or _subjects.get(name)
    return subject is not None and is_analysed(subject)


def load_graph(name: str) -> ModelGraph:
    """Return the graph of an offered model."""
    subject = load_subject(name)
    if is_analysed(subject):
        return graph_of(subject)
    with st.spinner("Finding out which channels belong together ..."):
        return graph_of(subject)


def lanes() -> Lanes:
    """Return the one background worker of the process; joined at exit, since a thread inside torch would
    abort it.

    It is not one of Streamlit's resources, which a message from any browser can clear.
    """
    global _lanes
    with _starting:
        if _lanes is None:
            _lanes = Lanes(_is_active)
            atexit.register(_lanes.shutdown)
        return _lanes


def _is_active(session: str) -> bool:
    return not exists() or get_instance().is_active_session(session)
