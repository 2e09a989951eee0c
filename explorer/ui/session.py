"""The one door to a browser session's state: model, recipe and its history, locks, the URL, and background jobs.

The recipe is the truth and widgets show it: draw a widget under the key that `show` returns, change the recipe in its
callback. Nothing but names, recipes and small values is kept here; models and tensors are in `resources`.
"""

import uuid
from collections.abc import Callable, Hashable, Iterable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from ..engine import Conditions, calibrate, stream
from ..environment import pick_device
from ..errors import ExplorerError, UnknownNameError
from ..graph.export import ModelGraph
from ..jobs import JobState
from ..loaders.uploads import upload
from ..masking import check_parts
from ..registry import CRITERIA
from ..values import ModelProfile, Recipe, Report, Subject
from . import resources, settings
from .console.model import Lock
from .console.strips import Mode, mode_of
from .history import History, Step

KEY = "pruning_explorer"
START = History(Step(Recipe(), "the dense model"))


@dataclass
class _State:
    model: str
    device: str
    samples: int | None = None
    mode: Mode = "Structured"
    histories: dict[str, History] = field(default_factory=dict)
    locks: dict[str, frozenset[Lock]] = field(default_factory=dict)
    cancelled: dict[str, Hashable] = field(default_factory=dict)
    epoch: str = field(default_factory=lambda: uuid.uuid4().hex)
    generation: int = 0
    acknowledged: int = 0
    told: dict[str, tuple[Any, int]] = field(default_factory=dict)  # widget -> the value that it shows, version of its key
    notice: str | None = None
    uploads: dict[str, str] = field(default_factory=dict)  # name of a model with uploaded weights -> how it is shown
    remembered: dict[str, Any] = field(default_factory=dict)


# Streamlit may abandon a run or a callback wherever it touches st.session_state, so an action fetches the state just once
_held: ContextVar[_State | None] = ContextVar("the state of the action that is going on", default=None)


def _state() -> _State:
    held = _held.get()
    if held is not None:
        return held
    if KEY not in st.session_state:
        st.session_state[KEY] = _opened()
    return st.session_state[KEY]


# --------------------------------------------------------------------------- the URL


def _opened() -> _State:
    """The state of a new session: what the URL asks for, or the first model, dense."""
    offered = settings.current().offered
    if not offered:
        raise ExplorerError("There is no model to show; name one on the command line, such as torchvision:resnet18.")
    state = _State(offered[0], settings.current().device)
    model, recipe = st.query_params.get("model"), st.query_params.get("recipe")
    try:
        if model is not None:
            _offered(model)
            state.model = model
        if recipe is not None:
            found = checked(resources.load_graph(state.model).profile, Recipe.from_url(recipe))
            state.histories[state.model] = START.then(found, "the recipe of the link")
    except ExplorerError as error:
        state.notice = str(error)
    return state


def _offered(model: str) -> None:
    offered = settings.current().offered
    if model not in offered:
        raise UnknownNameError("model on this server", model, offered)


def write_url() -> None:
    """Put model and recipe into the address; switching pages clears it, so every run of a page calls this."""
    wanted = {"model": model_name()} | ({} if recipe() == Recipe() else {"recipe": recipe().to_url()})
    kept = {key: value for key, value in st.query_params.to_dict().items() if key not in ("model", "recipe")}
    if st.query_params.to_dict() != {**kept, **wanted}:
        st.query_params.from_dict({**kept, **wanted})


# --------------------------------------------------------------------------- what the user chose


def model_name() -> str:
    return _state().model


def set_model(name: str) -> None:
    """Show another model; each keeps its own recipe and history.

    Raises:
        UnknownNameError: the server does not offer it.
    """
    if name not in _state().uploads:
        _offered(name)
    _state().model = name
    _state().generation += 1


def models() -> dict[str, str]:
    """The models of this session: name -> how it is shown."""
    return {**{name: name for name in settings.current().offered}, **_state().uploads}


def upload_weights(content: bytes) -> None:
    """Put the weights of a safetensors file into the current architecture, as another model of this session.

    Raises:
        LoadError: the file is not safetensors, is damaged, or does not fit; says which keys.
    """
    made = upload(subject(), content)
    name = resources.keep_upload(made)
    _state().uploads[name] = f"{made.name} {made.id[:4]}"
    set_model(name)


def subject() -> Subject:
    return resources.load_subject(model_name())


def graph() -> ModelGraph:
    return resources.load_graph(model_name())


def profile() -> ModelProfile:
    return graph().profile


def conditions() -> Conditions:
    """How much is measured, and where."""
    return Conditions(samples=_state().samples, split="tuning", device=pick_device(_state().device).type)


def set_conditions(*, samples: int | None, device: str) -> None:
    """Measure on the first so many samples (None = all of the split), on a device.

    Raises:
        ExplorerError: this machine has no such device.
    """
    pick_device(device)
    _state().samples, _state().device = samples, device


def device() -> str:
    """The device as chosen: "auto" stays "auto"."""
    return _state().device


def mode() -> Mode:
    """Structured, unstructured or combined: as chosen, or what the recipe needs to be seen whole."""
    return mode_of(recipe(), _state().mode)


def set_mode(chosen: Mode) -> None:
    _state().mode = chosen


def locks() -> frozenset[Lock]:
    """Bank and part of the strips that allocators, presets and linked moves leave alone."""
    return _state().locks.get(model_name(), frozenset())


def set_locks(chosen: frozenset[Lock]) -> None:
    _state().locks[model_name()] = chosen


