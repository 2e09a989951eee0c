"""Shows the weights before and after the recipe: all layers on one scale, and one layer in detail."""

import itertools
from collections.abc import Mapping

import streamlit as st
from torch import Tensor

from ...errors import ExplorerError
from ...figures.layer_histogram import layer_histogram
from ...figures.weight_bands import weight_bands as bands_figure
from ...figures.weight_heatmap import weight_heatmap
from ...figures.weight_pattern import filter_norms as norms_figure
from ...figures.weight_pattern import weight_pattern
from ...graph.analysed import Analysed
from ...graph.export import ModelGraph
from ...inspection.distributions import WeightHistogram, WeightImage, weight_histogram, weight_image
from ...inspection.weight_bands import READ, WeightBand, weight_bands
from ...inspection.weight_patterns import FilterNorms, Pattern, corner, filter_norms, pattern
from ...pruning.decision import masks_for
from ...pruning.masks import expand, positions
from ...values.pattern import pattern_refusal
from ...values.profile import Layer, Masks
from ...values.recipe import Recipe
from ...values.subject import Subject
from ...words import LABELS
from .. import session
from ..drawing import layout
from ..session.current import KEPT, Key, asked

PICTURE_SIDE = 160  # cells; a weight has more than a screen can show
BUSY = "Reading the weights ..."
VIEWS = {"magnitudes": "Magnitudes", "zeros": "Pattern of zeros", "norms": "Norm of each filter"}


# --------------------------------------------------------------------------- read


def _masks(model: Analysed, recipe: Recipe) -> Masks:
    """Return kept weights by layer, where removed channels are removed too; whole layers are left out."""
    if recipe.is_empty:
        return Masks({}, {})
    tensors = itertools.chain(
        *(
            named(remove_duplicate=False)
            for named in (model.subject.model.named_parameters, model.subject.model.named_buffers)
        )
    )
    full = expand(
        masks_for(model, recipe),
        model.profile,
        {name: tuple(tensor.shape) for name, tensor in tensors},
    )
    return Masks(
        {},
        {
            name: full[layer.weight]
            for name, layer in model.profile.prunable_layers.items()
            if layer.weight in full
        },
    )


def _mask(model: Analysed, recipe: Recipe, layer: Layer) -> Tensor | None:
    """Return what is kept of one layer, without building the masks of all; None if everything is."""
    if recipe.is_empty:
        return None
    masks = masks_for(model, recipe)
    left = positions(model.profile, masks.channels).get(layer.weight, {})
    found = masks.weights.get(layer.name)
    for dim, kept in left.items():
        line = kept.view([-1 if d == dim else 1 for d in range(len(layer.shape))])
        found = line.expand(layer.shape) if found is None else found & line
    return found


def _weights(model: Analysed) -> Mapping[str, Tensor]:
    return {
        name: model.subject.model.get_parameter(layer.weight)
        for name, layer in model.profile.prunable_layers.items()
    }


@st.cache_data(max_entries=KEPT, show_spinner=BUSY)
def _bands(key: Key, _subject: Subject, _graph: ModelGraph, _recipe: Recipe) -> tuple[WeightBand, ...]:
    return weight_bands(_weights(Analysed(_subject, _graph)), _masks(Analysed(_subject, _graph), _recipe))


@st.cache_data(max_entries=KEPT, show_spinner=BUSY)
def _histogram(
    key: Key, layer: str, _subject: Subject, _graph: ModelGraph, _recipe: Recipe
) -> WeightHistogram:
    found = _graph.profile.prunable_layers[layer]
    mask = _mask(Analysed(_subject, _graph), _recipe, found)
    masks = None if mask is None else Masks({}, {layer: mask})
    return weight_histogram({layer: _subject.model.get_parameter(found.weight)}, masks=masks)


def _left(model: Analysed, recipe: Recipe, layer: Layer) -> Tensor:
    """Return the weight under the recipe, with zeros in place of what was removed."""
    weight = model.subject.model.get_parameter(layer.weight).detach()
    mask = _mask(model, recipe, layer)
    return weight if mask is None else weight * mask


@st.cache_data(max_entries=KEPT, show_spinner=BUSY)
def _picture(key: Key, layer: str, _subject: Subject, _graph: ModelGraph, _recipe: Recipe) -> WeightImage:
    return weight_image(
        _left(Analysed(_subject, _graph), _recipe, _graph.profile.prunable_layers[layer]), PICTURE_SIDE
    )


