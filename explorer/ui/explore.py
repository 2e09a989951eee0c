"""The model before and under the knife, drawn from the session: its layers, its weights, and what each channel is worth."""

import itertools
from collections.abc import Mapping
from typing import Any

import streamlit as st

from .. import tables
from ..distributions import GroupImportance, WeightHistogram, WeightImage, channel_importance, weight_histogram, weight_image
from ..engine import masks_for, scores_for
from ..errors import ExplorerError
from ..figures.channel_importance import channel_importance as importance_figure
from ..figures.layer_histogram import layer_histogram
from ..figures.weight_distribution import weight_distribution
from ..figures.weight_heatmap import weight_heatmap
from ..graph.export import ModelGraph
from ..labels import GLOSSARY, LABELS
from ..masking import expand
from ..values import Masks, Recipe, Subject
from . import layout, session
from .metrics import short

KEPT = 8  # (model, recipe) pairs whose bins stay in memory
PICTURE_SIDE = 160  # cells; a weight has more than a screen can show
BUSY = "Reading the weights ..."


# --------------------------------------------------------------------------- read


def _masks(subject: Subject, graph: ModelGraph, recipe: Recipe) -> Masks:
    """Weights that stay, by layer, where removed channels have gone too."""
    tensors = itertools.chain(
        *(named(remove_duplicate=False) for named in (subject.model.named_parameters, subject.model.named_buffers))
    )
    full = expand(masks_for(subject, graph, recipe), graph.profile, {name: tuple(tensor.shape) for name, tensor in tensors})
    return Masks({}, {name: full[layer.weight] for name, layer in graph.profile.prunable_layers.items() if layer.weight in full})


@st.cache_data(max_entries=KEPT, show_spinner=BUSY)
def _histograms(key: tuple[str, str], _subject: Subject, _graph: ModelGraph, _recipe: Recipe) -> dict[str, WeightHistogram]:
    """All layers on a logarithmic scale and on a linear one, with what the recipe removes."""
    weights = {name: _subject.model.get_parameter(layer.weight) for name, layer in _graph.profile.prunable_layers.items()}
    masks = _masks(_subject, _graph, _recipe)
    return {"log": weight_histogram(weights, masks=masks, scale="log"), "linear": weight_histogram(weights, masks=masks)}


@st.cache_data(max_entries=KEPT, show_spinner=BUSY)
def _picture(key: tuple[str, str], layer: str, _subject: Subject, _graph: ModelGraph, _recipe: Recipe) -> WeightImage:
    """One layer's weights as the recipe leaves them."""
    weight = _subject.model.get_parameter(_graph.profile.prunable_layers[layer].weight)
    mask = _masks(_subject, _graph, _recipe).weights.get(layer)
    return weight_image(weight if mask is None else weight * mask, PICTURE_SIDE)


@st.cache_data(max_entries=KEPT, show_spinner="Rating the channels ...")
def _importances(key: tuple[str, str], _subject: Subject, _graph: ModelGraph, _recipe: Recipe) -> dict[str, GroupImportance]:
    """Group -> its units, rated by the recipe's criterion."""
    scores, masks = scores_for(_subject, _graph, _recipe)["channels"], masks_for(_subject, _graph, _recipe)
    return {found.group: found for found in channel_importance(scores, masks.channels)}


def _asked() -> tuple[tuple[str, str], Subject, ModelGraph, Recipe]:
    subject, recipe = session.subject(), session.recipe()
    return (subject.id, recipe.fingerprint), subject, session.graph(), recipe


# --------------------------------------------------------------------------- the model


def draw_glance() -> None:
    """What is known of the model without measuring anything, and how it was trained if it tells."""
    subject, profile = session.subject(), session.profile()
    free = profile.free_groups.values()
    st.header(layout.plain(subject.name), anchor=False)
    with st.container(horizontal=True, gap="medium", key="cards"):
        _fact("Layers", f"{len(profile.layers):,}", "that hold parameters", "Convolutions, linear layers, norms and embeddings.")
        _fact("Parameters", short(profile.params), f"{profile.params:,}", "All numbers of the model, each counted once.")
        _fact("MACs", short(profile.macs), "for one sample", GLOSSARY["MACs"])
        units, frozen = sum(group.units for group in free), len(profile.groups) - len(free)
        _fact("Coupled groups", f"{len(free):,}", f"{units:,} units; {frozen:,} more frozen", GLOSSARY["coupled group"])
        _fact("Held-out accuracy", *_from_card(subject.card))
    if profile.error:
        st.info(layout.plain(f"Only single weights of this model can be pruned: {profile.error}"), icon=":material/info:")
    training = subject.card.get("training")
    if training:
        with st.expander("How it was trained"):
            st.table({name.replace("_", " "): layout.plain(str(value)) for name, value in training.items()}, border="horizontal")


