"""What is known about the loaded model before anything is measured: its facts, layers and coupled groups."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from ... import tables
from ...measuring.metric_words import metric_title
from ...measuring.number_words import measured_words
from ...values.report import Measurement
from ...words import GLOSSARY, LABELS
from .. import session
from ..drawing import layout
from ..drawing.measurement_cards import short


def draw_glance() -> None:
    """Draw what is known about the model without measuring anything, and how it was trained if known."""
    subject, profile = session.subject(), session.profile()
    free = profile.free_groups.values()
    with st.container(horizontal=True, gap="medium", key="facts"):
        _fact(
            "Layers",
            f"{len(profile.layers):,}",
            "that hold parameters",
            "Convolutions, linear layers, norms and embeddings.",
        )
        _fact(
            "Parameters",
            short(profile.params),
            f"{profile.params:,}",
            "All numbers of the model, each counted once.",
        )
        _fact("MACs", short(profile.macs), "for one sample", GLOSSARY["MACs"])
        units, frozen = sum(group.units for group in free), len(profile.groups) - len(free)
        _fact(
            "Coupled groups",
            f"{len(free):,}",
            f"{units:,} units; {frozen:,} more frozen",
            GLOSSARY["coupled group"],
        )
        measured = subject.card.get("held_out") or {}
        metric = metric_title(str(measured.get("metric", "accuracy")))
        _fact(f"Held-out {layout.plain(metric)}", *_from_card(subject.card))
    if profile.error:
        st.info(
            layout.plain(f"Only single weights of this model can be pruned: {profile.error}"),
            icon=":material/info:",
        )
    training = subject.card.get("training")
    if training:
        with st.expander("How it was trained"):
            st.table(
                {name.replace("_", " "): layout.plain(str(value)) for name, value in training.items()},
                border="horizontal",
            )


def _fact(label: str, value: str, note: str, help: str) -> None:
    with st.container(gap=None):
        st.metric(label, value, help=help)
        st.caption(layout.plain(note))


def _from_card(card: Mapping[str, Any]) -> tuple[str, str, str]:
    """Return the metric's value, its range and its meaning from a sample's card."""
    held_out = card.get("held_out")
    if not held_out:
        return (
            "not known",
            "no card came with this model",
            "The Prune page measures the model on the tuning split.",
        )
    measured = Measurement.from_json(held_out)
    words, per_cent = measured_words(measured, measured.samples), " %" if measured.unit == "%" else ""
    return (
        words.value if words else "not measured",
        f"{words.reach}{per_cent}, {measured.samples:,} samples, from its card" if words else "",
        "Measured when the model was trained, on data never used to choose anything.",
    )


def draw_tables() -> None:
    """Draw layers, and the groups of channels that must be removed together."""
    profile = session.profile()
    layers, groups = st.tabs([f"Layers ({len(profile.layers)})", f"Coupled groups ({len(profile.groups)})"])
    with layers:
        _table(tables.layers(profile), "layers")
    with groups:
        st.caption(GLOSSARY["coupled group"])
        _table(tables.groups(profile), "groups")


def _table(frame: Any, name: str) -> None:
    numbers = {
        LABELS[column]: st.column_config.NumberColumn(format="localized")
        for column in frame.select_dtypes("number")
    }
    st.dataframe(
        tables.labelled(frame),
        hide_index=True,
        placeholder=layout.NOTHING,
        column_config=numbers,
        height=min(420, 38 + 35 * max(1, len(frame))),
    )
    text, icon = tables.to_csv(tables.labelled(frame)), ":material/download:"
    st.download_button(
        "Save as CSV",
        text,
        f"{name}.csv",
        "text/csv",
        key=f"csv {name}",
        on_click="ignore",
        type="tertiary",
        icon=icon,
    )
