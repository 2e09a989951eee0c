"""Keeps runs on disk from the page, and checks a recipe on held-out data."""

from collections.abc import Callable, Hashable
from dataclasses import replace
from typing import Any

import streamlit as st

from ...background.jobs import JobState
from ...background.lane import Lane
from ...engine.conditions import Conditions
from ...engine.measure import stream
from ...errors import ExplorerError
from ...graph.analysed import Analysed
from ...machine import paths
from ...machine.environment import environment
from ...measuring.metric_words import metric_title
from ...measuring.number_words import format_drop
from ...measuring.precision import computed_in
from ...measuring.statistics import openings_level
from ...pruning.decision import calibrate, decide, masks_for
from ...runs.held_out import STRICT_OPENINGS, has_held_out, held_out, openings
from ...runs.replay import masks_fingerprint
from ...runs.store import Store
from ...runs.stored_run import Run, RunKey
from ...values.progress import Work, mapped
from ...values.recipe import Recipe
from ...values.report import Report
from ...values.subject import Subject
from .. import session
from ..drawing import layout, links
from ..live import regions
from ..shared import models, settings
from .words import accuracy

LANE, TAG = Lane("held-out check"), "held-out"
KEPT = "kept"  # what was measured of the run that was kept last
POPOVER_WIDTH = 320  # pixels
NOT_FINAL = "Only final numbers are kept; wait until this recipe is measured, then keep it."
WHY = (
    "Faders are tuned on the tuning split, so numbers there are a little optimistic. Once you have decided, "
    "check on data that no decision was made on. Looking often would make it tuning data too, so each look "
    "is counted and judged more strictly."
)


def store() -> Store:
    """Return the runs of whoever is signed in; without sign-in those of this machine's user."""
    person, offered = session.person(), settings.current()
    if not person:
        return Store(paths.cache())
    return Store(paths.cache() / "people" / person, quota=offered.quota)


# --------------------------------------------------------------------------- keeping


def draw_keep() -> None:
    """Draw a popover that keeps the final numbers of the current recipe, with a note and tags."""
    if settings.current().classroom:
        return
    told = "Keep recipe and numbers on this machine's disk, to compare them with others on the Compare page."
    with (
        st.popover("Keep this run", icon=":material/bookmark_add:", key="keep menu", help=told),
        st.container(width=POPOVER_WIDTH),
    ):
        if session.recalled(KEPT) == session.live_key():
            st.markdown("This run is kept.")
            links.link("compare", "See it on the Compare page", ":material/compare_arrows:")
            return
        st.text_input("Note", key="keep note", placeholder="what you tried, and why", max_chars=200)
        st.text_input("Tags", key="keep tags", placeholder="separated by commas")
        st.button("Keep", "keep", on_click=lambda: session.attempt(keep), type="primary")
        st.caption("Kept runs are on the **Compare** page.")


def split_tags(text: str | None) -> list[str]:
    """Return the tags in a text field.

    >>> split_tags("a, b,,a c ")
    ['a', 'b', 'a c']
    """
    return [tag.strip() for tag in (text or "").split(",") if tag.strip()]


def keep() -> None:
    """Keep the final numbers of the current recipe, with what is in the fields for note and tags.

    Raises:
        ExplorerError: they are not final yet, or cannot be written.
    """
    report = session.report()
    if report is None or report.stage != "final":
        raise ExplorerError(NOT_FINAL)
    masks = masks_fingerprint(masks_for(session.model(), report.recipe))
    note, tags = session.shown("keep note", ""), split_tags(session.shown("keep tags"))
    name = store().put(report, note=note, tags=tags, parent=origin(), masks=masks)
    comes_from(name)
    session.remember(KEPT, session.live_key())
    st.toast("Kept. Find it on the Compare page.", icon=":material/bookmark_added:")


def origin() -> str | None:
    """Return the name of the run that the current recipe was made from: the last one kept or opened for this
    model.
    """
    return session.recalled(f"origin {session.model_name()}")


def comes_from(name: str) -> None:
    """Record the run that the next kept run is made from."""
    session.remember(f"origin {session.model_name()}", name)


def offered(run: Run) -> str:
    """Return the name under which this server offers the run's model.

    Raises:
        ExplorerError: it does not, or only with other weights.
    """
    about = run.report.subject
    for name in settings.current().offered:
        if name == about.get("name") and models.load_subject(name).id == about["id"]:
            return name
    if session.subject().id == about["id"]:
        return session.model_name()
    raise ExplorerError(
        f"This server was started without {str(about.get('name'))[:80]!r}, or with other weights of it."
    )


