"""Our own elements in the browser. A script travels with every message of its element, so all scripts lie on one shelf that is
sent once, and each element is a stub that finds its renderer there.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import streamlit as st

HERE = Path(__file__).parent
CONSOLE = ("cost.js", "strip.js", "bank.js", "console.js")
# element -> the files of its script (the last one defines the renderer), its renderer, its style, its markup
ELEMENTS: dict[str, tuple[tuple[str, ...], str, str | None, str]] = {
    "console": (
        tuple(f"console/{name}" for name in CONSOLE), "renderConsole", "console/console.css",
        '<div class="console"><div class="totals"></div><div class="banks"></div><div class="detail"></div></div>',
    ),
    "ticker": (("ticker.js",), "renderTicker", None, ""),
    "value": (("value.js",), "renderValue", None, ""),
}  # fmt: skip
ROOM = '<div class="room"></div>'
# sent with each message, so short; until the shelf is there it looks again
STUB = """export default (c) => {
let stop, timer;
const go = () => { const s = window.pruningExplorer; s?.renderers.%s ? stop = s.renderers.%s(c) : timer = setTimeout(go, 15); };
go();
return () => { clearTimeout(timer); stop?.(); };
}"""


def _read(name: str) -> str:
    return (HERE / name).read_text(encoding="utf-8")


def _shelf() -> str:
    """One module: the shelf, then each renderer in a scope of its own, which sets up markup and style where it is first drawn."""
    parts = [_read("shelf.js")]
    for name, (files, renderer, style, markup) in ELEMENTS.items():
        script = "\n".join(map(_read, files))
        own = f"(() => {{\n{script}\nreturn {renderer};\n}})()"
        furniture = f"{json.dumps(markup)}, {json.dumps(_read(style) if style else '')}"
        parts.append(f"shelf.renderers.{name} = shelf.furnished({own}, {furniture});")
    return "\n".join([*parts, "export default function () {}\n"])


_script = st.components.v2.component("pruning_explorer_shelf", html="<i hidden></i>", js=_shelf())
_component = st.components.v2.component
_stubs = {name: _component(f"pruning_explorer_{name}", html=ROOM, js=STUB % (name, name)) for name in ELEMENTS}


def put_up_shelf() -> None:
    """The scripts, once a page, before any element."""
    _script(key="shelf", height=1)


def draw(name: str, data: Mapping[str, Any], *, key: str, **events: Any) -> None:
    """An element of that name.

    Args:
        data: JSON, sent whenever the element is drawn.
        events: on_NAME_change -> called before the next run, when session.event(key, NAME) holds what the browser sent.
    """
    _stubs[name](key=key, data=dict(data), **events)


def put(name: str, value: Mapping[str, Any]) -> None:
    """A value for other elements, sent when this is drawn; drawn outside of watched regions, it is not sent again with them."""
    draw("value", {"name": name, "value": dict(value)}, key=f"value {name}")
