"""How the recipe is measured and shown: samples, device, mode, locks."""

from ...engine.conditions import Conditions
from ...machine.environment import pick_device
from .models import model_name
from .modes import Lock, Mode, mode_of
from .recipes import recipe
from .state import state


def conditions() -> Conditions:
    """Return how much is measured, and where."""
    return Conditions(
        samples=state().samples, split="tuning", device=pick_device(state().device).type, dtype=state().dtype
    )


def set_conditions(*, samples: int | None, device: str) -> None:
    """Measure on the first so many samples (None = all of the split), on a device.

    Raises:
        ExplorerError: this machine has no such device.
    """
    pick_device(device)
    state().samples, state().device = samples, device


def set_dtype(dtype: str) -> None:
    """Compute in a number format: "float32" or "bfloat16"."""
    state().dtype = dtype


def device() -> str:
    """Return the device as chosen: "auto" stays "auto"."""
    return state().device


def mode() -> Mode:
    """Return structured, unstructured or combined: as chosen, or what is needed to show the whole recipe."""
    return mode_of(recipe(), state().mode)


def set_mode(chosen: Mode) -> None:
    state().mode = chosen


def locks() -> frozenset[Lock]:
    """Return bank and part of the strips that allocators, presets and linked moves do not change."""
    return state().locks.get(model_name(), frozenset())


def set_locks(chosen: frozenset[Lock]) -> None:
    state().locks[model_name()] = chosen
