"""Findings in plain words: what was compared, how it came out, what the verdict is."""

from collections.abc import Sequence

from ..labels import LABELS
from .judging import Finding, Found, Said
from .values import COSTS, VERDICTS, Lesson

SAYS = {"yes": "yes", "no": "no", "open": "cannot be told"}
FORMATS = {"dense": "ordinary file", "csr": "CSR file", "bitmask": "bitmask file", "deflate": "zipped file"}


def headline(finding: Finding) -> str:
    """The verdict in a few words."""
    return VERDICTS[finding.verdict]


def explanation(lesson: Lesson, finding: Finding) -> str:
    """The lesson's text for this verdict, its placeholders filled with the comparisons that said so."""
    text = lesson.claim.explain[finding.verdict]
    for said in SAYS:
        text = text.replace("{" + said + "}", listed([found for found in finding.comparisons if found.said == said]))
    return text


def listed(found: Sequence[Found]) -> str:
    """Comparisons by name, each with its places.

    >>> listed([])
    'nothing'
    """
    places: dict[str, list[str]] = {}
    for one in found:
        places.setdefault(one.case.name, []).append(f"{one.x * 100:g} %")
    return "; ".join(f"{name} (at {', '.join(at)})" for name, at in places.items()) or "nothing"


def value(found: Found) -> str:
    """The measured value with its interval."""
    case, scale = found.case, 100.0
    if case.quantity in COSTS:
        what = FORMATS.get(case.quantity) or LABELS[case.quantity]
        return f"{what}: {found.estimate * scale:.1f} %"
    if case.quantity == "speed":
        return f"{found.estimate:.2f} × as fast ({_end(found.low)} to {_end(found.high)}), batch {case.batch}"
    if case.quantity == "agreement":
        return f"{found.estimate * scale:.1f} % equal answers ({found.low * scale:.1f} to {min(found.high, 1.0) * scale:.1f})"
    return f"{found.estimate * scale:+.1f} points ({found.low * scale:+.1f} to {found.high * scale:+.1f})"


def _end(number: float) -> str:
    return "unknown" if abs(number) == float("inf") else f"{number:.2f}"


def wanted(found: Found) -> str:
    """What the claim asks of the value."""
    case = found.case
    if case.quantity == "told_apart":
        return "other than 0"
    ends = [f"{word} {_bound(case.quantity, bound)}" for word, bound in (("above", case.above), ("below", case.below))
            if abs(bound) != float("inf")]  # fmt: skip
    return " and ".join(ends)


def _bound(quantity: str, bound: float) -> str:
    if quantity == "speed":
        return f"{bound:g} ×"
    return f"{bound * 100:g} {'%' if quantity in COSTS or quantity == 'agreement' else 'points'}"


def says(said: Said) -> str:
    return SAYS[said]
