"""Finds weights inside the containers in which training programs save them, as tensors by name."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from ..errors import LoadError, UnknownNameError
from .pickled_calls import PickledCall
from .pt_archives import Odd, StoredTensor, array_of

KNOWN = (
    *("state_dict", "model_state_dict", "model", "module", "net"),  # where they usually are, this one first
    *("network", "model_state", "net_state_dict", "weights", "params"),
)
TRAINING = ("optim", "sched", "scaler", "rng", "callback", "loops")  # other containers with tensors by name
PREFIXES = ("module.", "_orig_mod.")  # what DataParallel and torch.compile put before every name
DEPTH, MOST = 12, 200_000  # nesting of containers, values that are looked at
SCRIPTED = "__torch__."

Tensor = StoredTensor | Odd | np.ndarray
Tensors = dict[str, Tensor]


def state_dicts(data: Any) -> dict[str, Mapping[Any, Any]]:
    """Return every mapping with tensors by name: dotted place -> mapping, the likeliest weights first."""
    found = {place: mapping for place, mapping in _walk(data) if _is_weights(mapping)}
    largest = {
        place: mapping
        for place, mapping in found.items()
        if not any(_is_within(other, place) and len(found[other]) > len(mapping) for other in found)
    }
    return dict(sorted(largest.items(), key=lambda entry: _rank(entry[0])))


def likely(data: Any) -> list[str]:
    """Return the places of weights, without those of optimisers."""
    return [place for place in state_dicts(data) if not _is_of_training(place)]


def weights_in(data: Any, source: str, key: str = "") -> tuple[Tensors, str, list[str]]:
    """Return the tensors of one place, that place, and the other places.

    Args:
        source: what to call the file in errors.
        key: a place, or the beginning of names, "" = the likeliest.
    Raises:
        LoadError: there are none, several that are equally likely, or two with the same name.
        UnknownNameError: there is no such place.
    """
    dicts = state_dicts(data)
    if key:
        return _at(dicts, key, source), key, []
    places = likely(data)
    if not places:
        raise LoadError(f"{source!r} holds no tensors by name{_keys(data)}; save model.state_dict() there.")
    if len(places) > 1 and _rank(places[0])[0] == len(KNOWN):
        listed = ", ".join(repr(place[:80]) for place in places[:6])
        raise LoadError(f"{source!r} holds weights in several places, {listed}; choose one with --key NAME.")
    return plain_names(named(dicts[places[0]], source)), places[0], places[1:]


def named(mapping: Mapping[Any, Any], source: str) -> Tensors:
    """Return tensors by their names as text; everything else is left out.

    Raises:
        LoadError: two of them have the same name.
    """
    tensors: Tensors = {}
    for key, value in mapping.items():
        tensor = tensor_of(value)
        if tensor is None:
            continue
        name = _text(key)
        if name in tensors:
            kinds = "once as a number and once as a text"
            raise LoadError(f"{source!r} holds two tensors called {name[:80]!r}, {kinds}; rename one.")
        tensors[name] = tensor
    return tensors


def _text(key: Any) -> str:
    """Return a key as text; bytes are pickled as a call with the text that they encode."""
    is_bytes = isinstance(key, PickledCall) and key.name == "_codecs.encode" and key.args
    return str(key.args[0] if is_bytes else key)


def plain_names(tensors: Tensors) -> Tensors:
    """Remove the prefixes of DataParallel and torch.compile from every name."""
    for prefix in PREFIXES * 3:
        if tensors and all(name.startswith(prefix) for name in tensors):
            tensors = {name.removeprefix(prefix): value for name, value in tensors.items()}
    return tensors


def flattened(data: Any, source: str) -> Tensors:
    """Return all tensors by their places: {"encoder": {"weight": ...}} -> "encoder.weight", as models name
    parts.
    """
    tensors: Tensors = {}
    for place, mapping in state_dicts(data).items():
        if not _is_of_training(place):
            start = f"{place}." if place else ""
            for name, tensor in named(mapping, source).items():
                if start + name in tensors:
                    told = f"{source!r} holds two tensors called {(start + name)[:80]!r}, in two places"
                    raise LoadError(f"{told}; choose one with --key NAME.")
                tensors[start + name] = tensor
    return tensors


def tensor_of(value: Any) -> Tensor | None:
    """Return the tensor that a value is, or None if it is not one."""
    return value if isinstance(value, StoredTensor | Odd) else array_of(value)


# --------------------------------------------------------------------------- looking


def _walk(data: Any) -> Iterator[tuple[str, Mapping[Any, Any]]]:
    """Yield (place, mapping) of all nested mappings; each is visited once, however often it occurs."""
    todo: list[tuple[str, Any, int]] = [("", data, 0)]
    seen: set[int] = set()
    while todo and len(seen) < MOST:
        place, value, depth = todo.pop(0)
        if id(value) in seen or depth > DEPTH:
            continue
        seen.add(id(value))
        if is_module(value):
            yield place, dict(_module_tensors(value))
            continue
        mapping = _as_mapping(value)
        if mapping is None:
            continue
        yield place, mapping
        names = Counter(map(str, mapping))
        for key, item in mapping.items():
            if tensor_of(item) is None:
                name = str(key) if names[str(key)] == 1 else repr(key)  # 1 and '1' are two places
                todo.append((f"{place}.{name}" if place else name, item, depth + 1))


def _as_mapping(value: Any) -> Mapping[Any, Any] | None:
    if isinstance(value, PickledCall):
        value = value.pairs or value.state
    if isinstance(value, list | tuple):
        return dict(enumerate(value[:20]))
    return value if isinstance(value, dict) else None


def is_module(value: Any) -> bool:
    """Whether it is a whole pickled model, from torch.save(model) or TorchScript."""
    if not isinstance(value, PickledCall) or not isinstance(value.state, dict):
        return False
    return value.name.startswith(SCRIPTED) or {"_parameters", "_modules"} <= set(value.state)


def _module_tensors(module: PickledCall, prefix: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    """Return the state dict of a pickled model; whatever the model does not save in it is left out."""
    state, passing = module.state, module.state.get("_non_persistent_buffers_set") or ()
    if module.name.startswith(SCRIPTED):
        own, inner = state, state
    else:
        own = {**(state["_parameters"] or {}), **(state.get("_buffers") or {})}
        inner = state["_modules"] or {}
    for name, value in own.items():
        if tensor_of(value) is not None and name not in passing:
            yield f"{prefix}{name}", value
    for name, value in inner.items():
        if is_module(value) and depth < 3 * DEPTH:
            yield from _module_tensors(value, f"{prefix}{name}.", depth + 1)


def _is_weights(mapping: Mapping[Any, Any]) -> bool:
    """Whether it has tensors with dimensions; a single number is a result."""
    tensors = [tensor for value in mapping.values() if (tensor := tensor_of(value)) is not None]
    return any(isinstance(tensor, Odd) or len(tensor.shape) > 0 for tensor in tensors)


def _is_within(place: str, other: str) -> bool:
    return place != other and (not other or place.startswith(f"{other}."))


def _is_of_training(place: str) -> bool:
    return any(word in part.lower() for part in place.split(".") for word in TRAINING)


def _rank(place: str) -> tuple[int, int]:
    last = place.rpartition(".")[2]
    return (KNOWN.index(last) if last in KNOWN else len(KNOWN), place.count("."))


# --------------------------------------------------------------------------- choosing


def _at(dicts: Mapping[str, Mapping[Any, Any]], key: str, source: str) -> Tensors:
    if key in dicts:
        return plain_names(named(dicts[key], source))
    for mapping in dicts.values():
        inner = {
            name.removeprefix(f"{key}."): tensor
            for name, tensor in named(mapping, source).items()
            if name.startswith(f"{key}.")
        }
        if inner:
            return plain_names(inner)
    raise UnknownNameError(f"key with tensors in {source!r}", key, [place[:80] or "." for place in dicts])


def _keys(data: Any) -> str:
    """Return what a file contains instead, for a sentence."""
    mapping = _as_mapping(data)
    keys = [repr(str(key)[:40]) for key in mapping or () if not isinstance(data, list | tuple)]
    return f" (its keys are {', '.join(keys[:8])})" if keys else ""
