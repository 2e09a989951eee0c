"""The measurement of a lesson: the experiment, run here or shipped, its figures, and the score of the
prediction.
"""

from collections.abc import Callable
from functools import partial

import streamlit as st

from ...figures.lesson_comparisons import lesson_agreement
from ...figures.lesson_costs import lesson_costs
from ...figures.lesson_curve import lesson_curve
from ...figures.lesson_layers import lesson_layers
from ...figures.lesson_magnitudes import lesson_magnitudes
from ...figures.lesson_matrices import lesson_matrices
from ...figures.lesson_sizes import lesson_sizes
from ...figures.lesson_spread import lesson_spread
from ...figures.lesson_times import lesson_times
from ...lessons import evidence_files, weights_shown, wording
from ...lessons.evidence import Evidence
from ...lessons.prediction_scores import score
from ...lessons.values import Lesson
from ...lessons.verdicts import Finding, judge
from .. import session
from ..drawing import layout
from ..drawing.offers import ShownOffer
from ..live.regions import watched
from . import learner, lesson_results

HERE = "lesson to be measured here"
PLAIN_BAR = {"displayModeBar": False}
UNITS = {"cpu": "processor", "cuda": "GPU"}


def model_of(lesson: Lesson) -> str:
    """Return the sample model that the learner chose for this lesson, or else its own."""
    return learner.current().models.get(lesson.name, lesson.experiment.model)


def choose_model(lesson: Lesson) -> None:
    """Draw the choice of the network for the experiment, if there is one."""
    models = list(lesson.experiment.models)
    if len(models) > 1:
        take = partial(learner.note, "models", lesson.name)
        ShownOffer(f"model of {lesson.name}", models, model_of(lesson), take).select(
            "Sample model", width=300, help="The same experiment on another network."
        )


def draw_picture(lesson: Lesson, picture: str) -> None:
    """Draw the picture of the model's weights that a screen shows before anything is cut."""
    model = lesson_results.opened(model_of(lesson))
    if picture == "layers":
        drawn = lesson_layers(weights_shown.layers(model.graph))
    else:
        drawn = lesson_magnitudes(weights_shown.magnitudes(model))
    st.plotly_chart(drawn, width="stretch", key=f"{picture} {lesson.name}", config=PLAIN_BAR)


# --------------------------------------------------------------------------- measure


def draw_measured(lesson: Lesson) -> None:
    """Draw the experiment, run now, with the prediction next to it."""
    st.subheader("Measured", anchor=False)
    if lesson.name not in learner.current().guesses:
        st.info(
            "Predict first: a guess that can be wrong is what makes the measurement interesting.",
            icon=":material/lock:",
        )
        return
    choose_model(lesson)
    when_measured(lesson, _draw_evidence)


def when_measured(lesson: Lesson, draw: Callable[[Lesson, Evidence], None]) -> None:
    """Start the experiment if needed; draw what it found, or its progress."""
    model = model_of(lesson)
    found = lesson_results.finished(lesson, model)
    if found is not None:
        draw(lesson, found)
        return
    before = evidence_files.shipped(lesson, model)
    if before is not None and session.recalled(HERE) != (lesson.name, model):
        _draw_shipped(lesson, model, before, draw)
        return
    lesson_results.begin(lesson, model)
    watched(
        f"lesson {lesson.name}",
        partial(_draw_running, lesson, model, draw),
        lesson_results.LANE,
        progress=True,
    )


def _draw_shipped(
    lesson: Lesson, model: str, before: Evidence, draw: Callable[[Lesson, Evidence], None]
) -> None:
    """Draw the labelled result that came with the program, until it is measured here."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(
            "This one takes a while, so here is what was measured when the program was made. ",
            width="content",
        )
        st.button(
            "Measure it here",
            f"here {lesson.name}",
            on_click=session.remember,
            args=(HERE, (lesson.name, model)),
            icon=":material/timer:",
        )
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
        label = (
            f"{progress.done} of {progress.total} {progress.label}"
            if progress and state.running
            else "waiting for its turn"
        )
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
        told = layout.plain(f"Your prediction: {found.points} of 100 points. {found.text}")
        st.info(layout.unbroken(told), icon=":material/target:")


def _draw_view(view: str, lesson: Lesson, evidence: Evidence, finding: Finding | None) -> None:
    experiment, guess = lesson.experiment, learner.current().guesses.get(lesson.name)
    if view == "curve":
        drawn = lesson_curve(
            experiment, evidence, guess if isinstance(guess, dict) else None, lesson.published
        )
    elif view == "sizes":
        drawn = lesson_sizes(experiment, evidence)
    elif view == "times":
        drawn = lesson_times(experiment, evidence)
    elif view == "agreement":
        drawn = lesson_agreement(finding.comparisons if finding else ())
    elif view == "spread":
        drawn = lesson_spread(experiment, evidence)
    elif view == "matrices":
        layer, shown = weights_shown.matrices(
            lesson_results.opened(evidence.model), experiment, experiment.points[0]
        )
        drawn = lesson_matrices(shown, layer)
    else:
        drawn = lesson_costs(experiment, evidence, (experiment.timed_at or experiment.points)[0])
    st.plotly_chart(drawn, width="stretch", key=f"{view} {lesson.name}", config=PLAIN_BAR)


def _conditions(lesson: Lesson, evidence: Evidence) -> str:
    """Return where and on what it was measured."""
    where = evidence.environment
    threads = where["threads"]
    sizes = ", ".join(map(str, lesson.experiment.batches))
    chance = " Each training ran once: the bars show the uncertainty of the pictures, not that of training."
    trained = chance if any(arm.training for arm in lesson.experiment.arms) else ""
    clock = f" Clock: batches of {sizes}, all models in turn." if evidence.times else ""
    return (
        f"Measured on {wording.networks(lesson, evidence)}: {wording.counted(evidence)} of the tuning "
        f"split. {UNITS.get(where['device'], where['device']).capitalize()}: {where['device_name']}, "
        f"{threads} thread{'s' * (threads != 1)}, torch {where['torch']}.{clock} Bars on accuracies cover "
        f"95 %{', those on times 8 of 10 rounds' if evidence.times else ''}.{trained}"
    )
