"""The pruned model as a file: choose a format, let it be written in the background, take it; and who can use it."""

from collections.abc import Hashable, Iterator
from dataclasses import dataclass

import streamlit as st

from ..exporters import export
from ..graph.export import ModelGraph
from ..job_state import Progress
from ..registry import EXPORTERS
from ..runtimes import who_gains
from ..values import Recipe, Report, Subject
from . import layout, runs, session, settings, watched
from .metrics import short

LANE, KEY = "export", "export format"
NAMES = {
    "safetensors": "safetensors and loader (zip)", "recipe_json": "recipe (JSON)", "pt2": "torch.export program (pt2)",
    "onnx": "ONNX", "python_snippet": "one Python file", "csv": "tables (CSV)", "figures_html": "figures (web pages)",
    "html_report": "report (web page)",
}  # fmt: skip


@dataclass(frozen=True)
class Made:
    """A file that was written."""

    format: str
    content: bytes
    remarks: tuple[str, ...]


def draw() -> None:
    """Format and button, what was written, and which runtimes gain from the current recipe."""
    if settings.current().classroom:
        st.caption("Files are not written in a class; the address of this page holds the recipe.")
        return
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        with st.container(width=270):
            st.selectbox("Format", list(EXPORTERS), format_func=lambda name: NAMES.get(name, name), key=KEY)
        st.button("Write the file", "write", on_click=runs.begin, args=(_write,), icon=":material/save:")
    st.caption(layout.plain(EXPORTERS[_format()].tooltip))
    watched.watched("take away", _draw, LANE, facet=_facet, progress=True)


def _format() -> str:
    return session.shown(KEY) or next(iter(EXPORTERS))


def _key() -> Hashable:
    return (session.subject().id, session.recipe().fingerprint, _format())


def _facet() -> Hashable:
    return _key(), session.versions([LANE])[LANE]


def _write() -> None:
    name, subject, graph, recipe = _format(), session.subject(), session.graph(), session.recipe()
    report = session.report()
    given = report if report is not None and report.stage == "final" else None
    session.resume(LANE)
    session.job(LANE, _key(), lambda: written(name, subject, graph, recipe, given))


def written(name: str, subject: Subject, graph: ModelGraph, recipe: Recipe, report: Report | None) -> Iterator[Progress | Made]:
    """A file, made in the background; one that needs numbers which are not there yet measures them.

    Raises:
        ExplorerError: the format cannot hold this model, or a package is missing.
    """
    remarks: list[str] = []
    yield Progress(0, 1, "Writing the file")
    content = export(subject, graph, recipe, name, report=report, say=remarks.append)
    yield Made(name, content, tuple(remarks))


def _draw() -> None:
    state, own = session.lane_state(LANE), session.lane_state(LANE).key == _key()
    if own and isinstance(state.value, Made):
        _offer(state.value)
    elif own and state.error:
        layout.draw_notice(state.error)
    elif state.busy:
        st.caption("Writing the file …")
    for sentence in who_gains(session.recipe()):
        st.caption(layout.plain(sentence))


def _offer(made: Made) -> None:
    plugin, stem = EXPORTERS[made.format], session.subject().name.split(":")[-1].split("/")[-1]
    st.download_button(
        f"Download ({short(len(made.content))}B)", made.content, f"{stem}-pruned{plugin.traits['extension']}",
        plugin.traits["media_type"], key="download", on_click="ignore", icon=":material/download:", type="primary",
    )  # fmt: skip
    for remark in made.remarks:
        st.caption(layout.plain(remark))
