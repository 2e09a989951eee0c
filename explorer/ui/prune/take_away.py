"""The pruned model as a file: choose a format, wait while it is written in the background, download it; and
what can use it.
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace

import streamlit as st

from ...background.jobs import JobState
from ...background.lane import Lane
from ...background.side_thread import beside
from ...engine.conditions import Conditions
from ...engine.measure import stream
from ...exporters.export import export
from ...exporters.who_gains import who_gains
from ...graph.analysed import Analysed
from ...pruning.decision import calibrate
from ...registry import EXPORTERS
from ...values.progress import Work, mapped, reached
from ...values.recipe import Recipe
from ...values.report import Report
from .. import session
from ..drawing import layout
from ..drawing.measurement_cards import short
from ..drawing.offers import Offer
from ..drawing.words import NAMES
from ..kept_runs import keeping
from ..live import regions
from ..shared import settings

LANE, KEY = Lane("export"), "export format"
MEASURED = Conditions(latency=False)


@dataclass(frozen=True)
class WrittenFile:
    """A file that was written."""

    format: str
    content: bytes
    remarks: tuple[str, ...]


def draw() -> None:
    """Draw a popover with format and button, what was written, and which runtimes gain from the recipe."""
    told = "Write the smaller model as a file."
    with (
        st.popover("Take away", icon=":material/download:", key="take away menu", help=told),
        st.container(width=keeping.POPOVER_WIDTH),
    ):
        _draw_form()


def _draw_form() -> None:
    if settings.current().classroom:
        st.caption("Files are not written in a class; the address of this page holds the recipe.")
        return
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        with st.container(width=170):
            _formats().select("Format")
        st.button("Write the file", "write", on_click=keeping.begin, args=(_write,), icon=":material/save:")
    st.caption(layout.plain(EXPORTERS[_format()].tooltip))
    regions.watched("take away", _draw, LANE, facet=_facet, progress=True)


def _format() -> str:
    return _formats().now()


def _formats() -> Offer:
    return Offer(KEY, {name: NAMES.get(name, name) for name in EXPORTERS})


def _key() -> Hashable:
    return (session.subject().id, session.recipe().fingerprint, _format())


def _facet() -> Hashable:
    return _key(), session.versions([LANE])[LANE]


def _write() -> None:
    name, subject, graph, recipe = _format(), session.subject(), session.graph(), session.recipe()
    report, conditions = session.report(), session.conditions()
    given = report if report is not None and report.stage == "final" else None
    session.resume(LANE)
    session.job(LANE, _key(), lambda: written(name, Analysed(subject, graph), recipe, given, conditions))


def written(
    name: str,
    model: Analysed,
    recipe: Recipe,
    report: Report | None,
    conditions: Conditions = MEASURED,
) -> Work[WrittenFile]:
    """Write a file in a separate thread, so that measuring continues; missing numbers are measured first.

    Raises:
        ExplorerError: the model cannot be written in the format, or a package is missing.
    """
    plugin, remarks = EXPORTERS[name], list[str]()
    if not recipe.is_empty:
        yield from calibrate(model, recipe, conditions.device)
    if plugin.traits.get("measures") and report is None:
        for measured in stream(model, recipe, replace(conditions, latency=False)):
            report = measured.value or report
            if report is not None:
                yield reached(report.pruned.samples, report.total_samples, "Measuring")

    def write(step: Callable[[str], None]) -> bytes:
        return export(model, recipe, name, report=report, say=remarks.append, step=step)

    content = beside(write, "Writing the file", plugin.traits.get("stages", 1))
    yield from mapped(content, lambda file: WrittenFile(name, file, tuple(remarks)))


def _draw() -> None:
    state, own = session.lane_state(LANE), session.lane_state(LANE).key == _key()
    if state.busy:
        _draw_running(state)
    elif own and isinstance(state.value, WrittenFile):
        _offer(state.value)
    elif own and state.error:
        layout.draw_notice(state.error)
    for sentence in who_gains(session.recipe()):
        st.caption(layout.plain(sentence))


def _draw_running(state: JobState) -> None:
    progress = state.progress
    with st.container(horizontal=True, vertical_alignment="center"):
        words = f"{progress.label} …" if progress else "Waiting for its turn …"
        layout.draw_share(progress.done / max(1, progress.total) if progress else 0.0, words)
        st.button(
            "Stop",
            "stop export",
            on_click=session.cancel,
            args=(LANE, _key()),
            type="tertiary",
            help="It stops at the end of this stage; no file is kept.",
        )


def _offer(written: WrittenFile) -> None:
    plugin, stem = EXPORTERS[written.format], session.subject().name.split(":")[-1].split("/")[-1]
    st.download_button(
        f"Download ({short(len(written.content))}B)",
        written.content,
        f"{stem}-pruned{plugin.traits['extension']}",
        plugin.traits["media_type"],
        key="download",
        on_click="ignore",
        icon=":material/download:",
        type="primary",
    )
    for remark in written.remarks:
        st.caption(layout.plain(remark))
