"""What a lesson shows of the weights themselves: their magnitudes, and one layer before and after."""

from math import prod

from ..engine.candidate import prepare
from ..graph.export import ModelGraph
from ..inspection.distributions import WeightHistogram, WeightImage, weight_histogram, weight_image
from ..values.recipe import Recipe
from ..values.subject import Subject
from .recipes import recipe_for
from .values import Experiment

SIDE = 160


def magnitudes(subject: Subject, graph: ModelGraph) -> WeightHistogram:
    """All layers on one scale."""
    layers = graph.profile.prunable_layers.items()
    return weight_histogram({name: subject.model.get_parameter(layer.weight) for name, layer in layers})


def layers(graph: ModelGraph) -> dict[str, int]:
    """Layer -> how many weights it has that could be pruned."""
    return {name: prod(layer.shape) for name, layer in graph.profile.prunable_layers.items()}


def matrices(
    subject: Subject, graph: ModelGraph, experiment: Experiment, x: float
) -> tuple[str, list[tuple[str, WeightImage]]]:
    """A layer between two others, and its weight in the dense model and in each arm at x."""
    layers = list(graph.profile.prunable_layers.values())
    layer = layers[min(1, len(layers) - 1)]
    recipes = [("the dense model", Recipe())]
    recipes += [(arm.label, recipe_for(subject, graph, experiment, arm, x)) for arm in experiment.arms]
    models = [(title, prepare(subject, graph, recipe).model) for title, recipe in recipes]
    return layer.name, [
        (title, weight_image(model.get_parameter(layer.weight), SIDE)) for title, model in models
    ]
