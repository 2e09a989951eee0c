"""Our own elements in the browser. A script is sent with every message of its element, so all scripts are in
one shelf that is sent once, and each element is a stub that finds its renderer there.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import streamlit as st

HERE = Path(__file__).parent
CONSOLE = "../prune/console"  # the folder of the page that owns it
# element -> the files of its script (the last one defines the renderer), its renderer, its style, its markup
ELEMENTS: dict[str, tuple[tuple[str, ...], str, str | None, str]] = {
    "console": (
        tuple(
            f"{CONSOLE}/{name}.js"
            for name in ("cost", "prediction", "sensitivity", "strip", "matrix", "bank", "console")
        ),
        "renderConsole",
        f"{CONSOLE}/console.css",
        '<div class="console"><div class="banks"></div><div class="detail"></div></div>',
    ),
    "cards": (
        (f"{CONSOLE}/cost.js", "trail.js", "cards.js"),
        "renderCards",
        "cards.css",
        '<div class="room"><div class="cards"></div></div>',
    ),
    "status": (
        ("status.js",),
        "renderStatus",
        "status.css",
        '<div class="status"><span class="lead"><span class="share"><i></i></span><button></button></span>'
        '<span class="words"></span><span class="spoken" role="status"></span></div>',
    ),
    "figure": (
        (f"{CONSOLE}/cost.js", "prospect.js", "legend.js", "figure.js"),
        "renderFigure",
        "figure.css",
        '<div class="live-figure"><div class="plot"></div><ul class="names"></ul>'
        '<div class="told"></div></div>',
    ),
    "parts": (
        (f"{CONSOLE}/cost.js", "parts.js"),
        "renderParts",
        "parts.css",
        '<div class="parts"><table></table><button type="button"></button><div class="none">Nothing is '
        "removed yet.</div></div>",
    ),
    "sketch": (("sketch.js",), "renderSketch", "sketch.css", '<div class="sketch"></div>'),
    "ticker": (("questions.js", "ticker.js"), "renderTicker", None, ""),
    "value": (("value.js",), "renderValue", None, ""),
    "writing": (
        ("writing.js",),
        "renderWriting",
        "writing.css",
        '<div class="writing"><div class="texts"><section data-side="dense"><h3></h3><pre '
        'tabindex="0"></pre></section><section data-side="pruned"><h3></h3><pre tabindex="0"></pre></section>'
        '</div><div class="line"><span role="status"></span><button type="button"></button><span '
        'class="key"><span class="less" style="--share:40%">less</span> or <span class="more" '
        'style="--share:40%">more</span> probable after the cut</span></div></div>',
    ),
}
# of all elements
SHARED = (
    "history.js",
    "lost_page.js",
    "row_focus.js",
    "focus_keeper.js",
    "popover_focus.js",
    "theme.js",
    "protocol.js",
    "zoom.js",
    "shelf.js",
)
IN_THE_OPEN = ("figure",)  # Plotly listens to the document, and its styles are there
ROOM = '<div class="room"></div>'
# sent with each message, so short; it retries until the shelf is there
STUB = """export default c=>{let e,t
const g=()=>{const r=window.pruningExplorer?.renderers.%s;r?e=r({...c,data:c.data[0]}):t=setTimeout(g,15)};g()
return()=>{clearTimeout(t);e?.()}}"""


def _read(name: str) -> str:
    return (HERE / name).read_text(encoding="utf-8")


def _shelf() -> str:
    """Return one module: the shelf, then each renderer in its own scope, which adds markup and style where it
    is first drawn.
    """
    parts = [_read(name) for name in SHARED]
    for name, (files, renderer, style, markup) in ELEMENTS.items():
        script = "\n".join(map(_read, files))
        own = f"(() => {{\n{script}\nreturn {renderer};\n}})()"
        furniture = f"{json.dumps(markup)}, {json.dumps(_read(style) if style else '')}"
        parts.append(f"shelf.renderers.{name} = shelf.furnished({own}, {furniture});")
    each_run = "shelf.theme(); shelf.skipLink(); shelf.makeRoom();"
    return "\n".join([*parts, f"export default function () {{ {each_run} }}\n"])


_script = st.components.v2.component("pruning_explorer_shelf", html="<i hidden></i>", js=_shelf())
_component = st.components.v2.component
_stubs = {
    name: _component(
        f"pruning_explorer_{name}", html=ROOM, js=STUB % name, isolate_styles=name not in IN_THE_OPEN
    )
    for name in ELEMENTS
}


def put_up_shelf() -> None:
    """Draw the scripts, once per page, before any element."""
    _script(key="shelf", height=1)


def draw(name: str, data: Mapping[str, Any], *, key: str, **events: Any) -> None:
    """Draw an element of that name.

    Args:
        data: JSON, sent whenever the element is drawn.
        events: on_NAME_change -> called before the next run, when session.event(key, NAME) has what the
            browser sent.
    """
    # in a list, since Streamlit would look for tables in a mapping, and import pandas for that
    _stubs[name](key=key, data=[dict(data)], **events)


def put(name: str, value: Mapping[str, Any]) -> None:
    """Draw a value for other elements. It is sent when this is drawn; outside watched regions it is not sent
    again with them.
    """
    draw("value", {"name": name, "value": dict(value)}, key=f"value {name}")
