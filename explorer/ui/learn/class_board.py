"""The class's board on the Learn page: students put their recipes on it and see all others; a token opens the
teacher's table.
"""

from functools import partial

import streamlit as st

from ...figures.class_front import class_front
from ...lessons import class_file
from ...lessons.class_board import LONGEST_NAME, BoardError, Classroom, point_of
from .. import session
from ..drawing import layout
from ..frame import attendance
from ..live.regions import watched
from ..shared import settings
from . import class_teacher

REFRESH_S = 4.0
NAME, CODE = "board nickname", "board code"
JOINED, PRESSED = "joined the class", "what went wrong with the board"

ABOUT = (
    "Prune a model on the **Prune** page, come back, and put what was measured on the board. A new point "
    "replaces your old one. "
    "Nicknames only: nothing else is asked for. Your teacher sees which page you are on. "
)
FORGOTTEN = "The board is deleted when the program ends."
KEPT = "The board is kept in a file of your teacher's."


def draw() -> None:
    """Draw the board, or nothing unless the program was started for a class."""
    room = settings.current().classroom
    if room is None:
        return
    st.header("The class", anchor=False)
    if _admitted(room):
        st.markdown(ABOUT + (KEPT if settings.current().class_file else FORGOTTEN))
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
    file = settings.current().class_file
    if file is not None:
        class_file.save(room, file)


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
    if session.recalled(attendance.TEACHER) or room.trusts(st.query_params.get("teacher", "")):
        session.remember(attendance.TEACHER, True)
        st.fragment(class_teacher.draw, run_every=REFRESH_S)(room)
