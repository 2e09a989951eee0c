"""What was measured of the current recipe, drawn from the session: cards, progress, curve, table, downloads."""

from collections.abc import Hashable
from functools import partial

import streamlit as st

from .. import tables
from ..curves import QUICK, STRENGTHS
from ..exporters import export
from ..figures.accuracy_curve import Axis, accuracy_curve
from ..jobs import JobState, Progress
from ..registry import EXPORTERS
from ..values import Report, Subject
from . import layout, session
from .metrics import cards

AXES: dict[Axis, str] = {"params": "parameters", "nonzero_params": "not zero", "macs": "MACs", "size": "file size"}
PERCENT = "percent"
PART_COLUMNS = {
    "name": st.column_config.TextColumn("Part", width=130),
    "granularity": st.column_config.TextColumn("Unit", width=65),
    "requested": st.column_config.NumberColumn("Requested", format=PERCENT, width=80, help="The fraction that you asked for."),
    "achieved": st.column_config.NumberColumn("Achieved", format=PERCENT, width=75, help="The fraction that the cut removed."),
    "removed": st.column_config.NumberColumn("Removed", format="localized", width=70),
    "units": st.column_config.NumberColumn("of", format="localized", width=55),
    "reason": st.column_config.TextColumn("Why they differ", width="medium"),
}
FINAL = "Final: measured on the model that export would write."

EMPTY_TEXT = (
    "This is the dense model. **Drag a fader up** to remove part of a layer and watch the numbers above answer, "
    "or start from a **preset**. Nothing is ever changed in the model itself."
)


def draw_metrics() -> None:
    """The cards, and how far the measurement is; drawn again while it goes on."""
    session.live()
    with st.container(key="metrics"):
        session.polled(_metrics, "live")


def _metrics() -> None:
    state, key = session.live(), session.live_key()
    if state.value is not None:
        layout.draw_cards(cards(state.value), stale=state.key != key)
    else:
        st.markdown("**Measuring the first samples …**" if state.busy else "Not measured yet.")
    _status(state, key)


def _status(state: JobState, key: Hashable) -> None:
    report: Report | None = state.value if state.key == key else None
    with st.container(horizontal=True, vertical_alignment="center", key="status"):
        if session.is_cancelled("live", key):
            st.caption(
                "Stopped." if report is None else f"Stopped after {report.pruned.samples:,} of {report.total_samples:,} samples."
            )
            st.button("Go on", on_click=session.resume, args=("live",), key="resume", type="tertiary")
        elif state.error and state.key == key:
            layout.draw_notice(state.error)
        elif state.busy:
            layout.draw_share(*_share(report, state.progress))
            st.button("Stop", on_click=session.cancel, args=("live", key), key="stop", type="tertiary")
        elif report is not None:
            st.caption(layout.plain(" ".join([FINAL, *near_chance(report, session.subject()), *report.notes])))


def _share(report: Report | None, progress: Progress | None) -> tuple[float, str]:
    if report is None and progress is not None and progress.total:
        return progress.done / progress.total, f"{progress.label or 'Rating'}: {progress.done:,} of {progress.total:,}"
    if report is None or not report.total_samples:
        return 0.0, "Live: cutting, then the first samples …"
    if report.stage == "final":
        return 1.0, "Accuracy is final; measuring the latency …"
    return report.pruned.samples / report.total_samples, f"Live: {report.pruned.samples:,} of {report.total_samples:,} samples"


def near_chance(report: Report, subject: Subject) -> list[str]:
    """A word of comfort where a model answers hardly better than a guess."""
    classes = len(subject.task.class_names) if subject.task else 0
    if report.pruned.accuracy is None or not classes or report.pruned.accuracy > 2 / classes:
        return []
    return [f"Near chance ({100 / classes:.0f} %) is normal right after a hard cut; a repair or fine-tuning often helps."]


def draw_curve() -> None:
    """Accuracy against what is left, for this recipe at all strengths, with the recipe itself as a star."""
    if session.subject().task is None:
        st.caption("This model came without data, so there is no accuracy to measure; add some with --data when starting.")
        return
    if session.recipe().is_empty:
        st.caption("Remove something, and a curve of accuracy against size will stand here.")
        return
    session.curve()
    session.polled(_curve, "curve")


def _curve() -> None:
    state, key = session.curve(), session.curve_key()
    usual: Axis = "params" if session.recipe().is_structured else "nonzero_params"
    axis = st.segmented_control("Against", list(AXES), default=usual, format_func=AXES.__getitem__, key="curve_axis",
                                label_visibility="collapsed")  # fmt: skip
    figure = accuracy_curve(
        state.value or (), session.report(), axis or usual, stale=state.value is not None and state.key != key
    )
    st.plotly_chart(figure, width="stretch", key="curve", config={"displayModeBar": False})
    done = len(state.value or ()) if state.key == key else 0
    if state.error and state.key == key:
        layout.draw_notice(state.error)
    elif state.busy:
        layout.draw_share(
            done / len(STRENGTHS), f"Measuring the curve when nothing else waits: {done} of {len(STRENGTHS)} points"
        )
    else:
        st.caption(f"Each point is measured, on the first {QUICK.samples:,} samples, without recovery; bars cover 95 %.")


def draw_parts() -> None:
    """Requested against achieved, one row a part that was cut."""
    report = session.report()
    if report is None or not report.parts:
        st.caption("Nothing is removed yet.")
        return
    frame = tables.parts(report.parts).fillna({"reason": ""})
    shown = [name for name in PART_COLUMNS if name != "granularity" or frame[name].nunique() > 1]
    st.dataframe(frame, hide_index=True, column_order=shown, column_config=PART_COLUMNS, height=min(38 + 35 * len(frame), 420))


def draw_downloads() -> None:
    """What can be taken away; a file is made when its button is clicked."""
    subject, graph, recipe = session.subject(), session.graph(), session.recipe()
    for name, exporter in EXPORTERS.items():
        st.download_button(
            name.replace("_", " ").capitalize(), partial(export, subject, graph, recipe, name), key=f"download {name}",
            file_name=f"{subject.name.split(':')[-1]}-pruned{exporter.traits['extension']}", mime=exporter.traits["media_type"],
            on_click="ignore", icon=":material/download:", help=exporter.tooltip,
        )  # fmt: skip
