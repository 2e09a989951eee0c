"""How to open a model of one's own: the commands to copy."""

import streamlit as st

from ..drawing import layout

COMMANDS = (
    ("Your own PyTorch model and data", "pruning-explorer net.py:make --data folder:PICTURES"),
    ("A model of torchvision with your data", "pruning-explorer torchvision:resnet50 --data folder:PICTURES"),
    ("One with your trained weights", "pruning-explorer torchvision:resnet18 --checkpoint net.safetensors"),
)
HOW = "Stop the program, and start it again with one of these commands. The Guide says more on *Models*."


def draw() -> None:
    """The commands, each with what it opens."""
    st.caption(HOW)
    for what, command in COMMANDS:
        st.caption(layout.plain(what))
        st.code(command, language=None, wrap_lines=True)
