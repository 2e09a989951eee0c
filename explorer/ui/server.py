"""Starts the page in this process."""

import logging
import re
import socket
import sys
import threading
import time
import webbrowser
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import streamlit as st
from starlette.middleware import Middleware
from streamlit import config as st_config

from ..errors import ExplorerError
from ..machine import kernels
from . import arrival, late_routes, page_addresses
from .allowed_hosts import EVERYWHERE, AllowedHosts, allowed_hosts
from .client_messages import ClientMessages
from .housekeeping import keeping_house
from .left_page import LeftPage
from .offline import stay_offline
from .request_guard import RequestGuard
from .shared.settings import Settings, configure, current
from .sign_in_answers import SignInAnswers
from .stopped_runs import let_stopped_runs_choose_no_page
from .upload_limit import UploadLimit

SCRIPT = Path(__file__).with_name("app.py")
BASE_PATH = re.compile(r"(?!\.)[\w.-]+(/(?!\.)[\w.-]+)*", re.ASCII)
AGAIN_S, PATIENCE_S = 0.05, 60.0  # between looks whether the server answers


def serve(
    settings: Settings,
    *,
    host: str = "127.0.0.1",
    port: int = 8501,
    open_browser: bool = True,
    trusted_hosts: Sequence[str] = (),
    base_path: str = "",
) -> None:
    """Serve the page until it is interrupted.

    Args:
        settings: models, device and how a model is loaded.
        host: 127.0.0.1 keeps it on this machine.
        trusted_hosts: further names under which browsers may reach it, such as that of a proxy.
        base_path: what all its addresses begin with, such as "lab/pruning", if it is behind a proxy.
    Raises:
        ExplorerError: a trusted host or the base path is not plain.
    """
    hosts, base = allowed_hosts(host, trusted_hosts), plain_path(base_path)
    st_config.set_option("server.baseUrlPath", base)  # our own routes read it before the server starts
    configure(settings)
    shown = "127.0.0.1" if host in EVERYWHERE else f"[{host}]" if ":" in host else host
    if open_browser:
        reached = "127.0.0.1" if host in EVERYWHERE else host
        way = (reached, port), f"http://{shown}:{port}/{base}"
        threading.Thread(target=_open_browser, args=way, daemon=True).start()
    arrival.begin()
    # Streamlit looks for its config.toml next to the program that was started, which for an installed command
    # is bin/
    sys.argv = [str(SCRIPT)]
    # for options that are set here, Streamlit says that they changed, and asks for a restart
    logging.getLogger("streamlit.config").addFilter(
        lambda record: "An update to the" not in record.getMessage()
    )
    # headless, because otherwise Streamlit covers the page with its own advertisements
    config: dict[str, Any] = {
        "server.address": host,
        "server.port": port,
        "server.headless": True,
        "server.baseUrlPath": base,
        "browser.serverAddress": shown,
    }
    sign_in = current().sign_in
    if sign_in is not None:
        config["secrets.files"] = [str(sign_in.file)]
    st.App(SCRIPT, **parts(hosts)).run(config=config)


def _open_browser(way: tuple[str, int], address: str) -> None:
    """Open the page in the reader's browser as soon as the server answers.

    Args:
        way: host and port.
    """
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        try:
            socket.create_connection(way, AGAIN_S).close()
        except OSError:
            time.sleep(AGAIN_S)
        else:
            webbrowser.open(address)
            return


def plain_path(text: str) -> str:
    """Return a base path without the slashes around it.

    >>> plain_path("/lab/pruning/")
    'lab/pruning'

    Raises:
        ExplorerError: it holds more than plain names between slashes.
    """
    path = text.strip("/")
    if path and not BASE_PATH.fullmatch(path):
        raise ExplorerError(
            f"A base path consists of names of letters, digits, '.', '_' and '-' between slashes, such as "
            f"lab/pruning, got {text[:80]!r}."
        )
    return path


def parts(hosts: AllowedHosts) -> dict[str, Any]:
    """Return what st.App gets besides the entry script: our own routes, and the request checks before all of
    them; what is mended in Streamlit itself is in place then.
    """
    kernels.keep_few()
    stay_offline()
    let_stopped_runs_choose_no_page()
    return {
        "routes": [*late_routes.routes(), *page_addresses.routes()],
        "lifespan": keeping_house,
        "middleware": [
            Middleware(RequestGuard, hosts=hosts),
            Middleware(ClientMessages),
            Middleware(LeftPage),
            Middleware(
                SignInAnswers, home=f"/{st_config.get_option('server.baseUrlPath')}".rstrip("/") + "/"
            ),
            Middleware(UploadLimit, quota=current().quota),
        ],
    }


def configured_parts() -> dict[str, Any]:
    """Return the same if `streamlit run` starts the server, with host and trusted hosts as options.

    Raises:
        ExplorerError: a trusted host is not a plain name.
    """
    return parts(allowed_hosts(st.get_option("server.address"), st.get_option("server.allowedHosts")))
