"""The sidebar that all pages share: the model, how many samples are measured, and on which device."""

from contextlib import nullcontext

import streamlit as st

from ...errors import ExplorerError
from ...machine.environment import DEVICES, pick_device
from ...measuring.precision import DTYPES
from .. import session
from ..drawing import layout, widgets
from ..drawing.offers import one_of
from ..live import regions
from ..shared import settings
from . import job_chip, memory_panel, models_known, own_model
from .opening import opening

SAMPLES = (512, 1024, 2048)
ALWAYS_THERE = ("auto", "cpu")
ALL = 0  # samples


def draw(*, with_graph: bool = True) -> None:
    """Draw the model, what is known about it, number of samples, device, and memory.

    Args:
        with_graph: the page is about the model, so nothing else is drawn before it is loaded and read.
    """
    with opening() if with_graph else nullcontext(), st.sidebar:
        job_chip.draw()
        names = session.models()
        now, told = session.model_name(), models_known.listed(names)
        widgets.choose("Model", names, now, session.set_model, key="model", help=told)
    with st.sidebar:
        _about()
        if settings.current().classroom is None:
            _upload()
        _samples()
        _device()
        _dtype()
        memory_panel.draw()
    regions.watched("notice", _notice, facet=session.notice)


def _notice() -> None:
    """Draw what could not be done."""
    if session.notice():
        with st.container(horizontal=True, vertical_alignment="center"):
            layout.draw_notice(session.notice())
            st.button("Dismiss", "dismiss", on_click=session.dismiss, type="tertiary")


def _about() -> None:
    subject = session.subject()
    described = subject.card.get("description")
    task = subject.task
    lines = [str(described)] if described else []
    if task is not None:
        what = f", {len(task.class_names)} classes" if task.class_names else ""
        lines.append(f"Data: {task.name}{what}. {task.note}".strip())
        lines += [" ".join(task.how)] if task.how else []
    else:
        lines.append(
            "No data: agreement with the dense model on random inputs is measured instead of accuracy."
        )
    st.caption(layout.plain("\n\n".join(lines)))


def _upload() -> None:
    told = "Your model, or only its weights."
    with st.popover("Your own model", icon=":material/upload:", key="upload menu", help=told):
        own_model.draw()
        st.markdown("**Or your weights in this architecture**")
        st.caption(
            "A .safetensors file whose names and shapes are those of this model. It stays on this machine."
        )
        quota = settings.current().quota
        st.file_uploader(
            "Weights",
            ["safetensors"],
            key="upload",
            on_change=lambda: session.attempt(_take_upload),
            max_upload_size=None if quota is None else max(1, quota // 2**20),
        )
        if quota is not None:
            st.caption(f"Your uploads may take {quota / 1e6:,.1f} MB together.")


def _take_upload() -> None:
    given = session.shown("upload")
    if given is not None:
        session.upload_weights(given.getvalue())


def _samples() -> None:
    task = session.subject().task
    split = task.split("tuning") if task else None
    if split is None:
        return
    choices = {ALL: f"all {len(split):,} samples"}
    choices |= {samples: f"first {samples:,}" for samples in SAMPLES if samples < len(split)}
    now = one_of(choices, session.conditions().samples)

    def take(samples):
        return session.set_conditions(samples=None if samples == ALL else samples, device=session.device())

    told = "Of the tuning split. Fewer samples give a result sooner, with a wider range."
    widgets.choose("Measured on", choices, now, take, key="samples", help=told)


def _device() -> None:
    usable = [device for device in DEVICES if _usable(device)]

    def take(device):
        return session.set_conditions(samples=session.conditions().samples, device=device)

    if len(usable) > len(ALWAYS_THERE):
        widgets.choose("Device", usable, session.device(), take, key="device")
    else:
        st.caption(f"Device: {pick_device(session.device()).type}")


def _dtype() -> None:
    meaning = (
        "The number format that models compute in. bfloat16 keeps two to three digits; some processors are "
        "faster with it, others slower. What it alone does to the accuracy is measured and shown. Files, "
        "scans and flips stay float32."
    )
    widgets.choose(
        "Arithmetic", list(DTYPES), session.conditions().dtype, session.set_dtype, key="dtype", help=meaning
    )


def _usable(device: str) -> bool:
    try:
        pick_device(device)
    except ExplorerError:
        return False
    return True