def _fact(label: str, value: str, note: str, help: str) -> None:
    with st.container(gap=None):
        st.metric(label, value, help=help)
        st.caption(layout.plain(note))


def _from_card(card: Mapping[str, Any]) -> tuple[str, str, str]:
    """Accuracy, its range and what it means, as a sample's card has it."""
    found = card.get("held_out")
    if not found:
        return "not known", "no card came with this model", "The Prune page measures accuracy on the tuning split."
    note = (
        f"{found['accuracy_low'] * 100:.1f} to {found['accuracy_high'] * 100:.1f} %, {found['samples']:,} samples, from its card"
    )
    return f"{found['accuracy'] * 100:.1f} %", note, "Measured when the model was made, on data never used to choose anything."


def draw_tables() -> None:
    """Layers, and the groups of channels that go together."""
    profile = session.profile()
    layers, groups = st.tabs([f"Layers ({len(profile.layers)})", f"Coupled groups ({len(profile.groups)})"])
    with layers:
        _table(tables.layers(profile), "layers")
    with groups:
        st.caption(GLOSSARY["coupled group"])
        _table(tables.groups(profile), "groups")


def _table(frame: Any, name: str) -> None:
    numbers = {LABELS[column]: st.column_config.NumberColumn(format="localized") for column in frame.select_dtypes("number")}
    st.dataframe(tables.labelled(frame), hide_index=True, column_config=numbers, height=min(420, 38 + 35 * max(1, len(frame))))
    text, icon = tables.to_csv(tables.labelled(frame)), ":material/download:"
    st.download_button(
        "Save as CSV", text, f"{name}.csv", "text/csv", key=f"csv {name}", on_click="ignore", type="tertiary", icon=icon
    )


# --------------------------------------------------------------------------- weights and channels


def draw_distribution() -> None:
    """The weights of all layers on one scale, with the largest that the recipe removes."""
    st.plotly_chart(weight_distribution(_histograms(*_asked())["log"]), width="stretch", key="distribution")
    removes = "Orange: the largest single weight that the recipe removes." if session.recipe().weights else (
        "Give a layer an unstructured ratio on the Prune page, and its threshold appears here.")  # fmt: skip
    st.caption(f"Weights that are zero already are left out. {removes}")


@st.fragment
def draw_importance() -> None:
    """The units of one coupled group, most important first, with the cut of the recipe."""
    groups = session.profile().free_groups
    if not groups:
        st.caption("This model has no channels that can be pruned.")
        return
    name = st.selectbox(LABELS["group"], list(groups), key="explore_group", help=GLOSSARY["coupled group"])
    try:
        found = _importances(*_asked())[name]
    except ExplorerError as error:  # a criterion that needs data, or gradients, which this model does not give
        layout.draw_notice(str(error))
        return
    criterion = session.recipe().criterion.name
    st.plotly_chart(importance_figure(found, criterion, groups[name].unit), width="stretch", key="importance")
    tied = f" Why they go together: {'; '.join(groups[name].tied_by)}." if groups[name].tied_by else ""
    st.caption(layout.plain(f"Touches {', '.join(groups[name].members)}.{tied}"))


@st.fragment
def draw_layer() -> None:
    """One layer: its magnitudes counted and as a picture, dense or as the recipe leaves it."""
    layers = session.profile().prunable_layers
    if not layers:
        st.caption("This model has no weights that can be pruned.")
        return
    key, subject, graph, recipe = _asked()
    name = st.selectbox(LABELS["layer"], list(layers), key="explore_layer")
    pruned = st.toggle("As the recipe leaves it", key="explore_pruned", disabled=recipe.is_empty)
    counted, seen = st.columns(2, gap="large")
    histogram = _histograms(key, subject, graph, recipe)["linear"].only(name)
    counted.plotly_chart(layer_histogram(histogram, name), width="stretch", key="counted")
    left = recipe if pruned else Recipe()
    picture = _picture((subject.id, left.fingerprint), name, subject, graph, left)
    seen.plotly_chart(weight_heatmap(picture, name), width="stretch", key="seen")
