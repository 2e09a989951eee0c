"""What all pages share: the model, and how much of the data is measured where."""

import streamlit as st

from ..environment import DEVICES, pick_device
from ..errors import ExplorerError
from . import layout, session, settings, widgets

SAMPLES = (512, 1024, 2048)


def draw() -> None:
    """Model, what is known of it, number of samples, device."""
    with st.sidebar:
        widgets.choose("Model", list(settings.current().offered), session.model_name(), session.set_model, key="model")
        _about()
        _samples()
        _device()
    layout.draw_notice(session.take_notice())


def _about() -> None:
    subject = session.subject()
    described = subject.card.get("description")
    task = subject.task
    lines = [str(described)] if described else []
    if task is not None:
        lines.append(f"Data: {task.name}, {len(task.class_names)} classes. {task.note}".strip())
    else:
        lines.append("No data: everything but accuracy is measured.")
    st.caption(layout.plain("\n\n".join(lines)))


def _samples() -> None:
    task = session.subject().task
    split = task.split("tuning") if task else None
    if split is None:
        return
    choices = {f"all {len(split):,} samples": None} | {f"first {samples:,}": samples for samples in SAMPLES if samples < len(split)}
    now = next((words for words, samples in choices.items() if samples == session.conditions().samples), next(iter(choices)))
    widgets.choose("Measured on", list(choices), now, lambda words: session.set_conditions(samples=choices[words], device=session.device()),
                   key="samples",
                   help="Of the tuning split. Fewer samples answer sooner, with a wider range.")  # fmt: skip


def _device() -> None:
    def usable(device: str) -> bool:
        try:
            return pick_device(device) is not None
        except ExplorerError:
            return False

    found = [device for device in DEVICES if usable(device)]
    if len(found) > 2:
        widgets.choose("Device", found, session.device(), key="device",
                       take=lambda device: session.set_conditions(samples=session.conditions().samples, device=device))  # fmt: skip
    else:
        st.caption(f"Device: {pick_device(session.device()).type}")
