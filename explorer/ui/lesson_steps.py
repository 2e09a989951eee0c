"""The screens of a lesson after the prediction: what was measured, the verdict, the check question, trying it."""

from collections.abc import Callable
from functools import partial

import streamlit as st

from .. import paths
from ..errors import ExplorerError
from ..figures.lesson_comparisons import lesson_agreement
from ..figures.lesson_costs import lesson_costs
from ..figures.lesson_curve import lesson_curve
from ..figures.lesson_magnitudes import lesson_magnitudes
from ..figures.lesson_matrices import lesson_matrices
from ..figures.lesson_sizes import lesson_sizes
from ..figures.lesson_spread import lesson_spread
from ..figures.lesson_times import lesson_times
from ..lessons import pictures, storing, wording
from ..lessons.evidence import Evidence
from ..lessons.judging import Finding, judge
from ..lessons.planning import recipe_for
from ..lessons.scoring import score
from ..lessons.values import Answer, Lesson
from . import layout, learner, lesson_results, session, settings
from .watched import watched

HERE = "lesson to be measured here"
PLAIN_BAR = {"displayModeBar": False}
ICONS = {
    "holds": ":material/check_circle:", "conditional": ":material/rule:", "fails": ":material/cancel:", "open": ":material/help:",
}  # fmt: skip
UNITS = {"cpu": "processor", "cuda": "GPU"}


def model_of(lesson: Lesson) -> str:
    """The sample model that the learner chose for this lesson, else its own."""
    return learner.current().models.get(lesson.name, lesson.experiment.model)


def _choose_model(lesson: Lesson) -> None:
    models = list(lesson.experiment.models)
    if len(models) > 1:
        st.selectbox("Sample model", models, key=session.show(f"model of {lesson.name}", model_of(lesson)), width=300,
                     on_change=_take_model, args=(lesson,), help="The same experiment on another network.")  # fmt: skip


def _take_model(lesson: Lesson) -> None:
    learner.note("models", lesson.name, session.picked(f"model of {lesson.name}"))


def draw_opening(lesson: Lesson) -> None:
    """What a lesson shows before anything is cut."""
    if "histogram" in lesson.experiment.views:
        drawn = lesson_magnitudes(pictures.magnitudes(*lesson_results.opened(model_of(lesson))))
        st.plotly_chart(drawn, width="stretch", key=f"magnitudes {lesson.name}", config=PLAIN_BAR)


# --------------------------------------------------------------------------- measure


def draw_measured(lesson: Lesson) -> None:
    """The experiment, run now, with the prediction beside it."""
    st.subheader("Measured", anchor=False)
    if lesson.name not in learner.current().guesses:
        st.info("Predict first: a guess that can be wrong is what makes the measurement interesting.", icon=":material/lock:")
        return
    _choose_model(lesson)
    _when_measured(lesson, _draw_evidence)


def _when_measured(lesson: Lesson, draw: Callable[[Lesson, Evidence], None]) -> None:
    """Begin the experiment if need be; draw what it found, or how far it is."""
    model = model_of(lesson)
    found = lesson_results.finished(lesson, model)
    if found is not None:
        draw(lesson, found)
        return
    before = storing.shipped(lesson, model)
    if before is not None and session.recalled(HERE) != (lesson.name, model):
        _draw_shipped(lesson, model, before, draw)
        return
    lesson_results.begin(lesson, model)
    watched(f"lesson {lesson.name}", partial(_draw_running, lesson, model, draw), lesson_results.LANE, progress=True)


