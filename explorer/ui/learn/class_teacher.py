"""What only the teacher of a class sees: who is where, and the results, of all or of one student."""

import csv
import io
from collections.abc import Sequence

import streamlit as st

from ...lessons.class_board import BoardPoint, Classroom
from ...tables import harmless
from ..drawing import layout
from ..drawing.offers import Offer

NOBODY = "Nobody is here yet."
WITHOUT_NAME = "not on the board yet"
ALL = "All students, their last points"


def draw(room: Classroom) -> None:
    """Draw both."""
    st.subheader("For you alone", anchor=False)
    rows = [
        (room.board.name_of(seat.owner) or WITHOUT_NAME, seat.place, ago(seat.seconds))
        for seat in room.attendance.seats()
    ]
    if rows:
        st.table(
            {
                title: [layout.plain(row[column]) for row in rows]
                for column, title in enumerate(("who", "where", "last seen"))
            },
            border="horizontal",
        )
    else:
        st.caption(NOBODY)
    tries = room.board.tries()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        whose = Offer("class whose", [ALL, *sorted(tries, key=str.casefold)]).select("Results of", width=300)
        st.download_button(
            "Save as CSV",
            as_csv(room.board.points() if whose == ALL else tries.get(whose, ())),
            "class.csv" if whose == ALL else "student.csv",
            "text/csv",
            key="class csv",
            on_click="ignore",
            icon=":material/download:",
        )


def ago(seconds: float) -> str:
    """Return how long ago something was.

    >>> ago(3.2), ago(130)
    ('now', '2 minutes ago')
    """
    minutes = round(seconds / 60)
    return "now" if minutes < 1 else f"{minutes} minute{'s' * (minutes != 1)} ago"


def as_csv(points: Sequence[BoardPoint]) -> str:
    """Return one row per point; cells that a spreadsheet would run begin with an apostrophe."""
    written = io.StringIO()
    writer = csv.writer(written)
    writer.writerow(["nickname", "model", "left", "accuracy", "low", "high", "samples", "recipe"])
    for p in points:
        numbers = [f"{number:.4f}" for number in (p.left, p.accuracy, p.low, p.high)]
        writer.writerow([harmless(p.nickname), harmless(p.model), *numbers, p.samples, p.recipe])
    return written.getvalue()
