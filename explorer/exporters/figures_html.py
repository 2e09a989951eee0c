"""The figures of a pruned model, each as a page of its own that needs no network."""

from typing import Any

from ..inspection.distributions import weight_histogram
from ..pruning.decision import masks_for
from ..pruning.masks import expand
from ..registry import EXPORTERS
from ..values.profile import Masks
from .archive import zipped
from .export import Export


@EXPORTERS.register("figures_html", rank=7, extension=".zip", media_type="application/zip", measures=True)
def figures_html(pruned: Export) -> bytes:
    """A zip with the figures as web pages that can be zoomed and hovered without a network; keep them next to
    plotly.min.js.
    """
    from ..figures import standalone  # imports plotly, which the command line needs for nothing else

    about = f"{pruned.measured().subject['name']}, pruned"
    pages = {
        f"{name}.html": standalone.page(figure, name, about) for name, figure in figures_of(pruned).items()
    }
    return zipped(pages | {standalone.LIBRARY: standalone.library()})


def figures_of(pruned: Export) -> dict[str, Any]:
    """Return the figures (`plotly.graph_objects.Figure`) that have something to show about this model, by
    name.
    """
    from ..figures.accuracy_curve import accuracy_curve
    from ..figures.layer_costs import layer_costs
    from ..figures.size_formats import size_formats
    from ..figures.weight_distribution import weight_distribution

    report = pruned.measured()
    weights = weight_distribution(_weights(pruned))
    figures = {}
    if report.pruned.accuracy is not None:
        figures["accuracy"] = accuracy_curve(
            (), report, "params" if pruned.recipe.is_structured else "nonzero_params"
        )
    return figures | {
        "layers": layer_costs(report.layers),
        "file_sizes": size_formats(report),
        "weights": weights,
    }


def _weights(pruned: Export) -> Any:
    """Return magnitudes of the dense model's weights, with what the recipe removes."""
    model, layers = pruned.subject.model, pruned.graph.profile.prunable_layers
    tensors = [*model.named_parameters(remove_duplicate=False), *model.named_buffers(remove_duplicate=False)]
    full = expand(
        masks_for(pruned.dense, pruned.recipe),
        pruned.graph.profile,
        {name: tuple(tensor.shape) for name, tensor in tensors},
    )
    masks = {name: full[layer.weight] for name, layer in layers.items() if layer.weight in full}
    weights = {name: model.get_parameter(layer.weight) for name, layer in layers.items()}
    return weight_histogram(weights, masks=Masks({}, masks), scale="log")
