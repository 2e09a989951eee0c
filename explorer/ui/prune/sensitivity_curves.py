"""What the scans found, in one figure, and whether the drops of the recipe's parts add up."""

from collections.abc import Hashable, Sequence

import streamlit as st

from ...errors import ExplorerError
from ...figures.sensitivity import sensitivity
from ...studies.sensitivity.additivity import Additivity, additivity
from ...studies.sensitivity.values import Scan
from ...values.recipe import Recipe
from ...values.report import Report
from ...words import LABELS
from .. import session
from ..drawing import layout
from ..live import regions
from ..shared import settings
from . import sensitivity_scan

EMPTY = (
    "Nothing is scanned yet: the buttons above measure each part alone, at nine ratios. This takes a "
    "while; the result is kept."
)

BRACKETS = (
    "Numbers in brackets may be chance: with so many points some would look real by luck alone, so all "
    "points of a scan are judged as one family (Holm's correction)."
)
PERCENT = ("achieved", "drop", "drop_low", "drop_high", "exact_low", "exact_high")


def draw() -> None:
    """Draw the figure in an expander, since the faders already show its short form."""
    if session.subject().task is None:
        return
    fold = st.expander(
        "Sensitivity of every part",
        icon=":material/network_check:",
        key="sensitivity fold",
        on_change="rerun",
    )
    if fold.open:  # the figure is heavy, and most visits do not need it
        with fold:
            regions.watched("sensitivities", _draw, sensitivity_scan.LANE, facet=_facet)
    regions.watched("added up", _draw_words, sensitivity_scan.LANE, facet=_words_facet)


def _facet() -> Hashable:
    """Return the figure in a few steps: drawing it costs more than a portion of a scan."""
    return tuple(
        (scan.plan.granularity, scan.plan.is_repaired, _tenths(scan), scan.finished)
        for scan in sensitivity_scan.known_scans()
    )


def _tenths(scan: Scan) -> tuple[int, int]:
    """Return how many points there are, and how many are finished."""
    return 10 * len(scan.points) // scan.expected, 10 * sum(
        point.finished for point in scan.points
    ) // scan.expected


def _words_facet() -> Hashable:
    report = session.report()
    return (
        report
        and any(scan.finished for scan in sensitivity_scan.known_scans())
        and (session.live_key(), report.stage)
    )


def _draw() -> None:
    scans = sensitivity_scan.known_scans()
    if not scans:
        st.caption(EMPTY)
        return
    st.plotly_chart(sensitivity(scans), width="stretch", key="sensitivity", config={"displayModeBar": False})
    first = scans[0]
    words = "until the drop is known well enough" if first.plan.tolerance is not None else "on all samples"
    how = "Repaired by least squares" if first.plan.is_repaired else "One-shot"
    st.caption(
        f"{how}, without training, each point {words}; point at a cell to see its range and number of "
        f"samples. {BRACKETS}"
    )
    _draw_table(scans)


def _draw_table(scans: Sequence[Scan]) -> None:
    from ... import tables  # with pandas, which a page without a table does not need

    frame = tables.labelled(tables.scans(scans))
    numbers = {LABELS[name]: st.column_config.NumberColumn(format="percent") for name in PERCENT}
    numbers[LABELS["p_holm"]] = st.column_config.NumberColumn(format="%.3g")
    st.dataframe(
        frame,
        hide_index=True,
        placeholder=layout.NOTHING,
        column_config=numbers,
        height=240,
        key="scan table",
    )
    if settings.current().classroom:
        return
    st.download_button(
        "Save as CSV",
        tables.to_csv(frame),
        "scan.csv",
        "text/csv",
        key="csv of scans",
        on_click="ignore",
        type="tertiary",
        icon=":material/download:",
    )


def _draw_words() -> None:
    """Draw whether the parts add up, separately from the figure, which no fader changes."""
    told = _added_up(session.recipe(), session.report())
    if told:
        st.caption(layout.plain(told))


def _added_up(recipe: Recipe, report: Report | None) -> str | None:
    """Return whether single drops add up to that of the recipe, if a finished scan covers it."""
    if report is None or report.drop is None or report.stage != "final" or recipe.is_empty:
        return None
    for scan in sensitivity_scan.known_scans():
        if scan.finished and recipe.ratios(scan.plan.granularity):
            try:
                return words(additivity(scan, recipe, report))
            except ExplorerError:  # the recipe also does something that the scan does not cover
                continue
    return None


def words(added: Additivity) -> str:
    r"""Return the comparison in words.

    >>> print(words(Additivity(2, 0.04, 0.30, 0.26, 0.22, 0.30, "different")).replace("; ", ";\n"))
    One by one, the 2 parts of your recipe would lose 4.0 points;
    together they lose 30.0: 26.0 more (22.0 to 30.0).
    """
    alone, together = 100 * added.expected, 100 * added.measured
    gap, low, high = (100 * value for value in (added.gap, added.low, added.high))
    said = (
        f"One by one, the {added.parts} parts of your recipe would lose {alone:.1f} points; "
        f"together they lose {together:.1f}"
    )
    if added.verdict == "different":
        far = (
            f"{gap:.1f} more ({low:.1f} to {high:.1f})"
            if gap > 0
            else f"{-gap:.1f} less ({-high:.1f} to {-low:.1f})"
        )
        return f"{said}: {far}."
    return f"{said}: that adds up " + (
        "within a point." if added.verdict == "equivalent" else "as far as one can tell."
    )
