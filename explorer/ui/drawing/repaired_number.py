"""What least squares makes of the current cut, as a line of the card that shows the cut alone."""

from ...measuring.statistics import format_measured
from ...values.report import Report


def repaired_note(report: Report) -> list[str]:
    """Return the repaired number with its range, or nothing if it is not measured."""
    if report.repaired is None:
        return []
    value, _, rest = format_measured(report.repaired, report.total_samples).partition(" (")
    return [f"repaired: {value} ({rest.partition('), ')[0]})"]
