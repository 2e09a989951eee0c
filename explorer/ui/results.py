"""What was measured of the current recipe, drawn from the session: cards, progress, curve, table, downloads."""

from collections.abc import Hashable
from functools import partial

import streamlit as st

from .. import tables
from ..curves import QUICK, STRENGTHS
from ..exporters import export
from ..figures.accuracy_curve import AXES, Axis, accuracy_curve
from ..jobs import JobState
from ..registry import EXPORTERS
from ..values import Report
from . import layout, session
from .metrics import cards

PERCENT = "percent"
PART_COLUMNS = {
    "name": st.column_config.TextColumn("Part", width="small"),
    "granularity": st.column_config.TextColumn("Removed as one", width="small"),
    "requested": st.column_config.NumberColumn(
        "Requested", format=PERCENT, width="small", help="The fraction that you asked for."
    ),
    "achieved": st.column_config.NumberColumn(
        "Achieved", format=PERCENT, width="small", help="The fraction that the cut removed."
    ),
    "removed": st.column_config.NumberColumn("Removed", format="localized", width="small"),
    "units": st.column_config.NumberColumn("of", format="localized", width="small"),
    "reason": st.column_config.TextColumn("Why they differ", width="medium"),
}
FINAL = "Final: measured on the smaller model that export would write."

EMPTY_TEXT = (
    "This is the dense model. **Drag a fader up** to remove part of a layer and watch the numbers above answer, "
    "or start from a **preset**. Nothing is ever changed in the model itself."
)


def draw_metrics() -> None:
    """The cards, and how far the measurement is; drawn again while it goes on."""
    session.live()
    session.polled(_metrics, "live")


def _metrics() -> None:
    state, key = session.live(), session.live_key()
    with st.container(key="metrics", gap="small"):
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
            layout.draw_share(*_share(report))
            st.button("Stop", on_click=session.cancel, args=("live", key), key="stop", type="tertiary")
        elif report is not None:
            st.caption(layout.plain(" ".join([FINAL, *report.notes])))


def _share(report: Report | None) -> tuple[float, str]:
    if report is None or not report.total_samples:
        return 0.0, "Live: cutting, then the first samples …"
    if report.stage == "final":
        return 1.0, "Accuracy is final; measuring the latency …"
    return report.pruned.samples / report.total_samples, f"Live: {report.pruned.samples:,} of {report.total_samples:,} samples"


def draw_curve() -> None:
    """Accuracy against what is left, for this recipe at all strengths, with the recipe itself as a star."""
    if session.recipe().is_empty:
        st.caption("Remove something, and a curve of accuracy against size will stand here.")
        return
    session.curve()
    session.polled(_curve, "curve")


def _curve() -> None:
    state, key = session.curve(), session.curve_key()
    axes: list[Axis] = ["params", "nonzero_params", "macs", "size"]
    usual: Axis = "params" if session.recipe().is_structured else "nonzero_params"
    axis = st.segmented_control("Against", axes, default=usual, format_func=lambda name: AXES[name][0], key="curve_axis")
    figure = accuracy_curve(state.value or (), session.report(), axis or usual, stale=state.key != key)
    st.plotly_chart(figure, width="stretch", key="curve", config={"displaylogo": False})
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
    frame = tables.parts(report.parts)
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
