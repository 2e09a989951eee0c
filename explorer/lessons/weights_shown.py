"""What a lesson shows about the weights themselves: their magnitudes, and one layer before and after."""

from math import prod

from ..engine.candidate import prepare
from ..graph.analysed import Analysed
from ..graph.export import ModelGraph
from ..inspection.distributions import WeightHistogram, WeightImage, weight_histogram, weight_image
from ..values.recipe import Recipe
from .recipes import recipe_for
from .values import Experiment

SIDE = 160


def magnitudes(model: Analysed) -> WeightHistogram:
    """Return the magnitudes of all layers on one scale."""
    layers = model.profile.prunable_layers.items()
    return weight_histogram({name: model.subject.model.get_parameter(layer.weight) for name, layer in layers})


def layers(graph: ModelGraph) -> dict[str, int]:
    """Return, for each layer, how many weights could be pruned."""
    return {name: prod(layer.shape) for name, layer in graph.profile.prunable_layers.items()}


def matrices(model: Analysed, experiment: Experiment, x: float) -> tuple[str, list[tuple[str, WeightImage]]]:
    """Return a layer between two others, with its weight in the dense model and in each arm at x."""
    layers = list(model.profile.prunable_layers.values())
    layer = layers[min(1, len(layers) - 1)]
    recipes = [("the dense model", Recipe())]
    recipes += [(arm.label, recipe_for(model, experiment, arm, x)) for arm in experiment.arms]
    models = [(title, prepare(model, recipe).model) for title, recipe in recipes]
    return layer.name, [
        (title, weight_image(network.get_parameter(layer.weight), SIDE)) for title, network in models
    ]
