"""What was measured of the current recipe, drawn from the session: cards, progress, curve, table, downloads."""

import streamlit as st

from . import layout, session
from .metrics import cards

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


def _status(state, key) -> None:
    report = state.value if state.key == key else None
    with st.container(horizontal=True, vertical_alignment="center"):
        if session.is_cancelled("live", key):
            st.caption("Stopped." if report is None else f"Stopped after {report.pruned.samples:,} of {report.total_samples:,} samples.")
            st.button("Go on", on_click=session.resume, args=("live",), key="resume", type="tertiary")
        elif state.error and state.key == key:
            layout.draw_notice(state.error)
        elif state.busy:
            layout.draw_share(*_share(report))
            st.button("Stop", on_click=session.cancel, args=("live", key), key="stop", type="tertiary")
        else:
            layout.draw_share(1.0, "Final: measured on the smaller model that export would write.")


def _share(report) -> tuple[float, str]:
    if report is None or not report.total_samples:
        return 0.0, "Live: cutting, then the first samples …"
    if report.stage == "final":
        return 1.0, "Accuracy is final; measuring the latency …"
    return report.pruned.samples / report.total_samples, f"Live: {report.pruned.samples:,} of {report.total_samples:,} samples"
