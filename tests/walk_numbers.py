"""What the numbers of a page have to be: those of the recipe in its address, computed here once more."""

import re
import urllib.parse
from dataclasses import dataclass
from functools import lru_cache

from playwright.sync_api import Page

import explorer
from explorer.graph.analysed import Analysed

# what a page says of itself, in one look, so that nothing changes in between
LOOK = """() => {
  function* all(root) {
    for (const node of root.querySelectorAll("*")) {
      yield node;
      if (node.shadowRoot) yield* all(node.shadowRoot);
    }
  }
  const found = [...all(document)], is = (selector) => found.filter((node) => node.matches(selector));
  const text = (node, selector) => node?.querySelector(selector)?.textContent ?? "";
  const shown = (label) => is(`input[aria-label="${label}"]`)[0]?.value;
  return {
    url: location.href,
    state: is("[data-testid=stApp]")[0]?.dataset.testScriptState,
    model: shown("Model"), samples: shown("Measured on"), dtype: shown("Arithmetic"),
    older: document.documentElement.hasAttribute("data-older-numbers"),
    words: is(".status .words")[0]?.textContent,
    cards: is(".card").map((card) => [text(card, ".label"), text(card, ".value"), text(card, ".notes")]),
    old_cards: is(".cards.older, .cards.predicted").length > 0,
    faders: is(".track[role=slider], .track[role=switch]").map((track) => [track.getAttribute("aria-label"),
      track.getAttribute("aria-valuenow") ?? track.getAttribute("aria-checked")]),
    metrics: is("[data-testid=stMetric]").map((metric) => [text(metric, "[data-testid=stMetricLabel]"),
      text(metric, "[data-testid=stMetricValue]")]),
  };
}"""
RESTS = "notRunning"


@dataclass(frozen=True)
class Seen:
    """What a page shows now."""

    url: str
    state: str | None
    model: str | None
    samples: str | None
    dtype: str | None
    older: bool
    words: str | None
    cards: list[list[str]]
    old_cards: bool
    faders: list[list[str]]
    metrics: list[list[str]]

    @property
    def query(self) -> dict[str, str]:
        return dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.url).query))

    @property
    def page(self) -> str:
        return urllib.parse.urlsplit(self.url).path.rsplit("/", 1)[-1] or "prune"

    @property
    def is_final(self) -> bool:
        """Nothing runs, and the page says that its numbers are the last ones."""
        return (
            self.state == RESTS
            and not (self.older or self.old_cards)
            and (self.words or "").startswith("Final")
        )


def seen(page: Page) -> Seen:
    """One look at a page."""
    return Seen(**page.evaluate(LOOK))


def wrong(seen: Seen) -> list[str]:
    """What a page shows that is not of the recipe in its address; only of a page at rest."""
    if seen.state != RESTS or "model" not in seen.query:
        return []
    model, recipe = seen.query["model"], _recipe(seen.query)
    said = []
    if seen.model is not None and seen.model != model:
        said.append(f"the model is {seen.model}, the address says {model}")
    said += [
        f"fader {label!r} is at {value}, the address says {wanted:g}"
        for label, value in seen.faders
        if (wanted := _wanted(recipe, label)) is not None and not _is_at(value, wanted)
    ]
    if seen.is_final and seen.cards:
        wanted = expected(model, seen.query.get("recipe", ""), seen.samples or "", seen.dtype or "float32")
        shown = {label: value for label, value, _ in seen.cards}
        said += [
            f"{label} is {shown[label]}, that of the recipe is {value}"
            for label, value in wanted.items()
            if label in shown and shown[label] != value
        ]
    return said


def _recipe(query: dict[str, str]) -> explorer.Recipe:
    return explorer.Recipe.from_url(query["recipe"]) if "recipe" in query else explorer.Recipe()


def _wanted(recipe: explorer.Recipe, label: str) -> float | None:
    bank, _, rest = label.partition(": ")
    part = re.split(r"\. ", rest, maxsplit=1)[0]
    ratios = {"Channels": recipe.channels, "Weights": recipe.weights}.get(bank)
    return None if ratios is None else 100 * ratios.get(part, 0.0)


def _is_at(value: str, per_cent: float) -> bool:
    if value in ("true", "false"):
        return (value == "true") == (per_cent > 0)
    return abs(float(value) - per_cent) < 0.06


@lru_cache(maxsize=4)
def _opened(model: str) -> Analysed:
    return explorer.analyse(explorer.load(model))


@lru_cache(maxsize=256)
def expected(model: str, recipe: str, samples: str, dtype: str) -> dict[str, str]:
    """Card -> its value, of the model and recipe of an address, measured in this process."""
    given = explorer.Recipe.from_url(recipe) if recipe else explorer.Recipe()
    counted = int(samples.split()[1].replace(",", "")) if samples.startswith("first") else None
    how = explorer.Conditions(samples=counted, split="tuning", dtype=dtype, latency=False)
    report = explorer.prune(_opened(model), given, how).pruned
    found = {"Parameters": _short(report.params), "MACs": _short(report.macs)}
    if report.accuracy is not None:
        found["Accuracy"] = f"{report.accuracy * 100:.1f} %"
    return found


def _short(number: float | None) -> str:
    """Three digits and a letter, written once more, not taken from the page's code."""
    if number is None:
        return ""
    for size, letter in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if number >= size:
            digits = 2 if number < 10 * size else 1 if number < 100 * size else 0
            return f"{number / size:.{digits}f}{letter}"
    return f"{number:.0f}"
