"""The only access to a browser session's state: model, recipe and its history, locks, the URL, and background
jobs.

The recipe is the truth and widgets show it: draw a widget under the key that `show` returns, change the
recipe in its callback. Only names, recipes and small values are kept here; models and tensors are in
`resources`.
"""

from .choices import conditions, device, locks, mode, set_conditions, set_dtype, set_locks, set_mode
from .models import graph, model, model_name, models, profile, scale, set_model, subject, upload_weights
from .person import is_signed_in, person, shown_name
from .recipes import address, bring_recipe, history, recipe, redo, set_recipe, undo, write_url
from .state import KEY, START, identity, still, take_place
from .widgets import (
    acknowledge,
    attempt,
    dismiss,
    event,
    notice,
    picked,
    put,
    recalled,
    remember,
    show,
    shown,
    stamp,
    start_from,
)
from .work import (
    LIVE_LANE,
    cancel,
    is_answered,
    is_cancelled,
    job,
    lane_state,
    live,
    live_key,
    put_off,
    report,
    resume,
    versions,
)

__all__ = [
    "KEY",
    "LIVE_LANE",
    "START",
    "acknowledge",
    "address",
    "attempt",
    "bring_recipe",
    "cancel",
    "conditions",
    "device",
    "dismiss",
    "event",
    "graph",
    "history",
    "identity",
    "is_answered",
    "is_cancelled",
    "is_signed_in",
    "job",
    "lane_state",
    "live",
    "live_key",
    "locks",
    "mode",
    "model",
    "model_name",
    "models",
    "notice",
    "person",
    "picked",
    "profile",
    "put",
    "put_off",
    "recalled",
    "recipe",
    "redo",
    "remember",
    "report",
    "resume",
    "scale",
    "set_conditions",
    "set_dtype",
    "set_locks",
    "set_mode",
    "set_model",
    "set_recipe",
    "show",
    "shown",
    "shown_name",
    "stamp",
    "start_from",
    "still",
    "subject",
    "take_place",
    "undo",
    "upload_weights",
    "versions",
    "write_url",
]
