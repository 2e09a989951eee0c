"""Start the page in this process."""

from pathlib import Path

import streamlit as st

from .settings import Settings, configure

SCRIPT = Path(__file__).with_name("app.py")


def serve(settings: Settings, *, host: str = "127.0.0.1", port: int = 8501, open_browser: bool = True) -> None:
    """Serve the page until it is interrupted.

    Args:
        settings: models, device and how a model is loaded.
        host: 127.0.0.1 keeps it on this machine.
    """
    configure(settings)
    st.App(SCRIPT).run(config={"server.address": host, "server.port": port, "server.headless": not open_browser})