def _draw_shipped(lesson: Lesson, model: str, before: Evidence, draw: Callable[[Lesson, Evidence], None]) -> None:
    """What came with the program, labelled as such, until it is measured here."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption("This one takes a while, so here is what was measured when the program was made. ", width="content")
        st.button("Measure it here", f"here {lesson.name}", on_click=session.remember, args=(HERE, (lesson.name, model)),
                  icon=":material/timer:")  # fmt: skip
    draw(lesson, before)


def _draw_running(lesson: Lesson, model: str, draw: Callable[[Lesson, Evidence], None]) -> None:
    found = lesson_results.finished(lesson, model)
    state = session.lane_state(lesson_results.LANE)
    if found is not None:
        draw(lesson, found)
    elif state.error and state.key == lesson_results.key_of(lesson, model):
        layout.draw_notice(state.error)
    else:
        progress = state.progress
        share = progress.done / progress.total if progress and progress.total else 0.0
        label = f"{progress.done} of {progress.total} {progress.label}" if progress and state.running else "waiting for its turn"
        layout.draw_share(share, f"Measuring on {model}: {label}")


def _draw_evidence(lesson: Lesson, evidence: Evidence) -> None:
    finding = judge(lesson, evidence)
    _draw_score(lesson, evidence, finding)
    for view in lesson.experiment.views:
        _draw_view(view, lesson, evidence, finding)
    st.caption(layout.plain(_conditions(lesson, evidence)))


def _draw_score(lesson: Lesson, evidence: Evidence, finding: Finding | None) -> None:
    guess = learner.current().guesses.get(lesson.name)
    found = score(lesson, guess, evidence, finding) if guess is not None else None
    if found is not None:
        st.info(layout.plain(f"Your prediction: {found.points} of 100 points. {found.text}"), icon=":material/target:")


def _draw_view(view: str, lesson: Lesson, evidence: Evidence, finding: Finding | None) -> None:
    experiment, guess = lesson.experiment, learner.current().guesses.get(lesson.name)
    if view == "histogram":
        return
    if view == "curve":
        drawn = lesson_curve(experiment, evidence, guess if isinstance(guess, dict) else None, lesson.published)
    elif view == "sizes":
        drawn = lesson_sizes(experiment, evidence)
    elif view == "times":
        drawn = lesson_times(experiment, evidence)
    elif view == "agreement":
        drawn = lesson_agreement(finding.comparisons if finding else ())
    elif view == "spread":
        drawn = lesson_spread(experiment, evidence)
    elif view == "matrices":
        layer, shown = pictures.matrices(*lesson_results.opened(evidence.model), experiment, experiment.points[0])
        drawn = lesson_matrices(shown, layer)
    else:
        drawn = lesson_costs(experiment, evidence, (experiment.timed_at or experiment.points)[0])
    st.plotly_chart(drawn, width="stretch", key=f"{view} {lesson.name}", config=PLAIN_BAR)


def _conditions(lesson: Lesson, evidence: Evidence) -> str:
    """Where and on what it was measured."""
    where = evidence.environment
    threads = where["threads"]
    sizes = ", ".join(map(str, lesson.experiment.batches))
    clock = f" Clock: batches of {sizes}, all models in turn." if evidence.times else ""
    return (
        f"Measured on {evidence.model}: {evidence.samples:,} pictures of the tuning split. "
        f"{UNITS.get(where['device'], where['device']).capitalize()}: {where['device_name']}, {threads} "
        f"thread{'s' * (threads != 1)}, torch {where['torch']}.{clock} Bars on accuracies cover 95 %, "
        "those on times 8 of 10 rounds."
    )


# --------------------------------------------------------------------------- verdict


def draw_verdict(lesson: Lesson) -> None:
    """What the measurement says of the claim."""
    st.subheader("The verdict", anchor=False)
    st.markdown(f"The claim: *{lesson.claim.text}*")
    _choose_model(lesson)
    _when_measured(lesson, _draw_finding)


def _draw_finding(lesson: Lesson, evidence: Evidence) -> None:
    finding = judge(lesson, evidence)
    if finding is None:
        layout.draw_notice("Something that the verdict needs could not be measured on this model.")
        return
    text = f"**{wording.headline(finding)}** on {evidence.model}. {wording.explanation(lesson, finding)}"
    st.info(text, icon=ICONS[finding.verdict])
    st.caption(layout.plain(f"Expected shape: {lesson.prediction.expected}"))
    rows = [(one.case.name, f"{one.x * 100:g} %", wording.value(one), wording.wanted(one), wording.says(one.said))
            for one in finding.comparisons]  # fmt: skip
    columns = ("Compared", "At", "Measured (range)", "The claim asks for", "Says")
    with st.expander(f"The {len(rows)} comparisons behind it", expanded=len(rows) <= 6):
        st.table({name: [row[place] for row in rows] for place, name in enumerate(columns)}, border="horizontal", hide_index=True)
    st.caption(layout.plain(
        f"Ranges at {finding.level * 100:.1f} %, so that together they err in 5 % of cases at most. The verdict came out alike "
        f"in {finding.stability * 100:.0f} % of 400 repetitions with pictures and clock rounds drawn anew; below 95 % it is "
        "withdrawn."
    ))  # fmt: skip
    _draw_published(lesson)


def _draw_published(lesson: Lesson) -> None:
    if lesson.published:
        st.markdown("**Measured by others**, to compare the shape with, not the numbers:")
        st.markdown("\n".join(f"- {layout.plain(_told(other.name, other.note))}" for other in lesson.published))


def _told(name: str, note: str) -> str:
    return f"{name}. {note}".strip() if note else name


# --------------------------------------------------------------------------- check, try


def draw_check(lesson: Lesson) -> None:
    """One question, with a reason for each answer."""
    st.subheader("Check yourself", anchor=False)
    answers = lesson.check.answers
    texts, given = [answer.text for answer in answers], learner.current().answers.get(lesson.name)
    st.radio(lesson.check.question, texts, key=session.show(f"check {lesson.name}", None if given is None else texts[given]),
             index=None, on_change=_take_answer, args=(lesson, texts))  # fmt: skip
    if given is not None:
        _draw_reason(answers[given])
        if answers[given].right:
            with st.expander("And the other answers?"):
                st.markdown("\n".join(f"- *{other.text}* {other.reason}" for other in answers if not other.right))


def _draw_reason(answer: Answer) -> None:
    (st.success if answer.right else st.warning)(answer.reason, icon=":material/check:" if answer.right else ":material/replay:")


def _take_answer(lesson: Lesson, texts: list[str]) -> None:
    chosen = session.picked(f"check {lesson.name}")
    if chosen in texts:
        place = texts.index(chosen)
        learner.note("answers", lesson.name, place)
        if lesson.check.answers[place].right:
            learner.change(done=learner.current().done | {lesson.name})


def draw_try(lesson: Lesson) -> None:
    """Open the lesson's recipe on the Prune page; and where the claims come from."""
    st.subheader("Try it yourself", anchor=False)
    st.markdown(lesson.try_it.text)
    if model_of(lesson) not in settings.current().offered:
        st.caption(layout.plain(f"Start the program without a list of models, or with {model_of(lesson)}, to open it."))
    elif st.button("Open it on the Prune page", f"try {lesson.name}", type="primary", icon=":material/tune:"):
        session.attempt(_open_recipe, lesson)
        if session.notice() is None:
            st.switch_page(paths.pages().resolve() / "prune.py")
    st.markdown("**Sources**")
    st.markdown("\n".join(f"- [{s.text}]({s.url})" if s.url else f"- {s.text}" for s in lesson.sources))


def _open_recipe(lesson: Lesson) -> None:
    """
    Raises:
        ExplorerError: the recipe does not fit.
    """
    model, experiment = model_of(lesson), lesson.experiment
    arm = experiment.arm(lesson.try_it.arm)
    if arm.by_hand != "no":
        raise ExplorerError("A model that was masked by hand cannot be opened as a recipe.")
    found = recipe_for(*lesson_results.opened(model), experiment, arm, lesson.try_it.x)
    session.set_model(model)
    session.set_recipe(found, f"lesson {lesson.number}")
