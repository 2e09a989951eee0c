"""What least squares makes of the current cut, as a line of the card that shows the cut alone."""

from ...measuring.number_words import measured_words
from ...values.report import Report


def repaired_note(report: Report) -> list[str]:
    """Return the repaired number with its range, or nothing if it is not measured."""
    if report.repaired is None:
        return []
    words = measured_words(report.repaired, report.total_samples)
    return [f"repaired: {words.interval}"] if words else []
