"""Shows the weights before and after the recipe: all layers on one scale, and one layer in detail."""

import itertools
from collections.abc import Mapping

import streamlit as st
from torch import Tensor

from ...errors import ExplorerError
from ...figures.layer_histogram import layer_histogram
from ...figures.weight_bands import weight_bands as bands_figure
from ...figures.weight_depths import SHOWN as KINDS_SHOWN
from ...figures.weight_depths import weight_depths as depths_figure
from ...figures.weight_heatmap import weight_heatmap
from ...figures.weight_pattern import filter_norms as norms_figure
from ...figures.weight_pattern import weight_pattern
from ...graph.analysed import Analysed
from ...inspection.distributions import WeightHistogram, WeightImage, weight_histogram, weight_image
from ...inspection.weight_bands import READ, WeightBand, weight_bands
from ...inspection.weight_depths import weight_depths
from ...inspection.weight_patterns import FilterNorms, Pattern, corner, filter_norms, pattern
from ...pruning.decision import masks_for
from ...pruning.masks import expand, positions
from ...values.pattern import pattern_refusal
from ...values.profile import Layer, Masks
from ...values.recipe import Recipe
from ...words import LABELS
from .. import session
from ..drawing import layout
from ..drawing.offers import Offer
from ..drawing.words import shortened
from ..session.selection import KEPT, Key, Selection, selection

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
    return Masks({}, {name: full[tensor] for name, tensor in _tensors(model).items() if tensor in full})


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


def _tensors(model: Analysed) -> dict[str, str]:
    """Return layer -> its weight, of layers that can be pruned and of norms, in the order of the model."""
    held, prunable = dict(model.subject.model.named_parameters()), model.profile.prunable_layers
    named = {
        layer.name: layer.weight if layer.name in prunable else f"{layer.name}.weight"
        for layer in model.profile.layers
        if layer.name in prunable or (layer.kind == "norm" and f"{layer.name}.weight" in held)
    }
    return {**named, **{name: layer.weight for name, layer in prunable.items()}}


def _weights(model: Analysed) -> Mapping[str, Tensor]:
    return {name: model.subject.model.get_parameter(tensor) for name, tensor in _tensors(model).items()}


@st.cache_data(max_entries=KEPT, show_spinner=BUSY)
def _bands(key: Key, _shown: Selection) -> tuple[WeightBand, ...]:
    """Return bands of the layers that can be pruned, and of norms."""
    return weight_bands(_weights(_shown.model), _masks(_shown.model, _shown.recipe))


@st.cache_data(max_entries=KEPT, show_spinner=BUSY)
def _histogram(key: Key, name: str, _shown: Selection) -> WeightHistogram:
    layer = _shown.model.profile.prunable_layers[name]
    mask = _mask(_shown.model, _shown.recipe, layer)
    masks = None if mask is None else Masks({}, {name: mask})
    return weight_histogram({name: _shown.model.subject.model.get_parameter(layer.weight)}, masks=masks)


def _left(shown: Selection, layer: Layer) -> Tensor:
    """Return the weight under the recipe, with zeros in place of what was removed."""
    weight = shown.model.subject.model.get_parameter(layer.weight).detach()
    mask = _mask(shown.model, shown.recipe, layer)
    return weight if mask is None else weight * mask


@st.cache_data(max_entries=KEPT, show_spinner=BUSY)
def _picture(key: Key, name: str, _shown: Selection) -> WeightImage:
    return weight_image(_left(_shown, _shown.model.profile.prunable_layers[name]), PICTURE_SIDE)


@st.cache_data(max_entries=KEPT, show_spinner=BUSY)
def _patterns(key: Key, name: str, _shown: Selection) -> tuple[Pattern, Pattern]:
    """Return the whole, and its corner weight by weight."""
    layer = _shown.model.profile.prunable_layers[name]
    left = _left(_shown, layer)
    return pattern(left, layer.input_dim, PICTURE_SIDE), corner(left, layer.input_dim)


@st.cache_data(max_entries=KEPT, show_spinner=BUSY)
def _norms(key: Key, name: str, _shown: Selection) -> FilterNorms:
    layer = _shown.model.profile.prunable_layers[name]
    dense = _shown.model.subject.model.get_parameter(layer.weight)
    return filter_norms(dense, _left(_shown, layer), layer.output_dim)


