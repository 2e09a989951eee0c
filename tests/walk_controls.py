"""What a user can press on a page, and how: the controls that are there now, one step, and that step again.

Controls are found by what they are for assistive technology (roles, names), in the shadow roots of our own
elements too, so a new widget is walked over without a word here.
"""

import random
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from playwright.sync_api import Error, Page

PATIENCE_MS = 2_000  # that a control may take to be reachable; what is covered by something else is left
OPTIONS = "[role=listbox] [role=option], [role=menu] [role=menuitem]"

# Every control that can be seen and used, in the order of the page: kind, name, number among its likes. The
# nodes are left in window.walked.
INVENTORY = """() => {
  const kinds = [
    ["menu", "a[data-testid=stSidebarNavLink]"],
    ["fader", ".track[role=slider]:not([aria-disabled=true])"],
    ["switch", ".track[role=switch]:not([aria-disabled=true])"],
    ["slider", "[role=slider], input[type=range]"],
    ["select", "[role=combobox]"],
    ["order", "select"],
    ["option", "[role=option], [role=menuitem]"],
    ["radio", "[role=radio], input[type=radio]"],
    ["toggle", "[role=checkbox], [role=switch]:not(.track), input[type=checkbox]"],
    ["number", "input[type=number], input.readout"],
    ["text", "input[type=text], input[type=search], textarea"],
    ["tab", "[role=tab]"],
    ["expander", "summary"],
    ["table", "[data-testid=stDataFrame] canvas"],
    ["zoom", ".nsewdrag"], ["button", "button"],
  ];
  const left = "[aria-label^='Help for'], [aria-label=Open], [data-testid^=stNumberInputStep], "
    + "[data-testid=stMainMenu] *, [data-testid=stElementToolbar] *, "
    + "[data-testid=stFileUploaderDropzone] *, .why";
  function* all(root) {
    for (const node of root.querySelectorAll("*")) {
      yield node;
      if (node.shadowRoot) yield* all(node.shadowRoot);
    }
  }
  const kindOf = (node) => kinds.find(([, selector]) => node.matches(selector))?.[0];
  const inLabel = "input[type=checkbox], input[type=radio], input[type=range]";
  const box = (node) => (node.matches(inLabel) && node.closest("label") || node).getBoundingClientRect();
  const seen = (node) => {
    const { width, height } = box(node);
    return width > 2 && height > 2 && node.checkVisibility({ visibilityProperty: true })
      && !node.disabled && !node.closest("[aria-disabled=true], [inert]");
  };
  const key = (node) => node.closest("[class*=st-key-]")?.className.match(/st-key-(\\S+)/)?.[1];
  const words = (node) => node.getAttribute("aria-label") || node.closest("label")?.innerText
    || node.innerText || node.getAttribute("placeholder") || key(node) || "";
  const counts = new Map();
  window.walked = [];
  const found = [];
  for (const node of all(document)) {
    const kind = kindOf(node);
    if (!kind || node.matches(left) || !seen(node)) continue;
    const name = words(node).replace(/\\s+/g, " ").trim().slice(0, 60), both = `${kind} ${name}`;
    const place = counts.get(both) ?? 0;
    counts.set(both, place + 1);
    window.walked.push(node);
    found.push({ kind, name, place, low: node.min ?? "", high: node.max ?? "" });
  }
  return found;
}"""


@dataclass(frozen=True)
class Step:
    """One thing that a user does, so that it can be done again.

    Args:
        kind: of control, or what is done to the browser ("back", "reload", ...).
        name, place: of the control: what it is called, and its number among those of the same name.
        how: what is done to it: keys, a text, pixels, the number of an option.
        pause: seconds until the next step.
    """

    kind: str
    name: str = ""
    place: int = 0
    how: str = ""
    pause: float = 0.0

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    def __str__(self) -> str:
        which = f" #{self.place}" if self.place else ""
        return f"{self.kind} {self.name!r}{which} {self.how} ({self.pause:g} s)"


@dataclass(frozen=True)
class Control:
    """One control of the page as it is now; `index`: its place in window.walked."""

    index: int
    kind: str
    name: str
    place: int
    low: str = ""
    high: str = ""


def controls(page: Page) -> list[Control]:
    """Everything that a user can press now."""
    return [Control(index, **found) for index, found in enumerate(page.evaluate(INVENTORY))]


def named(page: Page, step: Step) -> Control | None:
    """The control of a step, if it is there."""
    wanted = (step.kind, step.name, step.place)
    return next((c for c in controls(page) if (c.kind, c.name, c.place) == wanted), None)


