"""Start the page in this process."""

import logging
import sys
import threading
import webbrowser
from pathlib import Path

import streamlit as st

from . import page_addresses
from .live import news_route
from .shared import models
from .shared.settings import Settings, configure

SCRIPT = Path(__file__).with_name("app.py")
BROWSER_DELAY_S = 2.0  # the server answers by then; a page that comes earlier waits for it


def serve(
    settings: Settings, *, host: str = "127.0.0.1", port: int = 8501, open_browser: bool = True
) -> None:
    """Serve the page until it is interrupted.

    Args:
        settings: models, device and how a model is loaded.
        host: 127.0.0.1 keeps it on this machine.
    """
    configure(settings)
    if open_browser:
        shown = "127.0.0.1" if host in ("0.0.0.0", "::") else host
        opener = threading.Timer(BROWSER_DELAY_S, webbrowser.open, [f"http://{shown}:{port}"])
        opener.daemon = True
        opener.start()
    threading.Thread(target=models.look_ahead, name="explorer-look-ahead").start()
    # Streamlit looks for its config.toml beside the program that was started, which for an installed command
    # is bin/
    sys.argv = [str(SCRIPT)]
    # of the options that are set here Streamlit says that they changed, and asks for a restart
    logging.getLogger("streamlit.config").addFilter(
        lambda record: "An update to the" not in record.getMessage()
    )
    # headless, because otherwise Streamlit covers the page with advertisements of its own
    app = st.App(SCRIPT, routes=[news_route.route(), *page_addresses.routes()])
    app.run(config={"server.address": host, "server.port": port, "server.headless": True})