# --------------------------------------------------------------------------- draw


def draw_distribution() -> None:
    """Draw the weights of all layers on one scale, before and after, with the largest that the recipe
    removes.
    """
    try:
        shown = selection()
        known, prunable = _bands(shown.key, shown), shown.model.profile.prunable_layers
    except (
        ExplorerError
    ) as error:  # a criterion that needs data, or gradients, which this model does not have
        layout.draw_notice(str(error))
        return
    bands = tuple(band for band in known if band.layer in prunable)
    st.plotly_chart(bands_figure(bands), width="stretch", key="distribution")
    removes = (
        "Orange: the largest single weight that the recipe removes."
        if session.recipe().weights
        else ("Give a layer an unstructured ratio on the Prune page, and its threshold appears here.")
    )
    large = any(band.weights > READ for band in bands)
    part = f" Of layers with more than {READ:,} weights, evenly spaced ones are read." if large else ""
    st.caption(f"Weights that are zero already are left out.{part} {removes}")
    _draw_depths(known)


def _draw_depths(bands: tuple[WeightBand, ...]) -> None:
    """Draw the weights by kind and depth, for a model with a stack of blocks."""
    depths = weight_depths(bands)
    if depths is None:
        return
    st.header("Weights by kind and depth", anchor=False)
    st.plotly_chart(depths_figure(depths), width="stretch", key="depths", config={"displayModeBar": False})
    hidden = len(depths.kinds) - KINDS_SHOWN
    some = f" The first {KINDS_SHOWN} of {len(depths.kinds)} kinds are shown." if hidden > 0 else ""
    outside = f" Not among them: {shortened(depths.outside)}." if depths.outside else ""
    st.caption(
        layout.plain(
            f"One picture for each kind of layer that {len(depths.blocks)} blocks share, named as inside its "
            f"block: the median, the middle half and nine of ten of its weights.{some}{outside}"
        )
    )


@st.fragment
def draw_layer() -> None:
    """Draw one layer: a histogram of its magnitudes, and a picture of the chosen kind."""
    layers = session.profile().prunable_layers
    if not layers:
        st.caption("This model has no weights that can be pruned.")
        return
    name = Offer("explore_layer", layers.keys()).select(LABELS["layer"])
    view = Offer("layer view", VIEWS, "magnitudes").switch("Seen as", label_visibility="collapsed")
    try:
        {"magnitudes": _draw_magnitudes, "zeros": _draw_zeros, "norms": _draw_norms}[view](name)
    except ExplorerError as error:
        layout.draw_notice(str(error))


def _draw_magnitudes(name: str) -> None:
    shown = selection()
    pruned = st.toggle("As the recipe leaves it", key="explore_pruned", disabled=shown.recipe.is_empty)
    with st.container(key="below"):
        counted, seen = st.columns(2, gap="large")
    counted.plotly_chart(
        layer_histogram(_histogram(shown.key, name, shown), name), width="stretch", key="counted"
    )
    left = shown if pruned else Selection(shown.model, Recipe())
    picture = _picture(left.key, name, left)
    seen.plotly_chart(weight_heatmap(picture, name), width="stretch", key="seen")


def _draw_zeros(name: str) -> None:
    shown = selection()
    whole, near = _patterns(shown.key, name, shown)
    said = f"{whole.sparsity * 100:.1f} % of this layer is zero, removed channels included."
    refused = pattern_refusal(session.profile().prunable_layers[name], shown.recipe.pattern)
    if whole.sparsity == 0:
        said += (
            f" It stays dense under {shown.recipe.pattern}: {refused}."
            if refused
            else " Remove weights or channels on the Prune page, and their pattern appears here."
        )
    st.plotly_chart(weight_pattern(whole, name), width="stretch", key="pattern")
    st.caption(said)
    if whole.block != (1, 1):
        rows, columns = near.density.shape
        st.plotly_chart(weight_pattern(near, name), width="stretch", key="corner")
        st.caption(
            f"The first {rows} outputs and {columns} columns, weight by weight: here an n:m pattern can be "
            "seen."
        )


def _draw_norms(name: str) -> None:
    shown = selection()
    st.plotly_chart(norms_figure(_norms(shown.key, name, shown), name), width="stretch", key="norms")
    st.caption(
        "A filter is all the weights that make one output. Those removed entirely are marked; others may "
        "lose inputs or single weights."
    )
