"""What the measurement says about a lesson's claim, the comparisons behind it, and what others have
measured.
"""

from itertools import groupby

import streamlit as st

from ...lessons import wording
from ...lessons.evidence import Evidence
from ...lessons.values import Lesson, Published
from ...lessons.verdicts import Finding, judge
from ..drawing import layout
from .lesson_steps import choose_model, when_measured

ICONS = {
    "holds": ":material/check_circle:",
    "conditional": ":material/rule:",
    "fails": ":material/cancel:",
    "open": ":material/help:",
}


def draw(lesson: Lesson) -> None:
    """Draw what the measurement says about the claim."""
    st.subheader("The verdict", anchor=False)
    st.markdown(f"The claim: *{lesson.claim.text}*")
    choose_model(lesson)
    when_measured(lesson, _draw_finding)


def _draw_finding(lesson: Lesson, evidence: Evidence) -> None:
    finding = judge(lesson, evidence)
    if finding is None:
        layout.draw_notice("Something that the verdict needs could not be measured on this model.")
        return
    headline = f"**{wording.headline(finding)}** · measured on {wording.networks(lesson, evidence)}"
    st.info(layout.unbroken(f"{headline}\n\n{_explained(lesson, finding)}"), icon=ICONS[finding.verdict])
    st.caption(layout.plain(f"Expected shape: {lesson.prediction.expected}"))
    rows = [
        (one.case.name, f"{one.x * 100:g} %", wording.value(one), wording.wanted(one), wording.says(one.said))
        for one in finding.comparisons
    ]
    columns = ("Compared", "At", "Measured (range)", "The claim asks for", "Says")
    with st.expander(f"The {len(rows)} comparisons behind it", expanded=len(rows) <= 6):
        table = {name: [layout.unbroken(row[place]) for row in rows] for place, name in enumerate(columns)}
        st.table(table, border="horizontal", hide_index=True)
    st.caption(
        layout.plain(
            f"Ranges at {finding.level * 100:.1f} %, so that together they err in 5 % of cases at most. The "
            f"verdict was the same in {finding.stability * 100:.0f} % of 400 repetitions with samples and "
            "clock rounds drawn again; below 95 % it is withdrawn."
        )
    )
    _draw_published(lesson)


def _explained(lesson: Lesson, finding: Finding) -> str:
    """Draw the explanation, with its comparisons as a list."""
    parts = []
    for lists, group in groupby(wording.sentences(lesson, finding), key=lambda told: told[1]):
        told = [sentence for sentence, _ in group]
        parts.append("\n".join(f"- {sentence}" for sentence in told) if lists else " ".join(told))
    return "\n\n".join(parts)


def _draw_published(lesson: Lesson) -> None:
    if lesson.published:
        st.markdown("**Measured by others**, to compare the shape with, not the numbers:")
        st.markdown(
            "\n".join(f"- {layout.unbroken(layout.plain(_told(other)))}" for other in lesson.published)
        )


def _told(other: Published) -> str:
    numbers = ", ".join(
        f"{100 * x:.3g} %: {100 * y:.3g} %" for x, y in zip(other.x, other.accuracy, strict=True)
    )
    return ". ".join(
        part for part in (f"{other.name}; {numbers}" if numbers else other.name, other.note) if part
    )
