"""A Report as five cards: accuracy, parameters, file size, MACs, latency; each compared with the dense
model.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from ...measuring.metric_words import metric_heading, metric_title
from ...measuring.number_words import change_words, format_value, measured_words
from ...measuring.predicted_loss import LossWords, loss_words
from ...values.report import Measurement, Report
from .repaired_number import repaired_note

Colour = Literal["normal", "inverse", "off"]
WAITING = "measuring …"
FORMAT_NAMES = {"csr": "as CSR", "bitmask": "as bitmask and values", "deflate": "zipped"}


TRAPS = {
    "Accuracy": "Measured on the tuning split, which you decide on, so it is a little optimistic. Right "
    "after pruning a model may be near chance; recalibrating norms or fine-tuning often brings it back. The "
    "range is a 95 % interval. Repaired without training: the same cut after least squares has fitted what "
    "is left to the dense model's outputs; choose it as repair after the cut to keep it. First order: the "
    "change of the loss that the dense model's gradients predict; after training they are near zero, so it "
    "is too small for all but gentle cuts.",
    "Metric": "What your task is measured by, on the tuning split, which you decide on, so it is a little "
    "optimistic. The range is a 95 % interval; the change is between the pruned and the dense model on the "
    "same samples.",
    "Parameters": "All numbers of the model. Half of the channels of every layer leaves about a quarter of "
    "the parameters, since inputs and outputs both shrink. Zeros are still parameters.",
    "File size": "A safetensors file. Zeros alone don't make it smaller; sparse formats do, which few "
    "runtimes read.",
    "MACs": "Multiply-adds for one sample on dense hardware; FLOPs are twice as many. Zeros don't lower "
    "them, and fewer MACs don't promise the same gain in time.",
    "Latency": "Time of one forward pass, measured on this machine, dense and pruned in turn: the median, "
    "and where 8 of 10 runs lie. The change compares runs that alternate. Small models often don't become "
    "faster; zeros alone never help.",
}


@dataclass(frozen=True)
class Card:
    """One number compared with the dense model.

    Args:
        value: large; change: under it, or None; colour: "normal" if more is better, "inverse" if less is.
        notes: small print, one line each.
    """

    label: str
    value: str
    change: str | None
    notes: tuple[str, ...]
    trap: str
    colour: Colour = "inverse"


def short(number: float) -> str:
    """Return three digits and a letter.

    >>> short(62138), short(512), short(3.1e6)
    ('62.1 k', '512', '3.10 M')
    """
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= size:
            scaled = number / size
            return f"{scaled:.{2 if scaled < 10 else 1 if scaled < 100 else 0}f} {letter}"
    return f"{number:.0f}"


def change(after: float, before: float) -> str | None:
    """Return the change in per cent, or None if it is negligible.

    >>> change(50, 200), change(200, 200)
    ('-75.0 %', None)
    """
    share = after / before - 1 if before else 0.0
    return (
        None if abs(share) < 0.0005 else f"{share * 100:+.1f} %"
    )  # an ASCII minus, by which Streamlit finds the direction


def factor(after: float, before: float, more: str, less: str) -> str:
    """Return how many times less (or more) it is, and the difference.

    >>> factor(50, 200, "more", "fewer")
    '4.00 × fewer, 150 gone'
    """
    if after <= 0 or before <= 0:
        return "none left" if after <= 0 else ""
    if abs(after / before - 1) < 0.0005:
        return "unchanged"
    if after > before:
        return f"{after / before:.2f} × {more}, {short(after - before)} on top"
    return f"{before / after:.2f} × {less}, {short(before - after)} gone"


def cards(report: Report) -> tuple[Card, ...]:
    """Return the five cards of a Report; a card says if its number isn't measured yet."""
    dense, now = report.baseline, report.pruned
    return (_accuracy(report), _params(report), _size(dense, now), _macs(dense, now), _latency(report))


def _card(
    label: str,
    value: str = WAITING,
    change: str | None = None,
    notes: Iterable[str] = (),
    colour: Colour = "inverse",
) -> Card:
    return Card(label, value, change, tuple(notes), TRAPS[label], colour)


