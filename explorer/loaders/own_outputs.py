"""What of a user's own model's outputs is judged: a key, a number or a function, as its file declares it."""

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor

from ..errors import LoadError
from ..machine.foreign_code import description

DECLARED = "outputs"  # name in the model, or in its file
Pick = Callable[[Any], Any]


def picking(wanted: Any, name: str) -> Pick | None:
    """Return the function that picks what is judged.

    Args:
        wanted: key of a dict or name of a field, place in a tuple, or a function; None: nothing is declared.
    Raises:
        LoadError: it is something else.
    """
    if wanted is None:
        return None
    if isinstance(wanted, str | int) and not isinstance(wanted, bool):
        return lambda outputs: _entry(outputs, wanted)
    if callable(wanted):
        chosen: Pick = wanted
        return chosen
    raise LoadError(
        f"{DECLARED} of {name!r} must be a key such as 'boxes', a place such as 0, or a function of the "
        f"model's outputs, got a {type(wanted).__name__}."
    )


def check_pick(pick: Pick, outputs: Any, name: str) -> None:
    """Try the pick on some outputs.

    Raises:
        LoadError: it fails; the message says what there is.
    """
    try:
        pick(outputs)
    except Exception as error:  # the border of the user's code
        why = str(error) if type(error) is LookupError else description(error)
        raise LoadError(f"{DECLARED} of {name!r} cannot be picked: {why}.") from error


def _entry(outputs: Any, wanted: str | int) -> Any:
    """Return an entry of a dict, tuple or list, or a field of any other object."""
    if isinstance(outputs, Mapping) and wanted in outputs:
        return outputs[wanted]
    if isinstance(outputs, tuple | list) and wanted in range(-len(outputs), len(outputs)):
        return outputs[int(wanted)]
    if not isinstance(outputs, Mapping | Tensor) and hasattr(outputs, str(wanted)):
        return getattr(outputs, str(wanted))
    raise LookupError(f"the model gives {_form(outputs)}, which has no {wanted!r}")


def _form(outputs: Any) -> str:
    what = f"a {type(outputs).__name__}"
    if isinstance(outputs, Tensor):
        return f"one tensor of shape {tuple(outputs.shape)}"
    if isinstance(outputs, tuple | list) and not hasattr(outputs, "_fields"):
        return f"{what} of {len(outputs)}"
    names = outputs if isinstance(outputs, Mapping) else getattr(outputs, "_fields", None) or vars(outputs)
    return f"{what} with {', '.join(map(repr, list(names)[:8])) or 'nothing'}"
