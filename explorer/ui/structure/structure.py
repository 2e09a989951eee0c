"""The architecture as a picture, what is coupled and why, and the proof of the smaller model's wiring."""

from collections.abc import Hashable

import streamlit as st

from ... import tables
from ...audit.audit import REJECTED, TOLERANCE, AuditReport, audit_steps
from ...background.lane import Lane
from ...graph.drawing import draw as dot_of
from ...graph.folding import modules, suggested
from ...graph.wiring import wiring
from ...pruning.widths import units_left
from ...values.profile import Group, ModelProfile
from ...values.recipe import Recipe
from ...words import GLOSSARY, LABELS
from .. import session
from ..drawing import layout
from ..drawing.offers import ManyOffer, Offer
from ..drawing.words import shortened
from ..live.regions import hurry, watched
from ..prune import starting_points

LANE, ASKED = Lane("audit"), "audit asked for"
KEPT = 8
WHY = "Why they are removed together, or frozen"
HOW_MANY = "Removed as one"
COLUMNS = (LABELS["group"], HOW_MANY, WHY, LABELS["members"])
ALONE = "one layer produces them"
HALF = 0.5  # of each group, if the recipe removes no channels
BEGIN = "Nothing is removed yet: this is the whole model. See what one of these recipes takes away."
LEGEND = (
    "Boxes are layers, as wide as what is left of them; **those of one strong colour lose their channels "
    "together**. Hover over a box for the reason."
)
LEGEND_HELP = (
    "Pale boxes have a coupled group of their own. A folded module shows stripes of the coupled groups in "
    "it, and colours repeat in large models. A dashed box stays whole, an orange frame loses channels, and "
    "an empty box is removed with its block."
)
PROOF = (
    "The smaller model must compute what the full-size one does with its removed channels silenced. Then a "
    "fault is made on purpose, and the comparison must notice it."
)
PROOF_HELP = (
    "Compared in double precision, on a copy with redrawn constant weights, so that a wrong connection "
    "cannot hide. The fault is, for example, two swapped channels."
)


@st.cache_data(max_entries=KEPT, show_spinner="Drawing the model ...")
def _dot(key: Hashable, left: dict[str, int], unfolded: tuple[str, ...], blocks: tuple[str, ...]) -> str:
    return dot_of(session.graph(), left, unfolded, blocks)


