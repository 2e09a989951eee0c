"""One web page that says what was decided and what was measured; it needs no network and no program."""

import html
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from ..labels import LABELS
from ..loss_change import loss_words
from ..registry import EXPORTERS
from ..runtimes import who_gains
from ..statistics import format_accuracy, format_drop
from ..values import Measurement, Report
from . import Export
from .figures_html import figures_of

STYLE = """
:root { color-scheme: light; }
body { font: 16px/1.5 system-ui, sans-serif; color: #1c1b19; background: #fff; }
body { max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.7rem; margin: 0; } h2 { font-size: 1.2rem; margin: 2rem 0 .5rem; }
table { border-collapse: collapse; font-size: .9rem; } th { text-align: left; }
th, td { border-bottom: 1px solid #ddd; padding: .3rem .8rem .3rem 0; vertical-align: top; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; } .wide { overflow-x: auto; }
.lead { font-size: 1.1rem; } .small { color: #55524d; font-size: .85rem; } pre { white-space: pre-wrap; overflow-wrap: anywhere; }
"""
POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data: blob:"
HOW = (
    "Accuracy stands with its 95 % Wilson interval and the number of samples. Its change is counted on the same samples for "
    "both models, with the paired interval of Bonett and Price. Parameters, multiply-adds (MACs) and bytes are those of the "
    "smaller model itself. The tuning split was used to decide, so accuracy on it is a little optimistic."
)


@EXPORTERS.register("html_report", rank=8, extension=".html", media_type="text/html", measures=True)
def html_report(pruned: Export) -> bytes:
    """One web page with what was decided and measured: numbers with their intervals, tables, figures; needs no network."""
    report = pruned.measured()
    name, split = str(report.subject["name"]), report.split.replace("_", "-")
    data = f"{report.subject['task']} data, {split} split" if report.subject.get("task") else "no data"
    body = [
        f"<h1>{_text(name)}, pruned</h1>", f"<p class=small>{_text(data)}</p>", f"<p class=lead>{_text(verdict(report))}</p>",
        "<h2>What was measured</h2>", _table(("", "dense", "pruned", "left"), quantities(report), numbers=(1, 2, 3)),
        *(f"<p class=small>{_text(note)}</p>" for note in report.notes),
        "<h2>Who can use it</h2>", *(f"<p>{_text(sentence)}</p>" for sentence in who_gains(report.recipe)),
        *_parts(report), "<h2>Figures</h2>", *_figures(pruned), *_layers(report),
        "<h2>How it was made</h2>", f"<pre>{_text(json.dumps(report.recipe.to_json()))}</pre>",
        f"<p class=small>{_text(HOW)}</p>", f"<p class=small>{_text(_where(report))}</p>",
    ]  # fmt: skip
    head = f'<meta charset=utf-8><meta http-equiv=Content-Security-Policy content="{POLICY}">'
    head += f'<meta name=viewport content="width=device-width, initial-scale=1"><title>{_text(name)}, pruned</title>'
    return f"<!doctype html><html lang=en><head>{head}<style>{STYLE}</style></head><body>{''.join(body)}</body></html>".encode()


def verdict(report: Report) -> str:
    """The result in one sentence."""
    dense, now = report.baseline, report.pruned
    left = "The model was pruned"
    if now.params and dense.params:
        left = f"{now.params / dense.params:.1%} of the parameters are left"
    if now.nonzero_params and dense.params and now.nonzero_params != now.params:
        left += f", {now.nonzero_params / dense.params:.1%} are not zero"
    change = f"; accuracy changed by {format_drop(report.drop)}" if report.drop else "; accuracy was not measured"
    return f"{left}{change}.".replace("%", " %")