def _accuracy(report: Report) -> Card:
    now, dense = report.pruned, report.baseline
    kind = "Accuracy" if now.metric in (None, "accuracy") else "Metric"
    words = measured_words(now, report.total_samples)
    if words is None:
        value = "no data" if report.stage == "final" else WAITING
        return Card(metric_heading(now.metric), value, None, (), TRAPS[kind], "normal")
    value, loss, per_cent = words.value, loss_words(report), " %" if now.unit == "%" else ""
    notes = [f"{words.reach}{per_cent}, {words.counted}", *_others(now)]
    if report.drop is not None and report.drop.better == "lower":
        notes.insert(0, "lower is better")
    label = metric_heading(now.metric)
    if report.recipe.is_empty or report.drop is None:
        loss_notes = [f"loss {loss.pruned}"] if loss.pruned else []
        return Card(
            label,
            value,
            None,
            (*notes, "nothing is removed yet", *loss_notes),
            TRAPS[kind],
            "normal",
        )
    change = change_words(report.drop)
    changed = f"dense {format_value(dense.value or 0.0, dense.unit)}, change {change.reach}"
    notes = [change.verdict, *notes, *repaired_note(report), changed, *_loss(loss)]
    colour: Colour = "normal" if report.drop.better == "higher" else "inverse"
    return Card(label, value, change.amount, tuple(notes), TRAPS[kind], colour)


def _others(now: Measurement) -> list[str]:
    """Return the further requested metrics, one per line."""
    found = (now.others or {}).items()
    return [f"{metric_title(name)} {format_value(one['value'], one['unit'])}" for name, one in found]


def _loss(loss: LossWords) -> list[str]:
    if not loss.pruned:
        return []
    predicted = [f"first order predicted {loss.predicted}"] if loss.predicted else []
    return [f"loss {loss.pruned}, change {loss.change}", *predicted]


def _params(report: Report) -> Card:
    dense, now = report.baseline, report.pruned
    if now.params is None or dense.params is None:
        return _card("Parameters")
    notes = [factor(now.params, dense.params, "more", "fewer")]
    # zeros that the model had from the start, such as fresh biases, are not worth a note
    if report.recipe.weights and now.nonzero_params is not None and now.nonzero_params < now.params * 0.999:
        notes.append(
            f"{short(now.nonzero_params)} of them non-zero ({change(now.nonzero_params, dense.params)})"
        )
    return _card("Parameters", short(now.params), change(now.params, dense.params), notes)


def _size(dense: Measurement, now: Measurement) -> Card:
    if not now.size_bytes or not dense.size_bytes:
        return _card("File size")
    before, after = dense.size_bytes["dense"], now.size_bytes["dense"]
    notes = [factor(after, before, "larger", "smaller"), *_smallest(now.size_bytes)]
    return _card("File size", f"{short(after)}B", change(after, before), notes)


def _smallest(sizes: Mapping[str, int]) -> list[str]:
    name = min(sizes, key=lambda form: sizes[form])
    worth = name != "dense" and sizes[name] <= 0.95 * sizes["dense"]
    return [f"{short(sizes[name])}B {FORMAT_NAMES.get(name, name)}"] if worth else []


def _macs(dense: Measurement, now: Measurement) -> Card:
    if now.macs is None or dense.macs is None:
        return _card("MACs")
    return _card(
        "MACs", short(now.macs), change(now.macs, dense.macs), [factor(now.macs, dense.macs, "more", "fewer")]
    )


def _latency(report: Report) -> Card:
    dense, now = report.baseline.latency_ms, report.pruned.latency_ms
    if not dense or not now:
        return _card("Latency")
    notes, faster = [f"{now['p10']:.2f} to {now['p90']:.2f} ms, batch {now['batch']:.0f}"], None
    if report.speed_up is None:
        notes.append("as before: the shapes are unchanged")
    else:
        ratio, low, high, verdict = (report.speed_up[key] for key in ("ratio", "low", "high", "verdict"))
        notes.append(f"{ratio:.2f} × as fast ({low:.2f} to {high:.2f})")
        notes += [f"{verdict} from dense"] if verdict == "not distinguishable" else []
        faster = None if verdict == "not distinguishable" else change(1 / ratio, 1)
    return _card("Latency", f"{now['median']:.2f} ms", faster, notes)
