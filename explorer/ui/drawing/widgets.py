"""Widgets that show a value of the session and change it; the signature of a plug-in defines its form."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import streamlit as st

from ...registry import Param, Plugin, Registry
from .. import session
from .offers import Offer, ShownOffer, one_of


def choose(
    label: str,
    options: Sequence[Any] | Mapping[Any, str],
    value: Any,
    take: Callable[[Any], None],
    *,
    key: str,
    help: str | None = None,
) -> None:
    """Draw a selectbox that shows a value; `take` gets another choice. A mapping says how each option is
    shown.
    """
    ShownOffer(key, options, value, take).select(label, help=help)


def switch(
    label: str,
    options: Sequence[Any] | Mapping[Any, str],
    value: Any,
    take: Callable[[Any], None],
    *,
    key: str,
    help: str | None = None,
) -> None:
    """Draw a segmented control without its label; a click on the chosen one changes nothing."""
    ShownOffer(key, options, value, take).switch(label, help=help, label_visibility="collapsed")


def whole_number(
    label: str,
    ends: tuple[int, int],
    value: int,
    take: Callable[[Any], None],
    *,
    key: str,
    help: str | None = None,
) -> None:
    """Draw a number field that shows a whole number, from the lowest to the highest allowed."""
    st.number_input(
        label, *ends, key=session.show(key, value), on_change=callback(key, take), step=1, help=help
    )


def real_number(
    label: str,
    ends: tuple[float, float],
    value: float,
    take: Callable[[Any], None],
    *,
    key: str,
    help: str | None = None,
) -> None:
    """Draw a number field with decimals that shows a value; a step is a fifth of it."""
    shown, step = session.show(key, value), max(abs(value) / 5, 1e-6)
    st.number_input(
        label, *ends, key=shown, on_change=callback(key, take), step=step, format="%.6g", help=help
    )


def callback(key: str, take: Callable[[Any], None]) -> Callable[[], None]:
    """Return a callback for `on_change` that passes the picked value to `take`."""

    def changed() -> None:
        value = session.picked(key)
        if value is not None:
            session.attempt(take, value)

    return changed


def choose_plugin(
    label: str, registry: Registry, names: list[str], value: str, take: Callable[[str], None], *, key: str
) -> None:
    """Draw a selectbox over plug-ins; the selected one's sentence is its help."""
    choose(label, names, value, take, key=key, help=described(registry[value]))


def described(plugin: Plugin) -> str:
    """Return the first line of its docstring, and its common mistake."""
    trap = plugin.traits.get("trap")
    return f"{plugin.tooltip}\n\n{trap}" if trap else plugin.tooltip


def plugin_form(
    plugin: Plugin, values: Mapping[str, Any], take: Callable[[dict[str, Any]], None], *, key: str
) -> None:
    """Draw one widget for each keyword-only parameter; `take` gets those that differ from their defaults."""
    params = plugin.params

    def changed() -> None:
        given = {name: _offered(param, session.picked(f"{key}.{name}")) for name, param in params.items()}
        session.attempt(
            take, {name: value for name, value in given.items() if value not in (None, params[name].default)}
        )

    for name, param in params.items():
        _field(param, session.show(f"{key}.{name}", values.get(name, param.default)), changed)


def free_form(plugin: Plugin, *, key: str) -> None:
    """Draw one widget for each parameter, starting with its default; `filled_in` reads them."""
    for name, param in plugin.params.items():
        _field(param, session.start_from(f"{key}.{name}", param.default), lambda: None)


def filled_in(plugin: Plugin, *, key: str) -> dict[str, Any]:
    """Return the values of a `free_form`."""
    found = {
        name: _offered(param, session.shown(f"{key}.{name}", param.default))
        for name, param in plugin.params.items()
    }
    return {name: value for name, value in found.items() if value is not None}


def _offered(param: Param, given: Any) -> Any:
    """Return the value of a field, or the default if it is none of its choices."""
    return one_of(param.choices, given, param.default) if param.choices else given


def _field(param: Param, key: str, changed: Callable[[], None]) -> None:
    label = param.name.replace("_", " ").capitalize()
    if param.choices:
        Offer(key, param.choices, param.default).select(label, on_change=changed)
    elif param.kind is bool:
        st.checkbox(label, key=key, on_change=changed)
    elif param.kind in (int, float):
        st.number_input(label, key=key, on_change=changed, step=1 if param.kind is int else None)
    else:
        st.text_input(label, key=key, on_change=changed)
