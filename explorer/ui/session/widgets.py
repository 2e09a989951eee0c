"""Connects widgets with the state: keys, messages of elements, errors."""

from collections.abc import Callable
from typing import Any

import streamlit as st

from ...errors import ExplorerError
from .state import held, state


def show(key: str, value: Any) -> str:
    """Return the key of a widget that is to show a value; draw it under this key.

    The key changes whenever something other than the widget changed the value. Under an unchanged key, a
    rerun that the browser requested a moment before (a poll) would restore the old value, and undo an undo.
    """
    shown_values = state().shown_values
    known, version = shown_values.get(key, (value, 0))
    stale = st.session_state.get(f"{key}#{version}", value) != value
    version += 1 if stale or known != value else 0
    shown_values[key] = (value, version)
    actual = f"{key}#{version}"
    if actual not in st.session_state:
        st.session_state[actual] = value
    return actual


def start_from(key: str, value: Any) -> str:
    """Let a widget of this key start with a value; after that it keeps its own. Returns the key."""
    if key not in st.session_state:
        st.session_state[key] = value
    return key


def put(key: str, value: Any) -> None:
    """Let the widget of this key show a value; called before it is drawn."""
    st.session_state[key] = value


def picked(key: str) -> Any:
    """Return what the user picked in a widget that `show` has named, in its callback; None if it was
    cleared.
    """
    shown_values = state().shown_values
    _, version = shown_values[key]
    given = st.session_state.get(f"{key}#{version}")
    shown_values[key] = (given, version)
    return given


def shown(key: str, default: Any = None) -> Any:
    """Return what the widget of this key shows."""
    return st.session_state.get(key, default)


def event(key: str, name: str) -> Any:
    """Return the message that an element sent with this run, or None."""
    return getattr(st.session_state.get(key), name, None)


def stamp() -> tuple[str, int, int]:
    """Return epoch, generation and last acknowledged edit, for the console."""
    its = state()
    return its.epoch, its.generation, its.acknowledged


def acknowledge(sequence: int) -> bool:
    """Record an edit of the console; return False if it was seen before."""
    its = state()
    if sequence <= its.acknowledged:
        return False
    its.acknowledged = sequence
    its.generation += 1
    return True


def attempt(action: Callable[..., Any], *args: Any) -> None:
    """Do what a widget asks for; an error is shown in one box, and the recipe is kept."""
    its = state()
    its.notice = None
    token = held.set(its)
    try:
        with its.lock:
            action(*args)
    except ExplorerError as error:
        its.notice = str(error)
    finally:
        held.reset(token)


def notice() -> str | None:
    """Return what went wrong with the user's last action, or None."""
    return state().notice


def dismiss() -> None:
    """Clear the notice after the user has read it."""
    state().notice = None


def remember(name: str, value: Any) -> None:
    """Keep a small value for this session; models and tensors belong in `resources`."""
    state().remembered[name] = value


def recalled(name: str, default: Any = None) -> Any:
    """Return what was remembered under a name."""
    return state().remembered.get(name, default)