@st.cache_data(max_entries=KEPT, show_spinner="Drawing the model ...")
def _foldable(subject: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return all modules that can be folded, and those that are unfolded at first."""
    wired = wiring(session.graph())
    at_first = suggested(wired)
    return modules(wired), tuple(module for module in modules(wired) if module in at_first)


def draw() -> None:
    """Draw the graph on the left, proof and one group next to it, all groups below."""
    profile = session.profile()
    if profile.error:
        st.info(layout.plain(f"There is no picture of this model: {profile.error}"), icon=":material/info:")
        return
    if session.recipe().is_empty:
        starting_points.draw(BEGIN)
    with st.container(key="below"):
        seen, beside = st.columns(2, gap="large")
    with seen:
        _draw_graph()
    with beside:
        st.header("Is the smaller model wired correctly?", anchor=False)
        _draw_audit()
        st.header("What is removed together, and why", anchor=False)
        _draw_group(profile)
    st.header("All coupled groups", anchor=False)
    _draw_groups(profile)


# --------------------------------------------------------------------------- picture


def _draw_graph() -> None:
    every, at_first = _foldable(session.subject().id)
    chosen = at_first
    if every:
        names = ManyOffer(f"unfolded {session.subject().id}", every, at_first).select(
            "Modules shown from the inside",
            help="Modules that are not listed are drawn as one box each. Unfolding a module unfolds those "
            "around it. A large model starts folded, so that it can be read.",
        )
        chosen = tuple(names)
    recipe = session.recipe()
    left = units_left(session.profile(), recipe)
    st.caption(LEGEND, help=LEGEND_HELP)
    st.graphviz_chart(
        _dot((session.subject().id, recipe.fingerprint), left, chosen, recipe.blocks), width="content"
    )


# --------------------------------------------------------------------------- proof


def _recipe() -> Recipe | None:
    """Return the recipe to prove: the user's own, or None for half of every group."""
    recipe = session.recipe()
    return recipe if recipe.is_structured else None


def _key() -> Hashable:
    recipe = _recipe()
    return (session.subject().id, recipe.fingerprint if recipe else HALF)


def _begin() -> None:
    model, recipe = session.model(), _recipe()

    session.remember(ASKED, _key())
    session.resume(LANE)
    session.job(LANE, _key(), lambda: audit_steps(model, recipe, ratio=HALF))
    hurry()


def _draw_audit() -> None:
    what = "this recipe" if _recipe() else f"a cut of {HALF:.0%} of every group".replace("%", " %")
    st.caption(PROOF, help=PROOF_HELP)
    st.button(f"Prove the wiring of {what}", "prove", on_click=_begin, icon=":material/fact_check:")
    watched("proof", _proof, LANE, progress=True)


def _proof() -> None:
    state = session.lane_state(LANE)
    if session.recalled(ASKED) != _key():
        return
    if state.busy:
        st.caption("Building the smaller model and comparing; a large one takes some seconds.")
    elif state.error and state.key == _key():
        layout.draw_notice(state.error)
    elif state.key == _key() and isinstance(state.value, AuditReport):
        _verdict(state.value)


def _verdict(audit: AuditReport) -> None:
    if audit.verified:
        st.success(
            "Verified: the smaller model computes what the silenced one does.", icon=":material/verified:"
        )
    else:
        st.warning(layout.plain(f"Not verified: {audit.reason}."), icon=":material/warning:")
    small = "below" if audit.max_rel_diff is not None and audit.max_rel_diff <= TOLERANCE else "above"
    moved = "above" if audit.negative_control is not None and audit.negative_control > REJECTED else "below"
    rows = {
        "Largest relative difference": f"{_number(audit.max_rel_diff)}, {small} the {TOLERANCE:.0e} allowed",
        f"With {audit.fault or 'a fault'}, on purpose": f"{_number(audit.negative_control)}, {moved} the "
        f"{REJECTED:.0e} needed",
        LABELS["params"]: f"{audit.params_before:,} before, {audit.params_after or 0:,} after",
        LABELS["macs"]: f"{audit.macs_before:,} before, {audit.macs_after or 0:,} after",
        "Time": f"{audit.seconds:.1f} s",
    }
    st.table(rows, border="horizontal")


def _number(value: float | None) -> str:
    return "not computed" if value is None else f"{value:.1e}"


# --------------------------------------------------------------------------- groups


@st.fragment
def _draw_group(profile: ModelProfile) -> None:
    st.caption(GLOSSARY["coupled group"])
    named = {group.name: group for group in profile.groups}
    if named:
        frozen = sum(group.frozen is not None for group in profile.groups)
        name = Offer("explained group", named.keys()).select(
            f"{len(named):,} coupled groups, {frozen:,} of them frozen"
        )
        _explain(named[name])


def _draw_groups(profile: ModelProfile) -> None:
    frame = tables.labelled(tables.groups(profile).fillna({"frozen": ""}))
    stays, tied = (frame[LABELS[column]].astype(str) for column in ("frozen", "tied_by"))
    reasons = tied.where(tied != "", ALONE).where(stays == "", "stays whole: " + stays)
    counted = [f"{group.units:,} {group.unit}s" for group in profile.groups]
    layers = [shortened(group.members) for group in profile.groups]
    shown = frame.assign(**{WHY: reasons, HOW_MANY: counted, LABELS["members"]: layers})
    # a table whose cells break their lines, so that no reason is cut
    st.table(shown[list(COLUMNS)].map(layout.plain), hide_index=True, width="stretch")
    st.download_button(
        "Save as CSV",
        tables.to_csv(frame),
        "groups.csv",
        "text/csv",
        key="csv of groups",
        on_click="ignore",
        type="tertiary",
        icon=":material/download:",
    )


def _layers(count: int) -> str:
    return "1 layer" if count == 1 else f"{count:,} layers"


def _explain(group: Group) -> None:
    """Draw all that is known about one group, in words."""
    made = {slot.tensor for slot in group.slots if slot.producer}
    lines = [
        f"**{group.units:,} {group.unit}s** in {len(group.slots):,} places, produced by {_layers(len(made))}."
    ]
    if group.frozen:
        lines.append(f"**Stays whole:** {layout.plain(group.frozen)}.")
    elif group.tied_by:
        lines.append(f"**Tied:** {layout.plain('; '.join(group.tied_by))}.")
    else:
        lines.append("One layer produces them; its norm and the layers that read them lose the same ones.")
    st.markdown("  \n".join(lines))
    layout.draw_touched(group.members)
