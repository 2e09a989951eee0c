"""The form of a recovery plan: the method first, then what it needs; the widgets show the plan."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import streamlit as st

from ...recovery.training_plan import CHOICES, METHODS, REAL, WHOLE, RecoveryPlan, suggested
from .. import session
from ..drawing import widgets

REMEMBERED = "recovery plans"
SEEDS = (1, 2, 3, 5)
NAMES = {
    "finetune": "Fine-tune",
    "distill": "Distil from the dense model",
    "iterative": "Iterative: prune, train, repeat",
    "gradual": "Prune while training from scratch",
    "rewind": "Rewind",
    "regularise": "Penalty first, then prune",
    "scratch": "From scratch (a control)",
    "recalibrate": "Recalibrate only",
}
# field -> label, help
FIELDS: dict[str, tuple[str, str | None]] = {
    "epochs": (
        "Epochs",
        "Passes over the training split, all rounds together. More epochs win back more, and cost more.",
    ),
    "learning_rate": (
        "Learning rate",
        "The highest of the schedule. Too high destroys what is left, too low wins back little.",
    ),
    "rounds": ("Rounds", "The ratios grow from round to round; the epochs are shared among them."),
    "round_schedule": (
        "How ratios grow",
        "Cubic removes most in the first round, where there is plenty; linear removes the same each time.",
    ),
    "rewind": ("What is rewound", "Weights: trains the dense model again first, which costs as much again."),
    "rewind_epoch": ("Rewind to epoch", "Of a training that is this many epochs longer than the retraining."),
    "distillation_weight": (
        "Share of the teacher",
        "0 learns from the true targets alone, 1 from the dense model alone. For outputs that are classes.",
    ),
    "temperature": (
        "Temperature",
        "Softens the probabilities, so that the student also sees which wrong classes come close.",
    ),
    "penalty": (
        "Penalty",
        "L1 makes many weights tiny, group lasso whole channels, L2 all of them a little.",
    ),
    "penalty_strength": ("Strength of the penalty", None),
    "penalty_epochs": ("Epochs with the penalty", "Before the cut; the rest of the epochs come after it."),
    "optimiser": ("Optimiser", None),
    "schedule": ("Learning rate over time", None),
    "batch_size": ("Samples a step", None),
    "weight_decay": ("Weight decay", None),
    "augmentation": (
        "Augmentation",
        "Changes that leave the class as it is; the one that the model was trained with, if known. Masks "
        "move with their pictures; boxes and numbers can't, so such batches stay as they are.",
    ),
    "patience": (
        "Stop early after",
        "Epochs without a better loss on the tuning split; the best epoch is kept. 0: never.",
    ),
}
OWN = {
    "finetune": (),
    "distill": ("distillation_weight", "temperature"),
    "iterative": ("rounds", "round_schedule"),
    "gradual": ("rounds", "round_schedule"),
    "rewind": ("rewind", "rewind_epoch"),
    "regularise": ("penalty", "penalty_strength", "penalty_epochs"),
    "scratch": (),
}
MORE = ("optimiser", "schedule", "batch_size", "weight_decay", "augmentation", "patience")


def plan() -> RecoveryPlan:
    """Return the user's plan for this model; at first one that suits how the model was trained."""
    return session.recalled(REMEMBERED, {}).get(session.subject().id) or suggested(session.subject())


def _keep(changed: RecoveryPlan) -> None:
    session.remember(REMEMBERED, session.recalled(REMEMBERED, {}) | {session.subject().id: changed})


def _set(name: str) -> Callable[[Any], None]:
    return lambda value: _keep(replace(plan(), **{name: value}))


def _set_method(method: Any) -> None:
    _keep(suggested(session.subject(), method, seeds=plan().seeds))


def duration(seconds: float) -> str:
    """Return seconds in words.

    >>> duration(42.4), duration(200), duration(9000)
    ('42 s', '3 minutes', '2.5 hours')
    """
    if seconds < 100:
        return f"{max(1, seconds):.0f} s"
    return f"{seconds / 60:.0f} minutes" if seconds < 5400 else f"{seconds / 3600:.1f} hours"


def draw() -> None:
    """Draw the method, its fields, and rarely changed options."""
    now = plan()
    left, right = st.columns(2, vertical_alignment="bottom")  # as the fields below
    with left:
        widgets.choose("Method", NAMES, now.method, _set_method, key="recovery_method")
    st.caption(METHODS[now.method])
    if now.method == "recalibrate":
        return
    with right:

        def take(count):
            return _keep(replace(plan(), seeds=tuple(range(count))))

        meaning = (
            "The same training with other random seeds; the spread says how far you can trust one number. "
            "The first one is kept."
        )
        counts = sorted({*SEEDS, len(now.seeds)})
        widgets.choose("Seeds", counts, len(now.seeds), take, key="recovery_seeds", help=meaning)
    _row(("epochs", "learning_rate", *OWN[now.method]), now)
    with st.expander("More settings"):
        _row(MORE[:3], now)
        _row(MORE[3:], now)


def _row(names: tuple[str, ...], now: RecoveryPlan) -> None:
    for column, name in zip(st.columns(len(names), vertical_alignment="bottom"), names, strict=True):
        with column:
            _field(name, getattr(now, name))


def _field(name: str, value: Any) -> None:
    (label, help), key = FIELDS[name], f"recovery_{name}"
    if name in CHOICES:
        widgets.choose(label, list(CHOICES[name]), value, _set(name), key=key, help=help)
    elif name in WHOLE:
        widgets.whole_number(label, WHOLE[name], value, _set(name), key=key, help=help)
    else:
        low, high, _ = REAL[name]
        widgets.real_number(label, (low, high), value, _set(name), key=key, help=help)
