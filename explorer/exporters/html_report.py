"""One web page that says what was decided and what was measured; it needs no network and no program."""

import html
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from ..measuring.metric_words import metric_heading, metric_title
from ..measuring.number_words import change_words, format_drop, format_measured, format_value
from ..measuring.predicted_loss import loss_words
from ..registry import EXPORTERS
from ..values.report import Report
from ..words import LABELS
from .export import Export
from .figures_html import figures_of
from .who_gains import who_gains

POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data: blob:"
HOW = (
    "Parameters, multiply-adds (MACs) and bytes are those of the smaller model itself. The tuning split was "
    "used to decide, so numbers on it are a little optimistic."
)
OF_ACCURACY = (
    "Accuracy is shown with its 95 % Wilson interval and the number of samples. Its change is counted on "
    "the same samples for both models, with the paired interval of Bonett and Price. "
)
OF_OTHERS = (
    "The metric is shown with a 95 % interval from a bootstrap over samples, and with their number. Its "
    "change is that on the same samples, with the same resamples for both models; fractions of right "
    "answers have the intervals of Wilson and of Bonett and Price. "
)
AGAIN = (
    "The same weights and this recipe give the same smaller model again: save it as recipe.json and run "
    "'pruning-explorer prune {name} "
    "--recipe recipe.json', or load it on the Prune page (Recipe file)."
)


@EXPORTERS.register("html_report", rank=8, extension=".html", media_type="text/html", measures=True)
def html_report(pruned: Export) -> bytes:
    """One web page with what was decided and measured: numbers with their intervals, tables, figures; needs
    no network.
    """
    report = pruned.measured()
    name = str(report.subject["name"])
    body = [
        f"<h1>{_text(name)}, pruned</h1>",
        f"<p class=small>{_text(_source(report))}</p>",
        f"<p class=lead>{_text(verdict(report))}</p>",
        *_cards(report),
        "<h2>What was measured</h2>",
        _table(("", "dense", "pruned", "change"), quantities(report), numbers=(1, 2, 3)),
        *(f"<p class=small>{_text(note)}</p>" for note in report.notes),
        "<h2>Where it helps</h2>",
        *(f"<p>{_text(sentence)}</p>" for sentence in who_gains(report.recipe)),
        *_parts(report),
        *_whole(pruned),
        "<h2>Figures</h2>",
        *_figures(pruned),
        *_layers(report),
        "<h2>How it was made</h2>",
        f"<p>{_text(AGAIN.format(name=name))}</p>",
        f"<pre>{_text(json.dumps(report.recipe.to_json()))}</pre>",
        f"<p class=small>{_text(_how(report))}</p>",
        f"<p class=small>{_text(_where(report))}</p>",
    ]
    return _page(f"{name}, pruned", body)


def _page(title: str, body: Sequence[str]) -> bytes:
    from ..figures import standalone  # imports plotly, which the command line needs for nothing else

    style = standalone.style() + Path(__file__).with_name("html_report.css").read_text(encoding="utf-8")
    head = f'<meta charset=utf-8><meta http-equiv=Content-Security-Policy content="{POLICY}">'
    head += f'<meta name=viewport content="width=device-width, initial-scale=1"><title>{_text(title)}</title>'
    return (
        "<!doctype html><html "
        f"lang=en><head>{head}<style>{style}</style></head><body>{''.join(body)}</body></html>"
    ).encode()


def _how(report: Report) -> str:
    metric = report.baseline.metric or "accuracy"
    return (OF_ACCURACY if metric == "accuracy" else OF_OTHERS) + HOW


def verdict(report: Report) -> str:
    """Return the result in one sentence."""
    dense, now = report.baseline, report.pruned
    left = "The model was pruned"
    if now.params and dense.params:
        left = f"{now.params / dense.params:.1%} of the parameters are left"
    if now.nonzero_params and dense.params and now.nonzero_params != now.params:
        left += f", {now.nonzero_params / dense.params:.1%} are non-zero"
    change = (
        f"; {metric_title(report.drop.metric)} changed by {format_drop(report.drop)}"
        if report.drop
        else "; nothing was measured on data"
    )
    return f"{left}{change}.".replace("%", " %")


def quantities(report: Report) -> Iterator[tuple[str, str, str, str]]:
    """Return name, dense, pruned and what is left, as on the page."""
    dense, now = report.baseline, report.pruned
    change = change_words(report.drop).interval if report.drop else ""
    yield (
        metric_heading(dense.metric),
        format_measured(dense, report.total_samples),
        format_measured(now, report.total_samples),
        change,
    )
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
    return name, shown[0], shown[1], f"{_left(before, after)} left" if before and after is not None else ""


