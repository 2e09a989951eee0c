"""Our own addresses besides the pages: questions for news, and what a monitoring system reads."""

import streamlit as st
from starlette.routing import Route

from .arrival import late

# whatever path the server's own base path or a proxy adds before it
NEWS_WAYS = ("/explorer-news", "/{prefix:path}/explorer-news")
METRICS_WAY = "metrics"


def routes() -> list[Route]:
    """Return the routes, to be added to the server."""
    base = str(st.get_option("server.baseUrlPath") or "").strip("/")
    metrics = f"/{base}/{METRICS_WAY}" if base else f"/{METRICS_WAY}"
    return [
        *(Route(way, late("live.news_route", "ask"), methods=["POST"]) for way in NEWS_WAYS),
        Route(metrics, late("metrics_route", "answer"), methods=["GET"]),
    ]
