"""A class's board: one point for each nickname, bounded, the same for all browsers. It is written to disk
only if the teacher names a file (see `class_file`).
"""

import secrets
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ..background.shared_measurements import Sharing
from ..errors import ExplorerError
from ..machine.cache import Cache
from ..values.report import Report
from .attendance import Attendance

LONGEST_NAME, MOST_POINTS, KEPT_REPORTS = 24, 120, 256
MOST_TRIES = 40  # points of one nickname that are remembered
CODE_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"  # without characters that look alike
CODE_LENGTH = 8


class BoardError(ExplorerError):
    """A point cannot be put on the board."""


@dataclass(frozen=True)
class BoardPoint:
    """A student's result.

    Args:
        nickname: cleaned but still foreign text: escape it where it is shown.
        left: number of non-zero parameters, as a fraction of the dense model's.
        accuracy, low, high: with the 95 % interval, of `samples`.
        recipe: as in a URL.
    """

    nickname: str
    model: str
    left: float
    accuracy: float
    low: float
    high: float
    samples: int
    recipe: str


def clean_name(given: str) -> str:
    """Return a nickname on one line, without characters that don't print.

    Raises:
        BoardError: nothing is left, or it is too long.

    >>> clean_name("  Ada\\n Lovelace ")
    'Ada Lovelace'
    """
    name = " ".join("".join(c if c.isprintable() else " " for c in given).split())
    if not name or len(name) > LONGEST_NAME:
        raise BoardError(f"A nickname has 1 to {LONGEST_NAME} characters, got {len(name)}.")
    return name


def point_of(nickname: str, report: Report) -> BoardPoint:
    """Turn a finished measurement into a point.

    Raises:
        BoardError: it is not finished, or there is no accuracy.
    """
    now, dense = report.pruned, report.baseline
    accuracy, low, high, size = now.accuracy, now.accuracy_low, now.accuracy_high, now.nonzero_params
    if report.stage != "final" or not dense.params or None in (accuracy, low, high, size):
        raise BoardError("This recipe is still being measured, or has no accuracy; try again in a moment.")
    assert accuracy is not None and low is not None and high is not None and size is not None
    name, recipe = str(report.subject["name"]), report.recipe.to_url()
    left = size / dense.params
    return BoardPoint(clean_name(nickname), name, left, accuracy, low, high, now.samples, recipe)


def front(points: Iterable[BoardPoint]) -> list[BoardPoint]:
    """Return the points that no other point beats in accuracy at the same size or less; sizes rising."""
    best: list[BoardPoint] = []
    for point in sorted(points, key=lambda p: (p.left, -p.accuracy)):
        if not best or point.accuracy > best[-1].accuracy:
            best.append(point)
    return best


class Board:
    """The points of a class; thread-safe. A nickname belongs to the browser session that used it first.

    Args:
        tries: nickname -> its points so far, in their order, of a board that goes on; nobody owns a name yet.
    """

    def __init__(self, tries: Mapping[str, Sequence[BoardPoint]] | None = None) -> None:
        self._lock = threading.Lock()
        self._tries = {name.casefold(): list(points) for name, points in (tries or {}).items() if points}
        self._points = {name: points[-1] for name, points in self._tries.items()}
        self._owners: dict[str, str] = {}

    def put(self, point: BoardPoint, owner: str) -> None:
        """Put a point on the board in place of the session's earlier one.

        Raises:
            BoardError: the nickname belongs to somebody else, or the board is full.
        """
        name = point.nickname.casefold()
        with self._lock:
            if self._owners.get(name, owner) != owner:
                raise BoardError(f"The nickname {point.nickname!r} is taken; choose another one.")
            own = [known for known, holder in self._owners.items() if holder == owner]
            if not own and name not in self._points and len(self._points) >= MOST_POINTS:
                raise BoardError(f"The board is full with {MOST_POINTS} points.")
            before = [try_ for known in own for try_ in self._tries.pop(known, [])] or self._tries.get(
                name, []
            )
            for known in own:
                del self._points[known], self._owners[known]
            self._points[name], self._owners[name] = point, owner
            self._tries[name] = [*before, point][-MOST_TRIES:]

    def points(self) -> tuple[BoardPoint, ...]:
        """Return all points, sizes rising."""
        with self._lock:
            return tuple(sorted(self._points.values(), key=lambda point: point.left))

    def tries(self) -> dict[str, tuple[BoardPoint, ...]]:
        """Return nickname -> all points that were put under it, in their order."""
        with self._lock:
            return {points[-1].nickname: tuple(points) for points in self._tries.values()}

    def name_of(self, owner: str) -> str:
        """Return the nickname of a browser session; "" if it has none."""
        with self._lock:
            return next(
                (self._points[name].nickname for name, one in self._owners.items() if one == owner), ""
            )


@dataclass(frozen=True, eq=False)
class Classroom:
    """A class in this process.

    Args:
        code: carried by the student's link; token: opens the table of results.
        measured: the reports of recipes, each measured once for all.
        attendance: who is where.
    """

    board: Board = field(default_factory=Board)
    code: str = field(
        default_factory=lambda: "".join(secrets.choice(CODE_ALPHABET) for _ in range(CODE_LENGTH))
    )
    token: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    attendance: Attendance = field(default_factory=Attendance)
    measured: Sharing = field(
        default_factory=lambda: Sharing(Cache(KEPT_REPORTS, "measured recipes of a class"))
    )

    def admits(self, code: str) -> bool:
        """Whether this is the class's code. Takes as long for a wrong one."""
        return secrets.compare_digest(code.encode(), self.code.encode())

    def trusts(self, token: str) -> bool:
        """Whether this is the teacher's token."""
        return secrets.compare_digest(token.encode(), self.token.encode())
