"""One plan over blocks, channels and single weights: what each part costs is measured, then one saving is
spent where it costs least.
"""

from collections.abc import Callable, Hashable
from dataclasses import replace

import streamlit as st

from ...background.lane import Lane
from ...planning.allocation_context import NO_FASTER
from ...planning.joint_plan import JointWish, Key, joint_plan
from ...planning.latency_plan import timed
from ...studies.joint_losses import joint_losses, kinds_of
from ...values.granularity import BLOCK, GRADED, PLURALS, WEIGHT, Granularity
from ...values.progress import Returning, Work, as_work
from ...values.recipe import Recipe
from .. import session
from ..drawing import layout
from ..drawing.offers import ManyOffer, Offer
from ..live import regions
from ..live.asked_job import AskedJob, asked_news

LANE = Lane("joint plan")
ONE, JOINT = "one", "joint"
WAYS = {ONE: "Kind by kind", JOINT: "Across kinds"}
SAVES = {"params": "Parameters", "macs": "MACs", "bytes": "Bytes", "latency": "Latency, measured"}
WAY, KINDS, SAVED = Offer("ratios way", WAYS), "joint kinds", Offer("joint saves", SAVES)
WAY_HELP = (
    "Kind by kind: an allocator spreads the target over channels, and again over weights. Across kinds: one "
    "plan decides whether a saving costs least in whole blocks, in channels or in single weights."
)
HELP = (
    "Measures the model without each block, and with each group of channels and each layer pruned alone; "
    "known scans are used again. Then it chooses what loses least in total. Losses of single parts only "
    "roughly add up: the measured number above is what counts."
)
NOTHING = "Choose at least one kind to spend on."
FREE_ONLY = "A plan that spends on single weights needs the pattern *free*."


def is_chosen() -> bool:
    """Whether ratios come from one plan over several kinds."""
    return len(_offered()) > 1 and WAY.now() == JOINT and session.subject().task is not None


def draw_way() -> None:
    """Draw the choice between allocators and one plan, if the model has parts of several kinds."""
    if len(_offered()) > 1 and session.subject().task is not None:
        WAY.switch("How", help=WAY_HELP, label_visibility="collapsed")


def draw(target: float) -> None:
    """Draw the button that plans, its progress, and the button that applies the plan."""
    why = unusable()
    if why:
        st.caption(why)
        return
    key = (settings_key(), target)
    regions.watched(
        "joint plan",
        lambda: _draw(key, target),
        LANE,
        facet=lambda: (key, asked_news(LANE)),
        progress=True,
    )


def draw_choices() -> None:
    """Draw what is spent on, and what is saved."""
    st.caption("One saving is spent over all of these, wherever it costs least.")
    _kinds().select("Spend on")
    SAVED.select("What is saved")


def unusable() -> str:
    """Return why there can be no such plan; "" if there can."""
    kinds = _kinds().now()
    if not kinds:
        return NOTHING
    if WEIGHT not in kinds:
        return ""
    if SAVED.now() == "latency":
        return NO_FASTER
    return FREE_ONLY if session.recipe().pattern != "free" else ""


def _offered() -> dict[Granularity, str]:
    return {kind: PLURALS[kind].capitalize() for kind in kinds_of(session.model())}


def _kinds() -> ManyOffer:
    offered = _offered()
    return ManyOffer(KINDS, offered, [kind for kind in offered if kind != WEIGHT] or list(offered))


def _locked() -> frozenset[Key]:
    return frozenset(session.locks())


def settings_key() -> Hashable:
    """Return what a plan depends on besides its target: all of the recipe but what is chosen again."""
    recipe, kinds, locked = session.recipe(), tuple(_kinds().now()), _locked()
    for kind in GRADED:
        if kind in kinds:
            kept = {part: ratio for part, ratio in recipe.ratios(kind).items() if (kind, part) in locked}
            recipe = recipe.with_ratios(kind, kept)
    recipe = replace(recipe, blocks=()) if BLOCK in kinds else recipe
    return session.task_key(), recipe.fingerprint, kinds, SAVED.now(), locked, session.conditions()


def wished() -> Callable[[], Returning[JointWish]]:
    """Return what measures all losses and returns the wish; it asks no session."""
    model, recipe, conditions = session.model(), session.recipe(), session.conditions()
    kinds, saves, locked = tuple(_kinds().now()), SAVED.now(), _locked()

    def measured() -> Returning[JointWish]:
        losses = yield from joint_losses(model, recipe, kinds, conditions)
        return JointWish(losses, saves=saves, locked=locked)

    return measured


def _plan(target: float) -> Callable[[], Work[Recipe]]:
    model, recipe, device, wish = session.model(), session.recipe(), session.conditions().device, wished()

    def planned() -> Returning[Recipe]:
        wanted = replace((yield from wish()), target=target)
        return (yield from timed(model, lambda: joint_plan(model, recipe, wanted, device), device))

    return lambda: as_work(planned())


def _draw(key: Hashable, target: float) -> None:
    job = AskedJob(LANE, key)
    state, plan = job.state(_plan(target)), job.value(Recipe)
    own = job.asked and state.key == job.key
    if own and state.error:
        layout.draw_notice(state.error)
    if own and state.busy:
        layout.draw_count(state.progress)
        st.button("Stop", "stop joint", on_click=job.stop, type="tertiary")
    elif plan is not None:
        st.caption(f"Plan found: {described(plan)}.")
        st.button(
            "Apply to the faders",
            "take joint",
            "You can undo this.",
            _take,
            (plan, target),
            icon=":material/equalizer:",
            type="primary",
        )
    else:
        st.button("Measure and plan", "start joint", HELP, job.start, icon=":material/rule:", type="primary")


def described(recipe: Recipe) -> str:
    """Return what a plan cuts, in words.

    >>> described(Recipe(blocks=("a",), channels={"b": 0.5, "c": 0.2}))
    '1 block, channels of 2 groups'
    """
    blocks, channels, weights = (len(own) for own in (recipe.blocks, recipe.channels, recipe.weights))
    words = [
        f"{blocks} block{'s' if blocks > 1 else ''}" if blocks else "",
        f"channels of {channels} group{'s' if channels > 1 else ''}" if channels else "",
        f"weights of {weights} layer{'s' if weights > 1 else ''}" if weights else "",
    ]
    return ", ".join(filter(None, words)) or "nothing"


def _take(plan: Recipe, target: float) -> None:
    session.attempt(session.set_recipe, plan, f"one plan over kinds at {100 * target:g} %")
    regions.hurry()
    st.rerun()
