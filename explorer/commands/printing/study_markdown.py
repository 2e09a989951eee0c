"""What studies found, as the Markdown tables of the guide: one table of all models."""

from collections.abc import Mapping, Sequence

from ...studies.allocator_comparison import AllocatorRow
from ...studies.criteria_comparison import CriteriaRow
from ...studies.live_correlations import NUMBERS, Correlation, LiveNumbers, Quantity, pooled
from ...studies.repair_table import REPAIRS, RepairRow
from ...values.report import Drop, Measurement
from .study_text import REPAIR_WORDS, points, short

ALONE = "right after the cut"


def markdown_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """
    >>> print(markdown_table(["a", "b"], [["1", "2"]]))
    | a | b |
    | --- | --- |
    | 1 | 2 |
    """
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (columns, ["---"] * len(columns), *rows))


# --------------------------------------------------------------------------- live numbers


def live_markdown(studies: Sequence[LiveNumbers]) -> str:
    """Return what the retrained models reach, then the rank correlations by the deciding metric and by
    loss.
    """
    reached = ", ".join(_reached(study) for study in studies)
    by_value, by_loss = (_correlations(studies, quantity) for quantity in ("value", "loss"))
    return f"Retrained from {reached}.\n\n{by_value}\n\nThe same by loss:\n\n{by_loss}"


def _reached(study: LiveNumbers) -> str:
    ends = sorted(end for _, _, end in study.pairs("one_shot"))
    return f"{100 * ends[0]:.1f} to {100 * ends[-1]:.1f} % (`{study.subject}`)" if ends else study.subject


def _correlations(studies: Sequence[LiveNumbers], quantity: Quantity) -> str:
    own = [{one.number: one for one in study.correlations(quantity)} for study in studies]
    means = {one.number: one for one in pooled(studies, quantity)}
    heads = [f"`{study.subject}`, {len(study.tried)} recipes" for study in studies]
    rows = []
    for number, words in NUMBERS.items():
        cells = [_correlation(known.get(number)) for known in own]
        rows.append([words, *cells, _estimate(means.get(number)), _gain(means.get(number))])
    return markdown_table(["number", *heads, "mean", f"minus {ALONE}"], rows)


def _correlation(one: Correlation | None) -> str:
    """Return a model's correlation, and what its difference from the one-shot number says."""
    marks = {"better": ", better", "worse": ", worse"}
    return _estimate(one) + (marks.get(one.verdict.split(" ")[0], "") if one else "")


def _estimate(one: Correlation | None) -> str:
    return f"{one.estimate:.2f} ({one.low:.2f} to {one.high:.2f})" if one else "-"


def _gain(one: Correlation | None) -> str:
    if one is None or one.number == "one_shot":
        return ""
    return f"{one.gain:+.2f} ({one.gain_low:+.2f} to {one.gain_high:+.2f})"


# --------------------------------------------------------------------------- allocators, repairs


def allocators_markdown(models: Mapping[str, Sequence[AllocatorRow]]) -> str:
    """Return a line for each model, share and allocator, with a column for each repair."""
    repairs = list(dict.fromkeys(row.after for rows in models.values() for row in rows))
    lines = []
    for model, rows in models.items():
        known = {(row.removed, row.allocator, row.after): row for row in rows}
        for removed, name in dict.fromkeys((row.removed, row.allocator) for row in rows):
            cells = [_allocator_cell(known[removed, name, after]) for after in repairs]
            lines.append([f"`{model}`", _share(removed), f"`{name}`", *cells])
    return markdown_table(["model", "removed", "allocator", *map(_after, repairs)], lines)


def _after(repair: str) -> str:
    return ALONE if repair == "none" else f"repaired by {REPAIR_WORDS.get(repair, repair)}"


def _allocator_cell(row: AllocatorRow) -> str:
    if row.measured is None:
        return f"- ({row.why})"
    gain = f", {_gained(row.gain)}" if row.gain else ""
    return f"{_value(row.measured)}{gain}"


def repairs_markdown(models: Mapping[str, Sequence[RepairRow]]) -> str:
    """Return a line for each model and ratio, with what each repair loses and the seconds that it takes."""
    arms = list(dict.fromkeys([*REPAIRS, *(row.arm for rows in models.values() for row in rows)]))
    lines = []
    for model, rows in models.items():
        known = {(row.ratio, row.arm): row for row in rows}
        for ratio in dict.fromkeys(row.ratio for row in rows):
            cells = [_repair_cell(known.get((ratio, arm))) for arm in arms]
            lines.append([f"`{model}`", _share(ratio), *cells])
    return markdown_table(["model", "channels removed", *arms], lines)


def _repair_cell(row: RepairRow | None) -> str:
    return "-" if row is None else f"{_lost(row.drop)}; {row.seconds:.2f} s"


def criteria_markdown(models: Mapping[str, Sequence[CriteriaRow]]) -> str:
    """Return a line for each model, share, criterion and allocator, with two columns for each repair: the
    value, and what it is minus that of the first pair. A star marks a difference within the noise.
    """
    every = [row for rows in models.values() for row in rows]
    repairs = list(dict.fromkeys(row.after for row in every))
    lines = []
    for model, rows in models.items():
        known = {(row.removed, row.criterion, row.allocator, row.after): row for row in rows}
        for key in dict.fromkeys((row.removed, row.criterion, row.allocator) for row in rows):
            pairs = [_criterion_cells(known.get((*key, after))) for after in repairs]
            names = [f"`{model}`", _share(key[0]), *(f"`{name}`" for name in key[1:])]
            lines.append([*names, *(cell for pair in pairs for cell in pair)])
    first = f"minus `{every[0].criterion}`, `{every[0].allocator}`" if every else ""
    columns = [cell for head in map(_after, repairs) for cell in (head, first)]
    return markdown_table(["model", "removed", "criterion", "allocator", *columns], lines)


def _criterion_cells(row: CriteriaRow | None) -> tuple[str, str]:
    if row is None or row.measured is None:
        return f"- ({row.skipped})" if row else "-", ""
    one, change = row.measured, row.change
    value = "-" if one.value is None else short(one.value, one.unit)
    if one.low is not None and one.high is not None:
        value += f" ({short(one.low, one.unit)} to {short(one.high, one.unit)})"
    if change is None:
        return value, ""
    return value, points(change) + (" *" if change.low <= 0 <= change.high else "")


def _share(ratio: float) -> str:
    return f"{100 * ratio:g} %"


def _value(measured: Measurement) -> str:
    if measured.value is None:
        return "-"
    return f"{100 * measured.value:.1f}" if measured.unit == "%" else f"{measured.value:.4g}"


def _gained(drop: Drop) -> str:
    factor = 100 if drop.unit == "%" else 1
    ends = f"{factor * drop.low:+.1f} to {factor * drop.high:+.1f}"
    return f"{factor * drop.estimate:+.1f} ({ends})"


def _lost(drop: Drop) -> str:
    factor = 100 if drop.unit == "%" else 1
    return f"{factor * drop.estimate:.1f} ({factor * drop.low:.1f} to {factor * drop.high:.1f})"