@st.cache_data(max_entries=KEPT, show_spinner=BUSY)
def _patterns(
    key: Key, layer: str, _subject: Subject, _graph: ModelGraph, _recipe: Recipe
) -> tuple[Pattern, Pattern]:
    """Return the whole, and its corner weight by weight."""
    found = _graph.profile.prunable_layers[layer]
    left = _left(Analysed(_subject, _graph), _recipe, found)
    return pattern(left, found.input_dim, PICTURE_SIDE), corner(left, found.input_dim)


@st.cache_data(max_entries=KEPT, show_spinner=BUSY)
def _norms(key: Key, layer: str, _subject: Subject, _graph: ModelGraph, _recipe: Recipe) -> FilterNorms:
    found = _graph.profile.prunable_layers[layer]
    dense = _subject.model.get_parameter(found.weight)
    return filter_norms(dense, _left(Analysed(_subject, _graph), _recipe, found), found.output_dim)


# --------------------------------------------------------------------------- draw


def draw_distribution() -> None:
    """Draw the weights of all layers on one scale, before and after, with the largest that the recipe
    removes.
    """
    try:
        found = _bands(*asked())
    except (
        ExplorerError
    ) as error:  # a criterion that needs data, or gradients, which this model does not have
        layout.draw_notice(str(error))
        return
    st.plotly_chart(bands_figure(found), width="stretch", key="distribution")
    removes = (
        "Orange: the largest single weight that the recipe removes."
        if session.recipe().weights
        else ("Give a layer an unstructured ratio on the Prune page, and its threshold appears here.")
    )
    large = any(band.weights > READ for band in found)
    part = f" Of layers with more than {READ:,} weights, evenly spaced ones are read." if large else ""
    st.caption(f"Weights that are zero already are left out.{part} {removes}")


@st.fragment
def draw_layer() -> None:
    """Draw one layer: a histogram of its magnitudes, and a picture of the chosen kind."""
    layers = session.profile().prunable_layers
    if not layers:
        st.caption("This model has no weights that can be pruned.")
        return
    name = st.selectbox(LABELS["layer"], list(layers), key="explore_layer")
    view = (
        st.segmented_control(
            "Seen as",
            list(VIEWS),
            default="magnitudes",
            format_func=VIEWS.__getitem__,
            key="layer view",
            label_visibility="collapsed",
        )
        or "magnitudes"
    )
    try:
        {"magnitudes": _draw_magnitudes, "zeros": _draw_zeros, "norms": _draw_norms}[view](name)
    except ExplorerError as error:
        layout.draw_notice(str(error))


def _draw_magnitudes(name: str) -> None:
    key, subject, graph, recipe = asked()
    pruned = st.toggle("As the recipe leaves it", key="explore_pruned", disabled=recipe.is_empty)
    with st.container(key="below"):
        counted, seen = st.columns(2, gap="large")
    counted.plotly_chart(
        layer_histogram(_histogram(key, name, subject, graph, recipe), name), width="stretch", key="counted"
    )
    left = recipe if pruned else Recipe()
    picture = _picture((subject.id, left.fingerprint), name, subject, graph, left)
    seen.plotly_chart(weight_heatmap(picture, name), width="stretch", key="seen")


def _draw_zeros(name: str) -> None:
    key, subject, graph, recipe = asked()
    whole, near = _patterns(key, name, subject, graph, recipe)
    shown = f"{whole.sparsity * 100:.1f} % of this layer is zero, removed channels included."
    refused = pattern_refusal(session.profile().prunable_layers[name], recipe.pattern)
    if whole.sparsity == 0:
        shown += (
            f" It stays dense under {recipe.pattern}: {refused}."
            if refused
            else " Remove weights or channels on the Prune page, and their pattern appears here."
        )
    st.plotly_chart(weight_pattern(whole, name), width="stretch", key="pattern")
    st.caption(shown)
    if whole.block != (1, 1):
        rows, columns = near.density.shape
        st.plotly_chart(weight_pattern(near, name), width="stretch", key="corner")
        st.caption(
            f"The first {rows} outputs and {columns} columns, weight by weight: here an n:m pattern can be "
            "seen."
        )


def _draw_norms(name: str) -> None:
    st.plotly_chart(norms_figure(_norms(asked()[0], name, *asked()[1:]), name), width="stretch", key="norms")
    st.caption(
        "A filter is all the weights that make one output. Those removed entirely are marked; others may "
        "lose inputs or single weights."
    )
