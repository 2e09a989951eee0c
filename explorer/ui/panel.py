"""The fader console wired to the session: what it shows, and what an edit does."""

from collections.abc import Mapping

from ..errors import RecipeError
from ..values import Report
from . import session
from .console.cost import cost_table
from .console.element import draw_console
from .console.model import Bank, BankName, ConsoleData, Edit, apply_edit, apply_locks, read_edit
from .console.strips import Sensitivity, banks

MOVED_SHOWN = 2  # parts named in the undo button


def draw(report: Report | None, sensitivity: Mapping[BankName, Sensitivity] | None = None) -> None:
    """Draw the console of the current recipe.

    Args:
        report: of this very recipe, or None while nothing is known of it.
        sensitivity: what a scan found, by bank and part.
    """
    shown = banks(session.profile(), session.recipe(), session.mode(), outcomes=report.parts if report else (),
                  locks=session.locks(), sensitivity=sensitivity)  # fmt: skip
    epoch, generation, acknowledged = session.stamp()
    data = ConsoleData(epoch, generation, acknowledged, shown, cost_table(session.profile()), _exact(report))
    key = f"console {session.subject().id}"
    draw_console(data, key=key, on_edit=lambda: session.attempt(_take, key, shown))


def _exact(report: Report | None) -> dict[str, int] | None:
    if report is None or report.pruned.params is None or report.pruned.macs is None:
        return None
    nonzero = report.pruned.nonzero_params
    return {
        "params": report.pruned.params,
        "macs": report.pruned.macs,
        "nonzero_params": report.pruned.params if nonzero is None else nonzero,
    }


def _take(key: str, shown: tuple[Bank, ...]) -> None:
    message = session.event(key, "edit")
    # acknowledged even if it is refused: the browser then shows again what is
    sequence = message.get("seq") if isinstance(message, Mapping) else None
    if not isinstance(sequence, int):
        raise RecipeError("The browser sent an edit without a number; reload the page.")
    if not session.acknowledge(sequence):
        return
    edit = read_edit(shown, message)
    session.set_locks(apply_locks(session.locks(), edit))
    if edit.ratios:
        session.set_recipe(apply_edit(session.recipe(), edit), described(edit))


def described(edit: Edit) -> str:
    """What was moved, in a few words.

    >>> described(Edit(1, {"channels": {"conv1": 0.5}}, {}))
    'conv1 to 50 %'
    """
    moved = [f"{part} to {ratio * 100:g} %" for row in edit.ratios.values() for part, ratio in row.items()]
    return ", ".join(moved) if len(moved) <= MOVED_SHOWN else f"{len(moved)} parts"
