"""A Report as five cards: accuracy, parameters, file size, MACs, latency; each against the dense model."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from ..statistics import format_drop
from ..values import Measurement, Report

Colour = Literal["normal", "inverse", "off"]
WAITING = "measuring …"
FORMAT_NAMES = {"csr": "as CSR", "bitmask": "as bitmask and values", "deflate": "zipped"}


@dataclass(frozen=True)
class Card:
    """One number against the dense model.

    Args:
        value: large; change: under it, or None; colour: "normal" if more is better, "inverse" if less is.
        notes: small print, one line each.
        trap: what is easily misread, behind the question mark.
    """

    label: str
    value: str
    change: str | None
    notes: tuple[str, ...]
    trap: str
    colour: Colour = "inverse"


def short(number: float) -> str:
    """Three digits and a letter.

    >>> short(62138), short(512), short(3.1e6)
    ('62.1 k', '512', '3.10 M')
    """
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= size:
            scaled = number / size
            return f"{scaled:.{2 if scaled < 10 else 1 if scaled < 100 else 0}f} {letter}"
    return f"{number:.0f}"


def change(after: float, before: float) -> str | None:
    """The change in per cent, or None where there is none to speak of.

    >>> change(50, 200), change(200, 200)
    ('−75.0 %', None)
    """
    share = after / before - 1 if before else 0.0
    return None if abs(share) < 0.0005 else f"{share * 100:+.1f} %".replace("-", "−")


def factor(after: float, before: float, more: str, less: str) -> str:
    """How many times less (or more) that is, and how much in all.

    >>> factor(50, 200, "more", "fewer")
    '4.00 × fewer, 150 of 200 gone'
    """
    if after <= 0 or before <= 0:
        return "none left" if after <= 0 else ""
    if abs(after / before - 1) < 0.0005:
        return "as the dense model"
    if after > before:
        return f"{after / before:.2f} × {more}, {short(after - before)} on top of {short(before)}"
    return f"{before / after:.2f} × {less}, {short(before - after)} of {short(before)} gone"


def cards(report: Report) -> tuple[Card, ...]:
    """The five cards of a Report; what isn't measured yet says so."""
    dense, now = report.baseline, report.pruned
    return (_accuracy(report), _params(dense, now), _size(dense, now), _macs(dense, now), _latency(report))


def _accuracy(report: Report) -> Card:
    now, dense = report.pruned, report.baseline
    trap = ("Measured on the tuning split, which you decide on, so it is a little optimistic. Right after pruning a model may be near "
            "chance; recalibrating norms or fine-tuning often brings it back. The range covers 95 % of repetitions.")  # fmt: skip
    if now.accuracy is None or now.accuracy_low is None or now.accuracy_high is None:
        return Card("Accuracy", "not measured" if report.stage == "final" else WAITING, None, (), trap, "normal")
    seen = f"{now.samples:,} of {report.total_samples:,} samples"
    notes = [f"{now.accuracy_low * 100:.1f} to {now.accuracy_high * 100:.1f} %, {seen}"]
    if report.recipe.is_empty:
        return Card("Accuracy", f"{now.accuracy * 100:.1f} %", None, (*notes, "this is the dense model"), trap, "normal")
    notes.append(f"dense {(dense.accuracy or 0) * 100:.1f} %")
    points = verdict = None
    if report.drop is not None:
        points, _, verdict = format_drop(report.drop).partition(" points ")
    return Card("Accuracy", f"{now.accuracy * 100:.1f} %", f"{points} points" if points else None,
                (*notes, *([verdict] if verdict else [])), trap, "normal")  # fmt: skip


def _params(dense: Measurement, now: Measurement) -> Card:
    trap = ("All numbers of the model. Half of the channels of every layer is about a quarter of the parameters, since inputs and "
            "outputs both shrink. Zeros stay parameters.")  # fmt: skip
    if now.params is None or dense.params is None:
        return Card("Parameters", WAITING, None, (), trap)
    notes = [factor(now.params, dense.params, "more", "fewer")]
    if now.nonzero_params is not None and now.nonzero_params < now.params * 0.999:
        notes.append(f"{short(now.nonzero_params)} of them not zero ({change(now.nonzero_params, dense.params)})")
    return Card("Parameters", short(now.params), change(now.params, dense.params), tuple(notes), trap)


def _size(dense: Measurement, now: Measurement) -> Card:
    trap = ("A safetensors file. Zeros alone don't make it smaller: below about half of them not even a sparse format pays, and only "
            "few runtimes can read one.")  # fmt: skip
    if not now.size_bytes or not dense.size_bytes:
        return Card("File size", WAITING, None, (), trap)
    before, after = dense.size_bytes["dense"], now.size_bytes["dense"]
    notes = [factor(after, before, "larger", "smaller"), *_smallest(now.size_bytes)]
    return Card("File size", f"{short(after)}B", change(after, before), tuple(notes), trap)


def _smallest(sizes: Mapping[str, int]) -> list[str]:
    name = min(sizes, key=lambda form: sizes[form])
    return [] if name == "dense" or sizes[name] > 0.95 * sizes["dense"] else [f"{short(sizes[name])}B {FORMAT_NAMES.get(name, name)}"]


def _macs(dense: Measurement, now: Measurement) -> Card:
    trap = ("Multiply-adds of one sample on dense hardware; FLOPs are twice as many. Zeros don't lower them, and fewer MACs don't "
            "promise the same gain in time.")  # fmt: skip
    if now.macs is None or dense.macs is None:
        return Card("MACs", WAITING, None, (), trap)
    return Card("MACs", short(now.macs), change(now.macs, dense.macs), (factor(now.macs, dense.macs, "more", "fewer"),), trap)


def _latency(report: Report) -> Card:
    trap = ("Time of one forward pass, measured on this machine, dense and pruned in turn: the median, and where 8 of 10 runs lie. Small "
            "models often don't become faster. Zeros alone don't help dense kernels.")  # fmt: skip
    dense, now = report.baseline.latency_ms, report.pruned.latency_ms
    if not dense or not now:
        return Card("Latency", WAITING, None, (), trap)
    notes = [f"{now['p10']:.2f} to {now['p90']:.2f} ms, batch {now['batch']:.0f}"]
    if report.speed_up is not None:
        found = report.speed_up
        notes.append(f"{found['ratio']:.2f} × as fast ({found['low']:.2f} to {found['high']:.2f}), {found['verdict']}")
    else:
        notes.append("the dense model's: shapes didn't change")
    return Card("Latency", f"{now['median']:.2f} ms", change(now["median"], dense["median"]), tuple(notes), trap)
