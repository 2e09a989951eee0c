"""The class's board on the Learn page: students put their recipes on it and see all others; a token opens the
teacher's table.
"""

import csv
import io
from collections.abc import Sequence
from functools import partial

import streamlit as st

from ...figures.class_front import class_front
from ...lessons.class_board import LONGEST_NAME, BoardError, BoardPoint, Classroom, point_of
from ...tables import harmless
from .. import session
from ..drawing import layout
from ..live.regions import watched
from ..shared import settings

REFRESH_S = 4.0
NAME, CODE = "board nickname", "board code"
JOINED, PRESSED = "joined the class", "what went wrong with the board"

ABOUT = (
    "Prune a model on the **Prune** page, come back, and put what was measured on the board. A new point "
    "replaces your old one. "
    "Nicknames only: nothing else is asked for or kept, and the board is deleted when the program ends."
)


def draw() -> None:
    """Draw the board, or nothing unless the program was started for a class."""
    room = settings.current().classroom
    if room is None:
        return
    st.header("The class", anchor=False)
    if _admitted(room):
        st.markdown(ABOUT)
        watched("board form", partial(_draw_form, room), session.LIVE_LANE, facet=_stage)
        st.fragment(_draw_board, run_every=REFRESH_S)(room)
    _draw_teacher(room)


def _admitted(room: Classroom) -> bool:
    """Whether the link, or the learner, has given the code."""
    if session.recalled(JOINED) or room.admits(st.query_params.get("join", "")):
        session.remember(JOINED, True)
        return True
    st.text_input("Code of the class", key=CODE, max_chars=40, on_change=_join, args=(room,))
    st.caption("Your teacher's link fills it in.")
    return False


def _join(room: Classroom) -> None:
    if room.admits(str(session.shown(CODE, ""))):
        session.remember(JOINED, True)


def _stage() -> str | None:
    report = session.report()
    return report.stage if report else None


def _draw_form(room: Classroom) -> None:
    report = session.report()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.text_input("Nickname", key=NAME, max_chars=LONGEST_NAME, width=240)
        st.button(
            "Put my recipe on the board",
            "put on board",
            on_click=_press,
            args=(room,),
            type="primary",
            disabled=report is None or report.stage != "final",
        )
    if report is None or report.stage != "final":
        st.caption("Your recipe is being measured.")
    layout.draw_notice(session.recalled(PRESSED))


def _press(room: Classroom) -> None:
    session.attempt(_put, room)
    session.remember(PRESSED, session.notice())


def _put(room: Classroom) -> None:
    """Put the current result on the board.

    Raises:
        BoardError: there is no result yet, or the nickname is not allowed.
    """
    report = session.report()
    if report is None:
        raise BoardError("Your recipe is still being measured; try again in a moment.")
    room.board.put(point_of(str(session.shown(NAME, "")), report), session.identity())


def _draw_board(room: Classroom) -> None:
    points = [point for point in room.board.points() if point.model == session.subject().name]
    st.plotly_chart(class_front(points), width="stretch", key="class front", config={"displayModeBar": False})
    others = len(room.board.points()) - len(points)
    st.caption(
        layout.plain(
            f"{len(points)} point{'s' * (len(points) != 1)} of {session.subject().name}; bars cover 95 %."
            + (f" {others} more of other models." if others else "")
        )
    )


def _draw_teacher(room: Classroom) -> None:
    if room.trusts(st.query_params.get("teacher", "")):
        st.download_button(
            "Save the results as CSV",
            as_csv(room.board.points()),
            "class.csv",
            "text/csv",
            key="class csv",
            on_click="ignore",
            icon=":material/download:",
        )


def as_csv(points: Sequence[BoardPoint]) -> str:
    """Return one row per point; cells that a spreadsheet would run begin with an apostrophe."""
    written = io.StringIO()
    writer = csv.writer(written)
    writer.writerow(["nickname", "model", "left", "accuracy", "low", "high", "samples", "recipe"])
    for p in points:
        numbers = [f"{number:.4f}" for number in (p.left, p.accuracy, p.low, p.high)]
        writer.writerow([harmless(p.nickname), harmless(p.model), *numbers, p.samples, p.recipe])
    return written.getvalue()
