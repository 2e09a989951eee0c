"""What was measured of the current recipe, drawn from the session: cards, progress, requested and achieved."""

import streamlit as st

from .. import tables
from ..jobs import Progress
from ..values import Report, Subject
from . import layout, session, watched
from .metrics import cards

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
    """The cards, and how far the measurement is."""
    session.live()
    with st.container(key="metrics"):
        version = lambda: (session.live_key(), session.lane_state("live").version)  # noqa: E731
        watched.watched("cards", _cards, "live", facet=version, prompt=True)
        watched.watched("status", _status, "live", progress=True, prompt=True)


def draw_welcome() -> None:
    """What to do first, while nothing is removed."""
    watched.watched("welcome", _welcome, facet=lambda: session.recipe().is_empty, prompt=True)


def _welcome() -> None:
    if session.recipe().is_empty:
        st.info(EMPTY_TEXT, icon=":material/swipe_up:")


def _cards() -> None:
    state = session.live()
    if state.value is not None:
        layout.draw_cards(cards(state.value), stale=state.key != session.live_key())
    else:
        st.markdown("**Measuring the first samples …**" if state.busy else "Not measured yet.")


def _status() -> None:
    state, key = session.live(), session.live_key()
    report: Report | None = state.value if state.key == key else None
    with st.container(horizontal=True, vertical_alignment="center", key="status"):
        if session.is_cancelled("live", key):
            st.caption(
                "Stopped." if report is None else f"Stopped after {report.pruned.samples:,} of {report.total_samples:,} samples."
            )
            st.button("Go on", on_click=_go_on, key="resume", type="tertiary")
        elif state.error and state.key == key:
            layout.draw_notice(state.error)
        elif state.busy:
            layout.draw_share(*_share(report, state.progress))
            st.button("Stop", on_click=session.cancel, args=("live", key), key="stop", type="tertiary")
        elif report is not None:
            st.caption(layout.plain(" ".join([FINAL, *near_chance(report, session.subject()), *report.notes])))


def _go_on() -> None:
    session.resume("live")
    watched.hurry()
    st.rerun()


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


def draw_parts() -> None:
    """Requested against achieved, one row a part that was cut."""
    watched.watched("parts", _parts, "live", facet=lambda: (session.live_key(), session.report() is None))


def _parts() -> None:
    report = session.report()
    if report is None or not report.parts:
        st.caption("Nothing is removed yet." if session.recipe().is_empty else "Cutting …")
        return
    frame = tables.parts(report.parts).fillna({"reason": ""})
    shown = [name for name in PART_COLUMNS if name != "granularity" or frame[name].nunique() > 1]
    st.dataframe(frame, hide_index=True, column_order=shown, column_config=PART_COLUMNS, height=min(38 + 35 * len(frame), 420))
