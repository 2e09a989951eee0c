"""Measured numbers and their changes in words: put together here, taken apart nowhere."""

import math
from typing import NamedTuple

from ..values.report import Drop, Measurement
from .statistics import wilson


class MeasuredWords(NamedTuple):
    """A measured number in words: "91.2 %", "89.9 to 92.4", "2,048 of 5,000"."""

    value: str
    reach: str
    counted: str

    @property
    def interval(self) -> str:
        """Return the value with its range."""
        return f"{self.value} ({self.reach})"

    @property
    def text(self) -> str:
        """Return all of it."""
        return f"{self.interval}, {self.counted}"


class ChangeWords(NamedTuple):
    """The change of a metric in words: "-2.0", "points", "-3.3 to -0.7", "worse beyond noise"."""

    number: str
    unit: str
    reach: str
    verdict: str

    @property
    def amount(self) -> str:
        """Return the number with its unit."""
        return f"{self.number} {self.unit}".rstrip()

    @property
    def interval(self) -> str:
        """Return the number with unit and range."""
        return f"{self.amount} ({self.reach})"

    @property
    def short(self) -> str:
        """Return number and range without the word points, for a column that says it."""
        return f"{self.number} ({self.reach})" if self.unit == POINTS else self.interval

    @property
    def text(self) -> str:
        """Return all of it."""
        return f"{self.interval}, {self.verdict}"


POINTS = "points"


def accuracy_words(correct: int, samples: int, total: int) -> MeasuredWords:
    """Return an accuracy with its 95 % range and what it was measured on.

    >>> accuracy_words(1868, 2048, 5000).text
    '91.2 % (89.9 to 92.4), 2,048 of 5,000'
    """
    low, high = wilson(correct, samples)
    reach = f"{low * 100:.1f} to {high * 100:.1f}"
    return MeasuredWords(format_value(correct / samples, "%"), reach, f"{samples:,} of {total:,}")


def _signed(value: float, digits: int) -> str:
    text = f"{value:+.{digits}f}"
    return text[1:] if float(text) == 0 else text


def _digits(drop: Drop) -> int:
    """Return the decimals of a change: a bound that would round to zero gets one more, so that "-0.2 to 0.0"
    does not look like a difference.
    """
    if drop.unit == "%":
        return 1 if min(abs(drop.low), abs(drop.high)) >= 0.0005 else 2
    width = drop.high - drop.low
    return 3 if not 0 < width < math.inf else min(12, max(0, 1 - math.floor(math.log10(width))))


def change_words(drop: Drop) -> ChangeWords:
    """Return the change of a metric (minus the drop) with its range and the verdict in plain words; for
    accuracy and other fractions in points.

    >>> change_words(Drop(0.02, 0.007, 0.033, "different", 0.95)).text
    '-2.0 points (-3.3 to -0.7), worse beyond noise'
    >>> change_words(Drop(-0.031, -0.05, -0.012, "different", 0.95, "mae", "m", "lower", 0.02)).interval
    '+0.031 m (+0.012 to +0.050)'
    """
    delta, is_share = drop.margin, drop.unit == "%"
    scale, unit = (100, POINTS) if is_share else (1, drop.unit)
    bound = f"{delta * scale:.3g} {'point' if is_share and delta == 0.01 else unit}".rstrip()
    small = f", by less than {bound}" if max(abs(drop.low), abs(drop.high)) < delta else ""
    words = {
        "different": ("worse" if drop.worse else "better") + " beyond noise" + small,
        "equivalent": f"no difference beyond noise; if there is one, it is below {bound}",
        "undecided": "no difference beyond noise so far; more samples may show one",
    }
    numbers = (-value * scale for value in (drop.estimate, drop.high, drop.low))
    estimate, low, high = (_signed(number, _digits(drop)) for number in numbers)
    return ChangeWords(estimate, unit, f"{low} to {high}", words[drop.verdict])


def format_drop(drop: Drop) -> str:
    """Return the change of a metric with its range and the verdict, as `change_words` does."""
    return change_words(drop).text


def format_value(value: float, unit: str | None) -> str:
    """Return a metric's value as text.

    >>> format_value(0.912, "%"), format_value(12.3456, ""), format_value(3.2, "m")
    ('91.2 %', '12.35', '3.2 m')
    """
    return f"{100 * value:.1f} %" if unit == "%" else f"{value:.4g} {unit or ''}".rstrip()


def measured_words(measured: Measurement, total: int) -> MeasuredWords | None:
    """Return the value of a measurement with its range and what it was measured on; None if nothing was.

    >>> measured = Measurement(metric="mae", value=1.25, low=1.1, high=1.4, unit="m", samples=50)
    >>> measured_words(measured, 100).text
    '1.25 m (1.1 to 1.4), 50 of 100'
    """
    if measured.value is None or measured.low is None or measured.high is None:
        return None
    ends = (measured.low, measured.high)
    low, high = (f"{100 * end:.1f}" if measured.unit == "%" else f"{end:.4g}" for end in ends)
    counted = f"{measured.samples:,} of {total:,}"
    return MeasuredWords(format_value(measured.value, measured.unit), f"{low} to {high}", counted)


def format_measured(measured: Measurement, total: int) -> str:
    """Return a measurement as one text, as `measured_words` does."""
    words = measured_words(measured, total)
    return words.text if words else "not measured"