# --------------------------------------------------------------------------- held-out data


def draw_held_out() -> None:
    """Draw the check on data that no decision was based on: why, how often it was opened, the button, the
    result.
    """
    if settings.current().classroom:
        st.caption(
            "Held-out data cannot be opened in a class: thirty looks at them would leave nothing held out."
        )
        return
    regions.watched("held out", _held_out, LANE, facet=_facet, progress=True)


def _key() -> Hashable:
    return (session.task_key(), session.recipe().fingerprint, session.conditions().device)


def _facet() -> Hashable:
    return _key(), session.versions([LANE])[LANE]


def _held_out() -> None:
    subject = session.subject()
    if not has_held_out(subject):
        st.caption("This model came without held-out data, so there is nothing to check on.")
        return
    state, found = session.lane_state(LANE), _known()
    own = state.key == _key()
    if found is not None:
        _result(found)
    elif own and state.error:
        layout.draw_notice(state.error)
    elif own and state.busy:
        st.caption(_progress(state))
    else:
        _offer(subject, busy=state.busy)


def _offer(subject: Subject, busy: bool) -> None:
    times = openings(subject, store())
    st.caption(WHY)
    level = f"the next is judged at level {openings_level(times + 1):.4g}."
    counted = f"Opened {times} time{'s' * (times != 1)} for this model so far; {level}"
    if times >= STRICT_OPENINGS:
        counted += " After this many openings it can no longer be called held out."
    st.button(
        "Check on held-out data",
        "check held out",
        on_click=lambda: begin(_check),
        disabled=busy,
        icon=":material/lock_open:",
        help="Opens the held-out split once, and counts it.",
    )
    st.caption(counted)


def _progress(state: JobState) -> str:
    report = state.value
    if not isinstance(report, Report) or not report.total_samples:
        return "Opening the held-out data …"
    return f"Counting on held-out data: {report.pruned.samples:,} of {report.total_samples:,} samples …"


def _result(report: Report) -> None:
    change = format_drop(report.drop) if report.drop else ""
    lines = [
        f"**Held-out {metric_title(report.pruned.metric or 'accuracy')} {layout.plain(accuracy(report))}**",
        f"dense {accuracy(report, 'baseline')}",
        change,
    ]
    st.markdown("  \n".join(line for line in lines if line))
    st.caption(layout.plain(" ".join(note for note in report.notes if note.startswith("Held-out"))))


def _known() -> Report | None:
    """Return what was measured for this recipe before: the result would be the same, so the data is not
    opened again.
    """
    subject, device = session.subject(), session.conditions().device
    samples = subject.task.size_of("held_out") if subject.task else 0
    dtype = computed_in(subject.model, session.conditions().dtype)
    where = environment(device) | {"dtype": dtype}
    return store().get(RunKey.wanted(subject, session.recipe(), samples, "held_out", where))


def _check() -> None:
    model, recipe, parent = session.model(), session.recipe(), origin()
    how = Conditions(device=session.conditions().device, latency=False, dtype=session.conditions().dtype)
    runs = store()  # of whoever is signed in, which the worker does not know
    session.resume(LANE)
    session.job(LANE, _key(), lambda: check(model, recipe, how, runs, parent))


def begin(action: Callable[..., None], *args: Any) -> None:
    """Start background work in a callback, or say why not, and look for news at once."""
    session.attempt(action, *args)
    regions.hurry()
    st.rerun()


def check(
    model: Analysed,
    recipe: Recipe,
    conditions: Conditions,
    kept: Store,
    parent: str | None = None,
) -> Work[Report]:
    """Measure on held-out data and keep the result; the data is opened at the last moment, when nothing else
    can fail.

    Raises:
        ExplorerError: the recipe does not fit, there is no such data, or the opening cannot be recorded.
    """
    yield from calibrate(model, recipe, conditions.device)
    masks = masks_fingerprint(decide(model, recipe, conditions.device).masks)
    kept.check_room()
    conditions, sentence = held_out(model.subject, conditions, kept)

    def put(measured: Report) -> Report:
        report = replace(measured, notes=(*measured.notes, sentence))
        if report.stage == "final":
            kept.put(report, tags=[TAG], parent=parent, masks=masks)
        return report

    yield from mapped(stream(model, recipe, conditions), put)
