"""The model that is shown, and what is known about it."""

from collections.abc import Hashable

from ...graph.analysed import Analysed
from ...graph.export import ModelGraph
from ...loaders.uploads import upload
from ...measuring.judging import metrics_of, names_of
from ...values.metric import Scale
from ...values.profile import ModelProfile
from ...values.subject import Subject
from ..shared import models as shared_models
from ..shared import settings
from .state import check_offered, identity, state


def model_name() -> str:
    return state().model


def set_model(name: str) -> None:
    """Show another model; each keeps its own recipe and history.

    Raises:
        UnknownNameError: the server does not offer it.
    """
    if name not in state().uploads:
        check_offered(name)
    state().model = name
    state().generation += 1


def models() -> dict[str, str]:
    """Return the models of this session: name -> how it is shown."""
    return {**{name: name for name in settings.current().offered}, **state().uploads}


def upload_weights(content: bytes) -> None:
    """Load the weights of a safetensors file into the current architecture, as another model of this session.

    Raises:
        LoadError: the file is not safetensors, is damaged, or does not fit; the message names the keys.
    """
    made = upload(subject(), content)
    name = shared_models.keep_upload(made, identity())
    state().uploads[name] = f"{made.name} {made.id[:4]}"
    set_model(name)


def subject() -> Subject:
    return shared_models.load_subject(model_name())


def task_key() -> Hashable:
    """Return what numbers of the shown model belong to: the model, its data, and its metrics."""
    shown = subject()
    about = (shown.task.name, shown.task.fingerprint, names_of(shown.task)) if shown.task else None
    return shown.id, about


def scale() -> Scale:
    """Return how values of the metric that decides are read; without data those of accuracy."""
    task = subject().task
    if task is None:
        return Scale()
    metric = metrics_of(task)[0]
    return Scale(metric.name, metric.unit, metric.better)


def model() -> Analysed:
    """Return the model that is shown, with its graph."""
    return shared_models.load_model(model_name())


def graph() -> ModelGraph:
    return shared_models.load_graph(model_name())


def profile() -> ModelProfile:
    return graph().profile
