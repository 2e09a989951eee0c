"""Findings in plain words: what was compared, what came out, and the verdict."""

import re
from collections.abc import Sequence

from ..words import LABELS
from .evidence import Evidence
from .values import COSTS, DENSE, VERDICTS, Case, Lesson
from .verdicts import CaseComparison, Finding, Said

SAYS = {"yes": "yes", "no": "no", "open": "cannot be told"}
FORMATS = {"dense": "ordinary file", "csr": "CSR file", "bitmask": "bitmask file", "deflate": "zipped file"}


def counted(evidence: Evidence) -> str:
    """Return on how many samples was measured, such as "450 pictures", or "512 pictures and 48 documents"."""
    words: dict[str, int] = {}
    for point in evidence.dense.values():
        word = "documents" if point.correct.is_floating_point() else "pictures"
        words[word] = max(words.get(word, 0), len(point.correct))
    return " and ".join(f"{count:,} {word}" for word, count in sorted(words.items(), reverse=True))


def headline(finding: Finding) -> str:
    """Return the verdict in a few words."""
    return VERDICTS[finding.verdict]


def networks(lesson: Lesson, evidence: Evidence) -> str:
    """Return the models that were measured."""
    return ", ".join(dict.fromkeys(arm.model or evidence.model for arm in lesson.experiment.arms))


def explanation(lesson: Lesson, finding: Finding) -> str:
    """Return the lesson's text for this verdict, with its placeholders replaced by the comparisons."""
    return " ".join(sentence for sentence, _ in sentences(lesson, finding))


def sentences(lesson: Lesson, finding: Finding) -> list[tuple[str, bool]]:
    """Return the sentences of an explanation, each with whether it lists comparisons; a sentence that would
    list none is left out.
    """
    by_outcome = {said: [one for one in finding.comparisons if one.said == said] for said in SAYS}
    filled = []
    for sentence in re.split(r"(?<=[.!?])\s+", lesson.claim.explain[finding.verdict]):
        asked = [said for said in SAYS if "{" + said + "}" in sentence]
        if not asked or any(by_outcome[said] for said in asked):
            for said in asked:
                sentence = sentence.replace("{" + said + "}", listed(by_outcome[said], finding.comparisons))
            filled.append((sentence, bool(asked)))
    return filled


def listed(comparisons: Sequence[CaseComparison], among: Sequence[CaseComparison] = ()) -> str:
    """List comparisons by name, each with its points unless it had the same outcome at all of several.

    >>> listed([])
    'nothing'
    """
    places: dict[str, list[float]] = {}
    for one in comparisons:
        places.setdefault(one.case.name, []).append(one.x)
    everywhere = {name: [one.x for one in among if one.case.name == name] for name in places}
    return (
        "; ".join(
            name
            if len(at) == len(everywhere[name]) > 1
            else f"{name} (at {', '.join(f'{x * 100:g} %' for x in at)})"
            for name, at in places.items()
        )
        or "nothing"
    )


def value(comparison: CaseComparison) -> str:
    """Return the measured value with its interval, or why there is none."""
    if comparison.why:
        return comparison.why
    case, scale = comparison.case, 100.0
    if case.quantity in COSTS:
        what = FORMATS.get(case.quantity) or LABELS[case.quantity]
        return f"{what}: {comparison.estimate * scale:.1f} %"
    if case.quantity == "speed":
        between = f"{_end(comparison.low)} to {_end(comparison.high)}"
        return f"{comparison.estimate:.2f} × as fast ({between}), batch {case.batch}"
    if case.quantity == "agreement":
        between = f"{comparison.low * scale:.1f} to {min(comparison.high, 1.0) * scale:.1f}"
        return f"{comparison.estimate * scale:.1f} % equal answers ({between})"
    if case.quantity == "kept" and case.against == DENSE:
        between = f"{comparison.low * scale:.1f} to {comparison.high * scale:.1f}"
        return f"{comparison.estimate * scale:.1f} % of the right answers ({between})"
    between = f"{comparison.low * scale:+.1f} to {comparison.high * scale:+.1f}"
    return f"{comparison.estimate * scale:+.1f} points ({between})"


def _end(number: float) -> str:
    return "unknown" if abs(number) == float("inf") else f"{number:.2f}"


def wanted(comparison: CaseComparison) -> str:
    """Return what the claim asks of the value."""
    case = comparison.case
    if case.quantity == "told_apart":
        return "other than 0"
    ends = [
        f"{word} {_bound(case, bound)}"
        for word, bound in (("above", case.above), ("below", case.below))
        if abs(bound) != float("inf")
    ]
    return " and ".join(ends)


def _bound(case: Case, bound: float) -> str:
    if case.quantity == "speed":
        return f"{bound:g} ×"
    is_kept = case.quantity == "kept" and case.against == DENSE
    is_share = case.quantity in COSTS or case.quantity == "agreement" or is_kept
    return f"{bound * 100:g} {'%' if is_share else 'points'}"


def says(said: Said) -> str:
    return SAYS[said]
