"""The state of one browser session: names, recipes and small values; models and tensors are in
`resources`.
"""

import threading
import uuid
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakValueDictionary

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from ...background.lane import Lane
from ...errors import ExplorerError, UnknownNameError
from ...pruning.checks import check_brought
from ...values.recipe import Recipe
from ..shared import models, settings
from .history import History, PastRecipe
from .modes import Lock, Mode
from .person import person

KEY = "pruning_explorer"
START = History(PastRecipe(Recipe(), "the dense model"))


@dataclass
class State:
    """What is kept of a session between runs of its page."""

    model: str
    device: str
    samples: int | None = None
    dtype: str = "float32"
    mode: Mode = "Structured"
    histories: dict[str, History] = field(default_factory=dict)
    locks: dict[str, frozenset[Lock]] = field(default_factory=dict)
    cancelled: dict[Lane, Hashable] = field(default_factory=dict)
    epoch: str = field(default_factory=lambda: uuid.uuid4().hex)
    generation: int = 0
    acknowledged: int = 0
    shown_values: dict[str, tuple[Any, int]] = field(
        default_factory=dict
    )  # widget -> the value that it shows, version of its key
    notice: str | None = None
    uploads: dict[str, str] = field(
        default_factory=dict
    )  # name of a model with uploaded weights -> how it is shown
    remembered: dict[str, Any] = field(default_factory=dict)
    lock: Any = field(
        default_factory=threading.RLock
    )  # locked during an action, so that other threads see all of it or none
    owner: str = ""  # identity of the browser session
    person: str = ""  # who is signed in, see `person`


# Streamlit may abandon a run or a callback wherever it touches st.session_state, so an action gets the state
# just once
held: ContextVar[State | None] = ContextVar("the state of the action that is going on", default=None)


_states: WeakValueDictionary[str, State] = (
    WeakValueDictionary()
)  # epoch -> the state, while its session is kept


def state() -> State:
    """Return the state of the session whose page runs."""
    kept = held.get()
    if kept is not None:
        return kept
    if KEY not in st.session_state:
        made = st.session_state[KEY] = opened()
        made.owner, made.person = identity(), person()
        _states[made.epoch] = made
    return st.session_state[KEY]


def take_place(epoch: str) -> bool:
    """Continue the session of a tab that was loaded again, with its history and its jobs; return whether this
    one does. It needs the secret of that session, and the same model and recipe in the address.
    """
    before, own = _states.get(epoch), state()
    if before is None or before is own or before.owner == own.owner or models.is_open(before.owner):
        return False
    if before.person != own.person:
        return False
    if (before.model, _present(before)) != (own.model, _present(own)):
        return False
    models.hand_over(before.owner, own.owner)
    before.owner, before.generation = own.owner, before.generation + 1
    before.notice = own.notice  # what the address says now, not what an older one said
    st.session_state[KEY] = before
    return True


def _present(its: State) -> Recipe:
    return its.histories.get(its.model, START).present.recipe


def opened() -> State:
    """Return the state of a new session: what the URL asks for, or the first model, dense."""
    offered = settings.current().offered
    if not offered:
        raise ExplorerError(
            "There is no model to show; name one on the command line, such as torchvision:resnet18."
        )
    fresh = State(offered[0], settings.current().device)
    model, recipe = st.query_params.get("model"), st.query_params.get("recipe")
    try:
        if model is not None:
            check_offered(model)
            fresh.model = model
        if recipe is not None:
            brought = Recipe.from_url(recipe)
            check_brought(models.load_graph(fresh.model).profile, brought)
            fresh.histories[fresh.model] = START.then(brought, "the recipe of the link")
    except ExplorerError as error:
        fresh.notice = str(error)
    return fresh


def check_offered(model: str) -> None:
    """Check that the server offers a model.

    Raises:
        UnknownNameError: it does not.
    """
    offered = settings.current().offered
    if model not in offered:
        raise UnknownNameError("model on this server", model, offered)


@contextmanager
def still() -> Iterator[None]:
    """Hold off actions that change the state."""
    with state().lock:
        yield


def identity() -> str:
    """Return what identifies this browser session."""
    context = get_script_run_ctx()
    return context.session_id if context else "no browser"