def _left(before: float, after: float) -> str:
    return f"{after / before * 100:.1f} %"


def _speed(report: Report) -> str:
    found = report.speed_up
    return "{verdict}: {ratio:.2f} times ({low:.2f} to {high:.2f})".format(**found) if found else ""


def _source(report: Report) -> str:
    data = (
        f"{report.subject['task']} data, {report.split.replace('_', '-')} split"
        if report.subject.get("task")
        else "no data"
    )
    return f"{data}; recipe {report.recipe.fingerprint[:8]}"


def _where(report: Report) -> str:
    return "Measured with " + ", ".join(f"{name} {value}" for name, value in report.environment.items()) + "."


# --------------------------------------------------------------------------- HTML


def _text(foreign: object) -> str:
    return html.escape(str(foreign))


def _table(head: Sequence[str], rows: Iterable[Sequence[object]], numbers: Sequence[int] = ()) -> str:
    """Return a table of foreign texts; columns of numbers are right-aligned."""

    def row(cells: Sequence[object], tag: str) -> str:
        marked = (
            f"<{tag}{' class=n' * (at in numbers)}>{_text(cell)}</{tag}>" for at, cell in enumerate(cells)
        )
        return f"<tr>{''.join(marked)}</tr>"

    return (
        f"<div class=wide><table>{row(head, 'th')}{''.join(row(cells, 'td') for cells in rows)}</table></div>"
    )


def _cards(report: Report) -> Iterator[str]:
    """Return the most important numbers, each with what it is compared with."""
    dense, now = report.baseline, report.pruned
    facts = []
    if now.value is not None and dense.value is not None:
        value, reference = (format_value(side.value or 0.0, side.unit) for side in (now, dense))
        facts.append((metric_heading(now.metric), value, f"dense {reference}"))
    amounts = [
        ("Parameters", "", dense.params, now.params),
        ("MACs", "", dense.macs, now.macs),
        ("File size", " bytes", (dense.size_bytes or {}).get("dense"), (now.size_bytes or {}).get("dense")),
    ]
    for name, unit, before, after in amounts:
        if before and after is not None:
            facts.append((name, _left(before, after), f"of the dense model's {before:,}{unit}"))
    if report.speed_up:
        facts.append(
            (
                "Speed",
                f"{report.speed_up['ratio']:.2f} times",
                f"{report.speed_up['verdict']}, measured in turns",
            )
        )
    cards = (
        f"<div class=card>{_text(name)}<b>{_text(value)}</b><span>{_text(note)}</span></div>"
        for name, value, note in facts
    )
    yield f"<div class=cards>{''.join(cards)}</div>"


def _whole(pruned: Export) -> Iterator[str]:
    """Return the groups that cannot be cut, with the reason."""
    frozen = [f"{group.name} ({group.frozen})" for group in pruned.graph.profile.groups if group.frozen]
    if pruned.recipe.is_structured and frozen:
        yield f"<p class=small>{_text('Stays whole: ' + '; '.join(frozen) + '.')}</p>"


def _parts(report: Report) -> Iterator[str]:
    if report.parts:
        yield "<h2>Requested and achieved</h2>"
        parts = (
            (
                p.name,
                p.granularity,
                f"{p.requested * 100:.1f} %",
                f"{p.achieved * 100:.1f} %",
                f"{p.removed:,} of {p.units:,}",
                p.reason or "",
            )
            for p in report.parts
        )
        yield _table(
            ("part", "unit", "requested", "achieved", "removed", "why they differ"), parts, (2, 3, 4)
        )


def _layers(report: Report) -> Iterator[str]:
    yield "<h2>Layers</h2>"
    shapes = (
        (" x ".join(map(str, shape)) for shape in (layer.shape, layer.pruned_shape))
        for layer in report.layers
    )
    rows = (
        (
            layer.name,
            layer.kind,
            *both,
            f"{layer.params:,}",
            f"{layer.pruned_params:,}",
            f"{layer.nonzero_params:,}",
            f"{layer.macs:,}",
            f"{layer.pruned_macs:,}",
        )
        for layer, both in zip(report.layers, shapes, strict=True)
    )
    head = ("layer", "kind", "shape", "pruned shape", "parameters", "left", "non-zero", "MACs", "left")
    yield _table(head, rows, (4, 5, 6, 7, 8))


def _figures(pruned: Export) -> Iterator[str]:
    from ..figures import standalone

    figures: dict[str, Any] = figures_of(pruned)
    for place, (name, figure) in enumerate(figures.items()):
        yield standalone.piece(figure, name, library=place == 0)
