"""LayerOutcomes -> parameters and MACs of each layer, before and after, each on its own axis."""

from collections.abc import Sequence

import plotly.graph_objects as go

from ..values.report import LayerOutcome
from ..words import LABELS
from .style import AFTER, DENSE, GRID, KEPT, figure, nothing, subtitled, tall, text

LEFT, RIGHT = (0.0, 0.47), (0.53, 1.0)
SHOWN = 60  # rows; if there are more layers, the largest
# whose green is the grey of "before" to people with deuteranopia
STRIPED = {"after, non-zero": {"shape": "/", "fillmode": "overlay", "solidity": 0.15}}
ROOM = 1.3  # rows of usual height that one row of three bars takes


def layer_costs(outcomes: Sequence[LayerOutcome]) -> go.Figure:
    """Draw horizontal bars, one row for each layer: parameters on the left, MACs on the right; norms, which
    cost little, are left out.
    """
    layers, left_out = shown_layers(outcomes)
    drawn = figure(
        "Where parameters and multiply-adds are, before and after",
        LABELS["params"],
        LABELS["layer"],
        height=tall(ROOM * len(layers)),
        barmode="group",
        xaxis={"domain": LEFT},
        xaxis2={
            "domain": RIGHT,
            "title": {"text": LABELS["macs"]},
            "anchor": "y",
            "gridcolor": GRID,
            "zeroline": False,
        },
    )
    drawn.update_xaxes(tickformat="~s")
    drawn.update_yaxes(autorange="reversed", type="category")
    if not layers:
        return nothing(drawn)
    if left_out:
        subtitled(drawn, left_out)
    names = [text(layer.name) for layer in layers]
    zeros = any(layer.nonzero_params != layer.pruned_params for layer in layers)
    for field, panel, name, colour in (
        ("params", "x", "before", DENSE),
        ("pruned_params", "x", "after", KEPT),
        *([("nonzero_params", "x", "after, non-zero", AFTER)] if zeros else []),
        ("macs", "x2", "before", DENSE),
        ("pruned_macs", "x2", "after", KEPT),
    ):
        drawn.add_trace(_bars(names, [getattr(layer, field) for layer in layers], name, colour, panel))
    return drawn


def shown_layers(outcomes: Sequence[LayerOutcome]) -> tuple[list[LayerOutcome], str]:
    """Return the layers to draw, in their order, and a text that says what was left out."""
    whole = sum(outcome.params for outcome in outcomes)
    costly = [outcome for outcome in outcomes if outcome.params and (outcome.macs or outcome.kind != "norm")]
    most = {id(outcome) for outcome in sorted(costly, key=lambda outcome: -outcome.params)[:SHOWN]}
    layers = [outcome for outcome in costly if id(outcome) in most]
    if not layers or len(layers) == sum(1 for outcome in outcomes if outcome.params):
        return layers, ""
    share = f"{100 * sum(layer.params for layer in layers) / whole:.1f} % of the parameters"
    words = (
        "the norms are left out" if len(layers) == len(costly) else f"the {SHOWN} largest of {len(costly):,}"
    )
    return layers, f"{words}; shown: {share}"


def _bars(names: list[str], amounts: list[int], name: str, colour: str, panel: str) -> go.Bar:
    return go.Bar(
        x=amounts,
        y=names,
        xaxis=panel,
        orientation="h",
        name=name,
        legendgroup=name,
        showlegend=panel == "x",
        marker={"color": colour, "line": {"width": 0}, "pattern": STRIPED.get(name, {})},
        hovertemplate=f"%{{y}}, {name}: %{{x:,}}<extra></extra>",
    )
