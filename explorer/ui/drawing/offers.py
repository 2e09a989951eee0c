"""Choices: every widget that picks from options uses this module.

A browser may still send what another model, recipe or page offered. Anything that is not among the options
counts as not chosen, so an outdated value does no harm.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

import streamlit as st

from .. import session


def one_of(options: Collection[Any], given: Any, usual: Any = None) -> Any:
    """Return the given value if it is an option; otherwise the usual one, or the first, or None if there are
    no options.

    >>> one_of(["a", "b"], "b"), one_of(["a", "b"], "gone"), one_of(["a", "b"], [], "b"), one_of([], "a")
    ('b', 'a', 'b', None)
    """
    found = list(options)
    return next((one for wish in (given, usual) for one in found if one == wish), next(iter(found), None))


def some_of(options: Collection[Any], given: Any) -> list[Any]:
    """Return the given values that are options.

    >>> some_of(["a", "b"], ["gone", "b"]), some_of(["a"], None)
    (['b'], [])
    """
    found = list(options)
    return [one for one in given if one in found] if isinstance(given, list | tuple) else []


def worded(options: Collection[Any]) -> Callable[[Any], str]:
    """Return how an option is shown: as a mapping says, otherwise unchanged."""
    words = options if isinstance(options, Mapping) else {}
    return lambda option: str(words.get(option, option))


@dataclass(frozen=True)
class Offer:
    """Options, one of which is chosen in a widget that keeps its own value.

    Args:
        key: of the widget.
        options: what can be chosen, or a mapping from it to the text that is shown.
        usual: what counts while nothing else is chosen; the first option if it is none.
    """

    key: str
    options: Collection[Any]
    usual: Any = None

    def now(self) -> Any:
        """Return what is chosen, one of the options; also in callbacks, and before the widget is drawn."""
        return one_of(self.options, session.shown(self.key), self.usual)

    def select(self, label: str, **looks: Any) -> Any:
        """Draw it as a selectbox; return what is chosen."""
        return self._drawn(st.selectbox, label, looks)

    def switch(self, label: str, **looks: Any) -> Any:
        """Draw it as a segmented control, in which something is always chosen."""
        return self._drawn(st.segmented_control, label, {"required": True, **looks})

    def _drawn(self, widget: Callable[..., Any], label: str, looks: Mapping[str, Any]) -> Any:
        now = self.now()
        if session.shown(self.key) != now:  # nothing yet, or something that is no longer offered
            session.put(self.key, now)
        shown = worded(self.options)
        given = widget(label, list(self.options), key=self.key, format_func=shown, **looks)
        return one_of(self.options, given, now)


@dataclass(frozen=True)
class ManyOffer:
    """Options, of which several can be chosen in a widget that keeps its own value.

    Args:
        usual: what is chosen at first.
    """

    key: str
    options: Collection[Any]
    usual: Collection[Any] = ()

    def now(self) -> list[Any]:
        """Return what is chosen, all of them options."""
        return some_of(self.options, session.shown(self.key, list(self.usual)))

    def select(self, label: str, **looks: Any) -> list[Any]:
        """Draw it; return what is chosen."""
        now = self.now()
        if session.shown(self.key) != now:
            session.put(self.key, now)
        shown = worded(self.options)
        given = st.multiselect(label, list(self.options), key=self.key, format_func=shown, **looks)
        return some_of(self.options, given)


@dataclass(frozen=True)
class ShownOffer:
    """Options in a widget that shows a value of the session, and changes it.

    Args:
        value: what is chosen now; a list if several can be, None if nothing is.
        take: gets another choice, one of the options.
    """

    key: str
    options: Collection[Any]
    value: Any
    take: Callable[[Any], object]

    def select(self, label: str, **looks: Any) -> None:
        """Draw it as a selectbox."""
        self._draw(st.selectbox, label, looks)

    def switch(self, label: str, **looks: Any) -> None:
        """Draw it as a segmented control; a click on what is chosen changes nothing."""
        self._draw(st.segmented_control, label, looks)

    def as_pills(self, label: str, **looks: Any) -> None:
        """Draw it as pills; a click on what is chosen changes nothing."""
        self._draw(st.pills, label, looks)

    def as_radio(self, label: str, **looks: Any) -> None:
        """Draw it as a radio group."""
        self._draw(st.radio, label, {"index": None, **looks} if self.value is None else looks)

    def several(self, label: str, **looks: Any) -> None:
        """Draw it as a field that takes several."""
        self._draw(st.multiselect, label, looks)

    def _draw(self, widget: Callable[..., Any], label: str, looks: Mapping[str, Any]) -> None:
        value = (
            self.value
            if self.value is None or isinstance(self.value, list)
            else one_of(self.options, self.value)
        )
        key, shown = session.show(self.key, value), worded(self.options)
        widget(label, list(self.options), key=key, format_func=shown, on_change=self.changed, **looks)

    def changed(self) -> None:
        """Callback: take what was picked if it is offered; otherwise the value is shown again."""
        given = session.picked(self.key)
        if isinstance(given, list):
            session.attempt(self.take, some_of(self.options, given))
        elif given in list(self.options):
            session.attempt(self.take, given)