# --------------------------------------------------------------------------- the recipe


def history() -> History:
    return _state().histories.get(model_name(), START)


def recipe() -> Recipe:
    """What the user has decided."""
    return history().present.recipe


def set_recipe(value: Recipe, why: str) -> None:
    """A step that can be undone.

    Args:
        why: in a few words, for the undo button.
    Raises:
        ExplorerError: it does not fit the model; the recipe stays as it was.
    """
    _move(history().then(checked(profile(), value), why))


def undo() -> None:
    _move(history().undo())


def redo() -> None:
    _move(history().redo())


def _move(line: History) -> None:
    state = _state()
    state.histories[state.model] = line
    state.generation += 1
    state.cancelled.clear()
    state.notice = None


def checked(profile: ModelProfile, value: Recipe) -> Recipe:
    """The recipe, if the model has its parts and the program its criterion.

    Raises:
        ExplorerError: it has not.
    """
    CRITERIA[value.criterion.name].check(value.criterion.params)
    check_parts(profile, value)
    return value


# --------------------------------------------------------------------------- widgets


def show(key: str, value: Any) -> str:
    """The key of a widget that is to show a value; draw it under this key.

    The key changes whenever the value was changed by something else than the widget. Under one and the same key, a rerun
    that the browser asked for a moment before (a poll) would bring the old value along, and undo an undo.
    """
    told = _state().told
    known, version = told.get(key, (value, 0))
    stale = st.session_state.get(f"{key}#{version}", value) != value
    version += 1 if stale or known != value else 0
    told[key] = (value, version)
    actual = f"{key}#{version}"
    if actual not in st.session_state:
        st.session_state[actual] = value
    return actual


def start_from(key: str, value: Any) -> str:
    """Let a widget of this key begin with a value; from then on it keeps its own. Returns the key."""
    if key not in st.session_state:
        st.session_state[key] = value
    return key


def picked(key: str) -> Any:
    """What the user picked in a widget that `show` has named, in its callback; None if it was emptied."""
    told = _state().told
    _, version = told[key]
    given = st.session_state.get(f"{key}#{version}")
    told[key] = (given, version)
    return given


def shown(key: str, default: Any = None) -> Any:
    """What the widget of this key shows."""
    return st.session_state.get(key, default)


def event(key: str, name: str) -> Any:
    """The message that an element sent with this run, or None."""
    return getattr(st.session_state.get(key), name, None)


def stamp() -> tuple[str, int, int]:
    """Epoch, generation and last acknowledged edit, for the console."""
    state = _state()
    return state.epoch, state.generation, state.acknowledged


def acknowledge(sequence: int) -> bool:
    """Note an edit of the console; False if it was seen before."""
    state = _state()
    if sequence <= state.acknowledged:
        return False
    state.acknowledged = sequence
    state.generation += 1
    return True


def attempt(action: Callable[..., Any], *args: Any) -> None:
    """Do what a widget asks for; what goes wrong is told in one box, and the recipe is kept."""
    state = _state()
    state.notice = None
    token = _held.set(state)
    try:
        action(*args)
    except ExplorerError as error:
        state.notice = str(error)
    finally:
        _held.reset(token)


def notice() -> str | None:
    """What went wrong with the user's last action, or None."""
    return _state().notice


def dismiss() -> None:
    """The user has read the notice."""
    _state().notice = None


def remember(name: str, value: Any) -> None:
    """Keep a small value for this session; models and tensors belong into `resources`."""
    _state().remembered[name] = value


def recalled(name: str, default: Any = None) -> Any:
    """What was remembered under a name."""
    return _state().remembered.get(name, default)


# --------------------------------------------------------------------------- background work


def _session_id() -> str:
    context = get_script_run_ctx()
    return context.session_id if context else "no browser"


def identity() -> str:
    """What tells this browser session from others."""
    return _session_id()


def job(lane: str, key: Hashable, make: Callable[[], Iterable[Any]]) -> JobState:
    """Where a lane stands; the job is begun unless it runs, is done, or the user cancelled it."""
    if _state().cancelled.get(lane) != key:
        resources.lanes().submit(_session_id(), lane, key, make)
    return lane_state(lane)


def lane_state(lane: str) -> JobState:
    return resources.lanes().state(_session_id(), lane)


def cancel(lane: str, key: Hashable) -> None:
    """Stop a job; it stays stopped until `resume`, or until the recipe changes."""
    _state().cancelled[lane] = key
    resources.lanes().cancel(_session_id(), lane)


def resume(lane: str) -> None:
    _state().cancelled.pop(lane, None)


def is_cancelled(lane: str, key: Hashable) -> bool:
    return _state().cancelled.get(lane) == key


def live_key() -> Hashable:
    return (subject().id, recipe().fingerprint, conditions())


def live() -> JobState:
    """The measurement of the current recipe, begun if it has to be."""
    model, its_graph, wanted, how = subject(), graph(), recipe(), conditions()
    key, room = live_key(), settings.current().classroom

    def measure() -> Iterator[Any]:
        if not wanted.is_empty:
            yield from calibrate(model, its_graph, wanted, how.device)
        yield from stream(model, its_graph, wanted, how)

    return job("live", key, measure if room is None else lambda: room.shared(key, measure))


def report() -> Report | None:
    """The newest Report of the current recipe, or None before the first chunk."""
    state = live()
    return state.value if state.key == live_key() else None


def versions(lanes: Iterable[str]) -> dict[str, int]:
    """Lane -> version: another one means that there are news."""
    return {lane: lane_state(lane).version for lane in lanes}