# --------------------------------------------------------------------------- how a control is used

KEYS = ("ArrowUp", "ArrowDown", "PageUp", "PageDown", "Home", "End", "ArrowRight", "ArrowLeft")
TEXTS = ("conv", "a", "", "half of it", "<b>x</b>", "日本", "../../x", "1e9", "-5", "12,5")


def _keys(chance: random.Random, control: Control) -> str:
    if control.kind == "fader" and chance.random() < 0.4:
        return f"drag {chance.randint(-120, 120)}"
    return " ".join(chance.choices(KEYS, k=chance.randint(1, 4)))


def _number(chance: random.Random, control: Control) -> str:
    low, high = _float(control.low, 0), _float(control.high, 100)
    within = chance.uniform(low, min(high, low + 100))
    return str(round(within)) if chance.random() < 0.8 else chance.choice(TEXTS)


def _float(text: str, other: float) -> float:
    try:
        return float(text)
    except ValueError:
        return other


def _which(chance: random.Random, control: Control) -> str:
    return str(chance.randrange(1000))  # of so many options as there are then


HOW: Mapping[str, Callable[[random.Random, Control], str]] = {
    "fader": _keys,
    "slider": _keys,
    "number": _number,
    "text": lambda chance, control: chance.choice(TEXTS),
    "select": _which,
    "order": _which,
    "table": lambda chance, control: f"{chance.randint(1, 6)} {chance.choice((*TEXTS, '50', '33'))}",
    "zoom": lambda chance, control: f"{chance.random():.2f} {chance.random():.2f}",
}


def use(page: Page, control: Control, how: str) -> bool:
    """Use a control as a hand would; False where it went away or cannot be reached any more."""
    handle = page.evaluate_handle("index => window.walked[index]", control.index).as_element()
    if handle is None:
        return False
    try:
        USES.get(control.kind, _click)(page, handle, how)
    except Error as error:  # gone, moved or covered while the hand was on its way
        if "Target" in str(error) and "closed" in str(error):
            raise
        return False
    return True


def _click(page: Page, handle: Any, how: str) -> None:
    try:
        handle.click(timeout=PATIENCE_MS)
    except Error:
        if handle.get_attribute("type") not in ("checkbox", "radio"):
            raise
        handle.evaluate_handle("node => node.closest('label')").as_element().click(timeout=PATIENCE_MS)


def _press(page: Page, handle: Any, how: str) -> None:
    if how.startswith("drag"):
        _drag(page, handle, 0, -float(how.split()[1]))
        return
    handle.focus()
    for key in how.split():
        page.keyboard.press(key)


def _drag(page: Page, handle: Any, across: float, up: float) -> None:
    handle.scroll_into_view_if_needed(timeout=PATIENCE_MS)
    held = handle.query_selector(".thumb") or handle
    box = held.bounding_box()
    if box is None:
        return
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + across, y + up, steps=4)
    page.mouse.up()


def _type(page: Page, handle: Any, how: str) -> None:
    handle.click(timeout=PATIENCE_MS)
    page.keyboard.press("Control+a")
    page.keyboard.type(how)
    page.keyboard.press("Enter")


def _pick(page: Page, handle: Any, how: str) -> None:
    handle.click(timeout=PATIENCE_MS)
    page.wait_for_selector(OPTIONS, timeout=PATIENCE_MS)
    options = page.query_selector_all(OPTIONS)
    if options:
        options[int(how) % len(options)].click(timeout=PATIENCE_MS)


def _order(page: Page, handle: Any, how: str) -> None:
    count = handle.evaluate("node => node.options.length")
    handle.select_option(index=int(how) % count, timeout=PATIENCE_MS)


def _cell(page: Page, handle: Any, how: str) -> None:
    row, _, text = how.partition(" ")
    box = handle.bounding_box()
    if box is None:
        return
    handle.click(
        position={"x": min(260, box["width"] - 5), "y": min(35 * int(row) + 10, box["height"] - 5)},
        timeout=PATIENCE_MS,
    )
    page.keyboard.type(text)
    page.keyboard.press("Enter")


def _zoom(page: Page, handle: Any, how: str) -> None:
    across, up = map(float, how.split())
    _drag(page, handle, 60 * across, 60 * up)


USES: Mapping[str, Callable[[Page, Any, str], None]] = {
    "fader": _press,
    "slider": _press,
    "number": _type,
    "text": _type,
    "select": _pick,
    "order": _order,
    "table": _cell,
    "zoom": _zoom,
}