def quantities(report: Report) -> Iterator[tuple[str, str, str, str]]:
    """Name, dense, pruned and what is left, as on the page."""
    dense, now = report.baseline, report.pruned
    yield LABELS["accuracy"], _accuracy(dense, report.total_samples), _accuracy(now, report.total_samples), ""
    loss = loss_words(report)
    if loss.pruned:
        predicted = f" (first order predicted {loss.predicted})" if loss.predicted else ""
        yield LABELS["loss"], loss.dense, loss.pruned, f"{loss.change}{predicted}"
    for name in ("params", "nonzero_params", "macs"):
        yield _amounts(LABELS[name], getattr(dense, name), getattr(now, name))
    for form in ("dense", "bitmask", "csr", "deflate"):
        sizes = [(side.size_bytes or {}).get(form) for side in (dense, now)]
        yield _amounts(f"{LABELS['size_bytes']}, {'compressed' if form == 'deflate' else form}", *sizes)
    times = [(side.latency_ms or {}).get("median") for side in (dense, now)]
    if None not in times:
        yield LABELS["latency"], f"{times[0]:.2f}", f"{times[1]:.2f}", _speed(report)


def _amounts(name: str, before: int | None, after: int | None) -> tuple[str, str, str, str]:
    shown = ["not measured" if amount is None else f"{amount:,}" for amount in (before, after)]
    return name, shown[0], shown[1], f"{after / before:.1%}".replace("%", " %") if before and after is not None else ""


def _accuracy(measured: Measurement, total: int) -> str:
    return format_accuracy(measured.correct, measured.samples, total) if measured.correct is not None else "not measured"


def _speed(report: Report) -> str:
    found = report.speed_up
    return "{verdict}: {ratio:.2f} times ({low:.2f} to {high:.2f})".format(**found) if found else ""


def _where(report: Report) -> str:
    return "Measured with " + ", ".join(f"{name} {value}" for name, value in report.environment.items()) + "."


# --------------------------------------------------------------------------- HTML


def _text(foreign: object) -> str:
    return html.escape(str(foreign))


def _table(head: Sequence[str], rows: Iterable[Sequence[object]], numbers: Sequence[int] = ()) -> str:
    """A table of foreign texts; columns of numbers stand to the right."""

    def row(cells: Sequence[object], tag: str) -> str:
        marked = (f"<{tag}{' class=n' * (at in numbers)}>{_text(cell)}</{tag}>" for at, cell in enumerate(cells))
        return f"<tr>{''.join(marked)}</tr>"

    return f"<div class=wide><table>{row(head, 'th')}{''.join(row(cells, 'td') for cells in rows)}</table></div>"


def _parts(report: Report) -> Iterator[str]:
    if report.parts:
        yield "<h2>Requested and achieved</h2>"
        parts = ((p.name, p.granularity, f"{p.requested * 100:.1f} %", f"{p.achieved * 100:.1f} %",
                  f"{p.removed:,} of {p.units:,}", p.reason or "") for p in report.parts)  # fmt: skip
        yield _table(("part", "unit", "requested", "achieved", "removed", "why they differ"), parts, (2, 3, 4))


def _layers(report: Report) -> Iterator[str]:
    yield "<h2>Layers</h2>"
    shapes = ((" x ".join(map(str, shape)) for shape in (layer.shape, layer.pruned_shape)) for layer in report.layers)
    rows = ((layer.name, layer.kind, *both, f"{layer.params:,}", f"{layer.pruned_params:,}", f"{layer.nonzero_params:,}",
             f"{layer.macs:,}", f"{layer.pruned_macs:,}") for layer, both in zip(report.layers, shapes, strict=True))  # fmt: skip
    head = ("layer", "kind", "shape", "pruned shape", "parameters", "left", "not zero", "MACs", "left")
    yield _table(head, rows, (4, 5, 6, 7, 8))


def _figures(pruned: Export) -> Iterator[str]:
    from ..figures import standalone

    figures: dict[str, Any] = figures_of(pruned)
    for place, (name, figure) in enumerate(figures.items()):
        yield standalone.piece(figure, name, library=place == 0)
