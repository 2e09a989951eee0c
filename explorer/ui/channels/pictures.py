"""Shows the channels of a group as pictures: filters, responses to a sample, where heads look; removed ones
are crossed out.
"""

from typing import Any

import streamlit as st
from torch import Tensor

from ...errors import ExplorerError
from ...graph.analysed import Analysed
from ...graph.export import ModelGraph
from ...inspection.activation_maps import activation_maps, filter_images, head_maps
from ...inspection.channel_findings import makers
from ...inspection.distributions import GroupImportance
from ...studies.own_shown import sample_shown
from ...values.profile import Group, Layer, Slot
from ...values.samples import Split
from ...values.subject import Subject, Task
from .. import session
from ..drawing import gallery, layout
from ..drawing.offers import Offer
from ..drawing.png import is_picture, pixels_of

SHOWN = 64  # number of pictures; if there are more channels, the most important
KEPT = 16


def draw(group: Group, importance: GroupImportance) -> None:
    """Draw everything about the group that can be shown."""
    sources = makers(session.profile(), group)
    _draw_filters(sources, importance)
    task = session.subject().task
    if task is None or not (task.show or is_picture(task.shape)):
        st.caption("Activations are shown of models that read pictures and came with data.")
        return
    st.header(f"What each {group.unit} responds to in one sample", anchor=False)
    split = task.split("tuning")
    if split is None:
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        number = int(st.number_input("Sample of the tuning split", 0, len(split) - 1, 0, key="sample shown"))
        names = [layer.name for layer, _ in sources]
        name = Offer(f"shown layer {group.name}", names).select("Layer") if len(names) > 1 else "".join(names)
    words = [*_class_of(task, split.targets_at(number, number + 1)), "the sample"]
    try:
        st.html(gallery.gallery([_tile_of(task, split, number, words)]))
    except ExplorerError as error:
        layout.draw_notice(str(error))
    if group.is_of_heads:
        _draw_heads(group, importance, number)
    elif name:
        _draw_maps(next((layer, slot) for layer, slot in sources if layer.name == name), importance, number)


def _tile_of(task: Task, split: Split, number: int, words: list[str]) -> str:
    """Return the sample as the task shows it, or else as a picture."""
    if task.show is None:
        stored = split.inputs_at(number, number + 1)[0]
        return gallery.tile(pixels_of(stored, task.normalisation.scale), words)
    shown = sample_shown(task, split, number)
    if isinstance(shown, str):
        return gallery.tile(None, (*words, shown))
    return gallery.tile(shown, words)


def _class_of(task: Task, targets: Any) -> list[str]:
    """Return the class of one sample; nothing where targets are no classes."""
    if not task.tells_classes:
        return []
    target = int(targets[0])
    return [task.class_names[target] if target < len(task.class_names) else f"class {target}"]


def _draw_filters(sources: list[tuple[Layer, Slot]], importance: GroupImportance) -> None:
    """Draw the filters of layers that read the picture itself."""
    for layer, slot in sources:
        images = filter_images(session.subject().model.get_parameter(layer.weight)) if slot.dim == 0 else None
        if images is not None:
            st.header("Filters", anchor=False)
            scaled = (images * 255).round().byte()
            st.html(_tiles(scaled, slot, importance, 4.0))
            told = (
                f"The weights of {layer.name} as pictures, each on a scale of its own: grey is zero. "
                f"{_more(importance)}"
            )
            st.caption(layout.plain(told))


def _tiles(pictures: Tensor, slot: Slot, found: GroupImportance, rem: float) -> str:
    """Return the most important units first, with the first of each unit's positions."""
    place = {unit: position for position, unit in reversed(list(enumerate(slot.unit_of))) if unit >= 0}
    shown = list(zip(found.units, found.kept, strict=True))[:SHOWN]
    rows = [
        (unit, kept, pictures[place[unit]])
        for unit, kept in shown
        if place.get(unit, len(pictures)) < len(pictures)
    ]
    return gallery.gallery(
        (
            gallery.tile(
                picture,
                [f"{unit}"],
                crossed=not kept,
                title=f"channel {unit}, {'kept' if kept else 'removed'}",
            )
            for unit, kept, picture in rows
        ),
        tile_rem=rem,
        picture_rem=rem,
    )


def _more(found: GroupImportance) -> str:
    hidden = len(found.units) - SHOWN
    some = f"The {SHOWN} most important of {len(found.units):,} are shown. " if hidden > 0 else ""
    return f"{some}Most important first; crossed out: what the recipe removes."


@st.cache_data(max_entries=KEPT, show_spinner="Running the sample ...")
def _maps(subject: str, layer: str, number: int, _subject: Subject, _graph: ModelGraph) -> Tensor | None:
    return activation_maps(
        Analysed(_subject, _graph), _graph.profile.prunable_layers[layer], _sample(_subject, number)
    )


@st.cache_data(max_entries=KEPT, show_spinner="Running the sample ...")
def _heads(subject: str, group: str, number: int, _subject: Subject, _graph: ModelGraph) -> Tensor | None:
    return head_maps(Analysed(_subject, _graph), _graph.profile.free_groups[group], _sample(_subject, number))


def _sample(subject: Subject, number: int) -> Tensor:
    task = subject.task
    split = task.split("tuning") if task else None
    if task is None or split is None:
        raise ExplorerError(f"{subject.name!r} came without data, so there is no sample to look at.")
    return task.normalisation(split.inputs_at(number, number + 1))[0]


def _draw_maps(source: tuple[Layer, Slot], importance: GroupImportance, number: int) -> None:
    layer, slot = source
    maps = _maps(session.subject().id, layer.name, number, session.subject(), session.graph())
    if maps is None:
        st.caption("This layer has no feature maps: its outputs have no height and width.")
        return
    st.html(_tiles(_grey(maps), slot, importance, 5.0))
    size = f"{maps.shape[1]} x {maps.shape[2]}"
    st.caption(
        layout.plain(
            f"Activations of {layer.name} in the dense model, {size}, after the norm and activation function "
            "that follow; white is "
            f"the strongest of each channel, black its weakest. {_more(importance)}"
        )
    )


def _grey(maps: Tensor) -> Tensor:
    """Convert (n, height, width) to uint8, each on its own scale."""
    low, high = maps.amin((1, 2), keepdim=True), maps.amax((1, 2), keepdim=True)
    return ((maps - low) / (high - low).clamp(min=1e-12) * 255).round().byte()


def _draw_heads(group: Group, importance: GroupImportance, number: int) -> None:
    maps = _heads(session.subject().id, group.name, number, session.subject(), session.graph())
    if maps is None:
        st.caption(
            "Where these heads look cannot be shown: this attention works window by window, its tokens are "
            "no grid, or the model's graph does not show it."
        )
        return
    grey = _grey(maps)
    each = [(unit, kept, grey[unit]) for unit, kept in zip(importance.units, importance.kept, strict=True)]
    st.html(
        gallery.gallery(
            gallery.tile(
                picture,
                [f"head {unit}", "kept" if kept else "removed"],
                crossed=not kept,
                title=f"head {unit}",
            )
            for unit, kept, picture in each
        )
    )
    size = f"{maps.shape[1]} x {maps.shape[2]}"
    st.caption(
        f"White patches get most attention, averaged over all {size} patches (and tokens) that ask. "
        f"{_more(importance)}"
    )
