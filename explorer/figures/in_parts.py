"""Splits a figure for an element that redraws it in place, so that only the parts that changed are sent."""

import json
from typing import Any

import plotly.graph_objects as go


def empty() -> go.Figure:
    """Return a figure that draws nothing; with it a page loads Plotly into the browser."""
    return go.Figure()


def in_parts(figure: go.Figure) -> dict[str, Any]:
    """Return the figure in the form that the element takes: layout, number of traces, and each trace, with
    numbers rounded to five digits.
    """
    plain = _rounded(json.loads(figure.to_json()))
    traces = {f"trace {place}": trace for place, trace in enumerate(plain["data"])}
    return {
        "layout": {key: value for key, value in plain["layout"].items() if key != "template"},
        "count": len(traces),
        **traces,
    }


def _rounded(value: Any) -> Any:
    """Round every number in nested data.

    >>> _rounded({"x": [1 / 3, 7]})
    {'x': [0.33333, 7]}
    """
    if isinstance(value, float):
        return float(f"{value:.5g}")
    if isinstance(value, list):
        return [_rounded(item) for item in value]
    return {key: _rounded(item) for key, item in value.items()} if isinstance(value, dict) else value
