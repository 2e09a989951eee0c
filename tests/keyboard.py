"""A walk over a page with the Tab key alone: where it stops, what is seen, and what it never reaches."""

from dataclasses import dataclass
from itertools import pairwise

from playwright.sync_api import Page

MOST_PRESSES = 250  # more of them mean a trap
WALKS = 4  # a busy machine draws late what is measured
# Looks through the shadows of components: what has the focus, how that looks, and what else could have it.
LOOK = """() => {
  const inside = (node) => node.shadowRoot ? deep(node.shadowRoot) : [];
  const deep = (root) => [...root.querySelectorAll("*")].flatMap((node) => [node, ...inside(node)]);
  const parent = (node) => node.parentElement ?? node.getRootNode().host;
  const above = (node, most = 99) => {
    const all = [];
    for (let one = node; one && all.length < most; one = parent(one)) all.push(one);
    return all;
  };
  const shown = (node) => {
    const box = node.getBoundingClientRect(), style = getComputedStyle(node);
    return box.width > 1 && box.height > 1 && style.visibility === "visible" && style.clipPath === "none";
  };
  const isHidden = (node) => node.getAttribute?.("aria-hidden") === "true";
  const textOf = (node) => node.nodeType === 3 ? node.textContent : node.tagName === "IMG" ? node.alt
    : isHidden(node) ? "" : [...node.childNodes].map(textOf).join(" ");
  const byIds = (node) => (node.getAttribute("aria-labelledby") ?? "").split(" ")
    .map((id) => id && node.getRootNode().getElementById(id)?.textContent).join(" ").trim();
  const named = (node) => (node.getAttribute("aria-label") || byIds(node)
    || [...(node.labels ?? [])].map((label) => label.textContent).join(" ")
    || textOf(node) || node.title || node.placeholder || "").replace(/\\s+/g, " ").trim();
  const LEVELS = 6; // of the boxes around it, one of which may have the ring
  const look = (node) => JSON.stringify(above(node, LEVELS).map((one) => {
    const style = getComputedStyle(one);
    return [style.outlineStyle === "none" ? "" : style.outline, style.boxShadow, style.borderColor];
  }));
  const active = () => {
    let node = document.activeElement;
    while (node?.shadowRoot?.activeElement) node = node.shadowRoot.activeElement;
    return node === document.body ? null : node;
  };
  // what is seen of a switch or a choice is the box around it
  const face = (node) => above(node).find(shown);
  const CONTROLS = "a[href], button, input, select, textarea, summary,"
    + " [role=slider], [role=tab], [role=button], [role=radio]";
  // one stop serves all of them: arrows choose, count and open a list, Enter types under a fader, L locks it
  const GROUPS = "[role=radiogroup], [role=tablist], .react-aria-ComboBox, [data-testid=stNumberInput],"
    + " .strip";
  const group = (node) => node.closest(GROUPS) ?? node;
  const reached = new Set();
  let last = null, before = null;
  window.keyboard = {
    step() {
      const node = active(), ring = last && before !== look(last);
      if (node && node === last) return { again: true };
      [last, before] = [node, node && look(node)];
      if (!node) return { ring, ended: true };
      reached.add(group(node));
      const box = face(node).getBoundingClientRect();
      const scrolled = above(node).reduce((sum, one) => sum + (one.scrollTop ?? 0), 0);
      const kind = node.getAttribute("role") ?? node.tagName.toLowerCase();
      return { ring, name: named(node).slice(0, 60), kind,
        box: [box.left, box.top + scrolled, box.right, box.bottom + scrolled],
        seen: box.top < innerHeight - 1 && box.bottom > 1 && box.left < innerWidth - 1 && box.right > 1 };
    },
    // a page that puts other nodes in the place of those was not at rest
    hasChanged() {
      return [...reached].some((node) => !node.isConnected);
    },
    missed() {
      const found = deep(document).filter((node) => node.matches(CONTROLS) && node.getClientRects().length
        && shown(face(node)) && getComputedStyle(node).visibility === "visible"
        && !node.disabled && node.getAttribute("aria-disabled") !== "true"
        && !node.closest("[inert], [aria-hidden=true]"));
      return found.filter((node) => !reached.has(group(node)))
        .map((node) => `${node.tagName.toLowerCase()} ${named(node)}`);
    },
  };
}"""

# a click leaves the mark from which the Tab key goes on
TO_THE_TOP = """() => {
  document.body.tabIndex = -1;
  document.body.focus();
  document.body.removeAttribute("tabindex");
}"""


@dataclass(frozen=True)
class Stop:
    """Where the Tab key stops.

    Args:
        box: left, top, right and bottom on the page, however far it is scrolled.
        is_seen: whether some of it is in the window.
        has_ring: whether it looks different with the focus.
    """

    name: str
    kind: str
    box: tuple[float, float, float, float]
    is_seen: bool
    has_ring: bool


@dataclass(frozen=True)
class TabWalk:
    """Args:
    stops: in their order.
    missed: enabled controls that are seen but never reached.
    has_ended: whether the walk left the page at its end.
    has_changed: whether a stop was taken away or replaced while the walk went on.
    """

    stops: list[Stop]
    missed: list[str]
    has_ended: bool
    has_changed: bool

    def faults(self) -> list[str]:
        """Return what whoever has no mouse would complain of, one line each."""
        faults = [f"no name: {stop.kind} at {stop.box}" for stop in self.stops if not stop.name]
        faults += [f"not in the window: {stop.name}" for stop in self.stops if not stop.is_seen]
        faults += [f"looks the same with the focus: {stop.name}" for stop in self.stops if not stop.has_ring]
        faults += [
            f"back up, to {after.name}" for before, after in pairwise(self.stops) if _is_above(after, before)
        ]
        faults += [f"never reached: {name}" for name in self.missed]
        return faults if self.has_ended else [*faults, f"a trap after {self.stops[-1].name}"]


def _is_above(one: Stop, other: Stop) -> bool:
    """Whether it is above the other and in the same column."""
    (left, _, right, bottom), (its_left, its_top, its_right, _) = one.box, other.box
    return bottom < its_top - 1 and left < its_right - 1 and its_left < right - 1


def tab_walk(page: Page, most: int = MOST_PRESSES) -> TabWalk:
    """Press Tab from the top of a page to its end, anew if the page changed meanwhile.

    A page that never comes to rest ends in the last walk, with its faults.
    """
    for _ in range(WALKS):
        walk = _one_walk(page, most)
        if not walk.has_changed:
            break
    return walk


def _one_walk(page: Page, most: int) -> TabWalk:
    page.add_style_tag(content="* { transition: none !important; }")  # a ring on its way is none yet
    page.evaluate(TO_THE_TOP)
    page.evaluate(LOOK)
    looks, ended = [], False
    for _ in range(most):
        page.keyboard.press("Tab")
        found = page.evaluate("() => keyboard.step()")
        if found.get("again"):
            continue
        looks.append(found)
        if ended := found.get("ended", False):
            break
    stops = [
        Stop(one["name"], one["kind"], tuple(one["box"]), one["seen"], bool(after["ring"]))
        for one, after in pairwise(looks)
    ]
    missed, has_changed = page.evaluate("() => [keyboard.missed(), keyboard.hasChanged()]")
    return TabWalk(stops, missed, ended, has_changed)
