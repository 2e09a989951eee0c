"""Turns a SOURCE text into a task."""

from typing import Any

from ..errors import LoadError
from ..registry import DATA, Param, Plugin
from ..values.subject import Task
from .reader import ANY, Reader


def split_source(source: str) -> tuple[str, str, dict[str, str]]:
    """Split into name, place and options: "NAME", "NAME:PLACE" or "NAME:PLACE?option=value&option=value".

    >>> split_source("digits"), split_source("folder:C:/pets?samples=500&mean=0.5")
    (('digits', '', {}), ('folder', 'C:/pets', {'samples': '500', 'mean': '0.5'}))
    """
    name, _, rest = source.partition(":")
    place, mark, query = rest.rpartition("?")
    pairs = [pair.partition("=") for pair in query.split("&")]
    if not mark or not all(
        option and equals for option, equals, _ in pairs
    ):  # a path may contain a question mark
        return name, rest, {}
    return name, place, {option: value for option, _, value in pairs}


def load_data(source: str, reader: Reader | None = None) -> Task:
    """Return the task that a SOURCE text names; its samples are read when they are first needed.

    Args:
        source: "digits", "folder:PATH", "npz:FILE?mean=0.5&std=0.25", "torchvision:CIFAR10@PATH" ...
        reader: the model that the data is for; without one, pictures are prepared as for ImageNet models.
    Raises:
        UnknownNameError: no such data set or option; the message lists what exists.
        LoadError, RecipeError: it cannot be read, or an option is not allowed.
    """
    name, place, options = split_source(source)
    plugin = DATA[name]
    if "place" not in plugin.traits:
        if place or options:
            raise LoadError(f"Data set {name!r} comes with the program and takes nothing after its name.")
        return plugin()
    return plugin(place, reader or ANY, **plugin.check(_parsed(plugin, options)))


def _parsed(plugin: Plugin, options: dict[str, str]) -> dict[str, Any]:
    known = plugin.params
    return {name: _value(known[name], text) if name in known else text for name, text in options.items()}


def _value(param: Param, text: str) -> Any:
    """Convert the text to the parameter's type. Text that cannot be converted is returned as it is, and the
    check then refuses it.
    """
    try:
        return param.kind(text)
    except ValueError:
        return text
