"""In a class: tells the teacher which page a browser shows."""

from .. import session
from ..shared import settings

TEACHER = "is the teacher"


def note(place: str) -> None:
    """Record the place of this browser; does nothing without a class, and for the teacher."""
    room = settings.current().classroom
    if room is not None and not session.recalled(TEACHER):
        room.attendance.note(session.identity(), place)
